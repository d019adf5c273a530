// What SPF, DKIM, ARC and DMARC say of a message by the test DNS, with reasons; and the lint.
import { element, get } from "./base.js";

const kind = (result) => (result === "pass" ? "good" : result === "none" || result === "neutral" ? "dim" : "bad");

function verdict(name, v, facts) {
  return element("div.card", {}, element("div.flow", {}, element("b", {}, name), element("span", { class: kind(v.result) }, v.result),
    element("span.dim", {}, facts)), element("ul", {}, (v.reason || []).map((r) => element("li", {}, r))));
}

export async function auth(v, pane) {
  const client = element("input", { placeholder: "192.0.2.1", "aria-label": "Client", size: 20 });
  const sender = element("input", { placeholder: v.m.envelope.from, "aria-label": "Sender", size: 25 });
  const box = element("div");
  const load = async (event) => {
    if (event) event.preventDefault();
    const query = new URLSearchParams();
    if (client.value) query.set("client", client.value);
    if (sender.value) query.set("sender", sender.value);
    try {
      const [said, lint] = await Promise.all([get(v.path(`/auth?${query}`)), get(v.path(`/lint?${query}`))]);
      box.replaceChildren(...draw(said, lint));
    } catch (error) { box.replaceChildren(element("p.bad", {}, error.message)); }
  };
  pane.append(element("form.flow", { onsubmit: load }, "As if it came from ", client, " as ", sender, element("button", {}, "Check")), box);
  await load();
}

function draw(said, lint) {
  const wrong = lint.rules.filter((r) => !r.pass);
  return [
    element("div.cards", {}, verdict("SPF", said.spf, said.spf.domain),
      said.dkim.map((d) => verdict("DKIM", d, `${d.domain} ${d.selector} ${d.algorithm}`)),
      said.dkim.length === 0 && verdict("DKIM", { result: "none" }, "there is no signature"),
      said.dmarc && verdict("DMARC", said.dmarc, `policy ${said.dmarc.policy}, of ${said.dmarc.policy_domain || "nobody"}`),
      verdict("ARC", said.arc, "")),
    element("h3", {}, "As the field would be"), element("pre", {}, said.authenticationResults),
    element("h3", {}, `Lint: ${lint.score} of 100`),
    wrong.length === 0 ? element("p.good", {}, "Nothing is held against it.")
      : element("table.grid", {}, wrong.map((r) => element("tr", {}, element("td", { class: r.level === "error" ? "bad" : "warn" }, r.level),
        element("td", {}, r.rule), element("td", {}, r.message), element("td.dim", {}, r.reference)))),
  ];
}
