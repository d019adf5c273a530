// One message, in tabs. What it holds is text here; its HTML is shown in a frame that is
// nobody's: no scripts, no forms, nothing from elsewhere.
import { auth } from "./auth.js";
import { ask, copyButton, element, get, own, peopleText, personText, root, sizeText, toast } from "./base.js";
import { openRelease } from "./release.js";

export class MessageView {
  constructor(view, id, tab) {
    this.view = view;
    this.id = id;
    this.wanted = tab;
    view.replaceChildren(element("div.empty", {}, "Loading"));
    this.load();
  }

  close() { this.isClosed = true; }

  path(rest = "") { return `${own}/messages/${encodeURIComponent(this.id)}${rest}`; }

  async load() {
    try {
      this.m = await get(this.path());
    } catch (error) {
      if (!this.isClosed) this.view.replaceChildren(element("div.empty", {}, error.message));
      return;
    }
    if (this.isClosed) return;
    if (!this.m.read) ask("PATCH", this.path(), { read: true }).catch(() => {});
    this.tabs = TABS.filter(([name]) => this.m.html || (name !== "HTML" && name !== "Source"));
    this.at = Math.max(0, this.tabs.findIndex(([name]) => name === (this.wanted || "")));
    this.draw();
  }

  draw() {
    this.pane = element("div.pane", { role: "tabpanel" });
    this.bar = element("div.tabs", { role: "tablist" });
    this.view.replaceChildren(this.toolbar(), this.head(), this.bar, this.pane);
    this.show(this.at);
  }

  toolbar() {
    return element("div.tools", {},
      element("button", { onclick: () => history.length > 1 ? history.back() : (location.hash = "#/") }, "← Back"),
      element("a", { href: this.path("/raw"), download: `${this.id}.eml` }, element("button", { tabindex: -1 }, "Download")),
      element("button", { onclick: () => this.unread() }, "Mark unread"),
      element("button", { onclick: () => this.release() }, "Release"),
      element("span.space"),
      element("button.danger", { onclick: () => this.remove() }, "Delete"));
  }

  release() { if (this.m) openRelease(this.id, this.m.envelope.to); }

  head() {
    const m = this.m, e = m.envelope;
    const facts = [["From", personText(m.from)], ["To", peopleText(m.to)], ["Cc", peopleText(m.cc)],
      ["Bcc", peopleText(m.bcc)], ["Reply-To", peopleText(m.replyTo)],
      ["Envelope", `<${e.from}> → ${e.to.map((a) => `<${a}>`).join(" ")}`],
      ["Date", m.date ? new Date(m.date).toString() : "none"],
      ["Received", `${new Date(m.created).toString()}, ${sizeText(m.size)}${e.tls ? `, ${e.tls} ${e.cipher}` : ", in clear"}${e.account ? `, as ${e.account}` : ""}`],
      ["Tags", m.tags.join(", ")], ["Unsubscribe", (m.unsubscribe.links || []).join(" ")]];
    return element("div.head", {}, element("h1", {}, m.subject || "(no subject)"),
      element("dl.facts", {}, facts.filter(([, value]) => value).map(([name, value]) =>
        [element("dt", {}, name), element("dd", {}, value)])));
  }

  show(at) {
    this.at = (at + this.tabs.length) % this.tabs.length;
    this.bar.replaceChildren(...this.tabs.map(([name], i) => element("button", {
      role: "tab", "aria-selected": i === this.at, onclick: () => this.show(i),
    }, name, badge(name, this.m))));
    const [, draw] = this.tabs[this.at];
    const pane = element("div"); // of its own: what comes late belongs to no other tab
    this.pane.replaceChildren(pane);
    Promise.resolve(draw(this, pane)).catch((error) => pane.replaceChildren(element("p.bad", {}, error.message)));
  }

  step(by) { if (this.tabs) this.show(this.at + by); }

  async unread() {
    await ask("PATCH", this.path(), { read: false });
    location.hash = "#/";
  }

  async remove() {
    await ask("DELETE", this.path());
    toast("Deleted");
    location.hash = "#/";
  }
}

function badge(name, m) {
  if (name !== "Codes & links") return null;
  return m.codes.found ? element("span.tag", {}, m.codes.code) : null;
}

function html(v, pane) {
  const frame = element("iframe.frame", { sandbox: "", src: `${root}/view/${encodeURIComponent(v.id)}.html`,
    title: "The message's HTML", referrerpolicy: "no-referrer" });
  const size = (name) => element("button", { onclick: () => { frame.className = `frame ${name}`; } }, name || "full");
  pane.append(element("div.flow", {}, size(""), size("tablet"), size("phone"),
    element("button", { onclick: () => frame.classList.toggle("dark") }, "dark"),
    element("span.dim", {}, "Scripts, forms and remote content are off.")), element("p"), frame);
}

const source = (v, pane) => pane.append(copyButton(v.m.html), element("p"), element("pre", {}, v.m.html));
const text = (v, pane) => pane.append(element("pre", {}, v.m.text || "(no text)"));

function headers(v, pane) {
  pane.append(element("table.grid", {}, v.m.headers.map(([name, rawValue, value]) => element("tr", {},
    element("th", {}, name), element("td", {}, value, value !== rawValue ? element("div.dim", {}, rawValue) : null)))));
}

async function raw(v, pane) {
  const octets = new Uint8Array(await (await fetch(v.path("/raw"))).arrayBuffer());
  const flags = v.m.flags, box = element("div");
  const words = [["bare LF", flags.bareLf], ["bare CR", flags.bareCr], ["NUL", flags.nul],
    ["8-bit octets", flags.eightBit], ["longest line", flags.longestLine]];
  const plain = () => box.replaceChildren(element("pre", {}, new TextDecoder().decode(octets)));
  pane.append(element("div.flow", {},
    element("button", { onclick: plain }, "text"),
    element("button", { onclick: () => box.replaceChildren(wire(octets)) }, "wire"),
    words.map(([name, n]) => element("span", { class: n && name !== "longest line" && name !== "8-bit octets" ? "bad" : "dim" },
      `${name}: ${n}`))), element("p"), box);
  plain();
}

// Line ends are shown, and what should not be there is marked.
function wire(octets) {
  const out = element("pre"), decoder = new TextDecoder("latin1");
  let start = 0, column = 0;
  const flush = (end) => { if (end > start) out.append(decoder.decode(octets.subarray(start, end))); };
  const mark = (at, label, then) => { flush(at); out.append(element("span.mark", {}, label), then || ""); start = at + 1; };
  for (let i = 0; i < Math.min(octets.length, 200000); i++) {
    const c = octets[i];
    if (c === 13 && octets[i + 1] === 10) { flush(i); out.append(element("span.dim", {}, "␍␊"), "\n"); start = i + 2; i++; column = 0; continue; }
    if (c === 10) { mark(i, "LF", "\n"); column = 0; continue; }
    if (c === 13) { mark(i, "CR"); continue; }
    if (c === 0) { mark(i, "NUL"); continue; }
    if (c > 127) { mark(i, c.toString(16).toUpperCase()); }
    if (++column === 999) { flush(i); start = i; out.append(element("span.mark", {}, "998")); }
  }
  flush(Math.min(octets.length, 200000));
  if (octets.length > 200000) out.append(element("span.dim", {}, "\n… the rest is in the download"));
  return out;
}

function parts(v, pane) {
  pane.append(element("table.grid", {}, element("tr", {}, ["Part", "Type", "Name", "Encoding", "Size", ""].map((h) => element("th", {}, h))),
    v.m.parts.map((p) => element("tr", {},
      element("td", {}, `${"  ".repeat(p.depth)}${p.id}`), element("td", {}, p.type, p.charset ? `; ${p.charset}` : ""),
      element("td", {}, p.name), element("td", {}, p.encoding), element("td", {}, p.size ? sizeText(p.size) : ""),
      element("td", {}, p.size ? element("a", { href: v.path(`/parts/${encodeURIComponent(p.id)}`), download: p.name || `part-${p.id}` }, "download") : "")))));
}

function found(v, pane) {
  const { codes, links } = v.m;
  pane.append(element("div.cards", {},
    codes.found ? element("div.card", {}, element("div.flow", {}, element("span.big", {}, codes.code), copyButton(codes.code)),
      element("div.dim", {}, `confidence ${codes.candidates[0].confidence.toFixed(2)}, in the ${codes.candidates[0].source}: ${codes.candidates[0].context}`))
      : element("p.dim", {}, "No one-time code in this message."),
    codes.candidates.slice(codes.found ? 1 : 0).map((c) => element("div.card.dim", {}, element("code", {}, c.code), ` ${c.confidence.toFixed(2)} ${c.context}`)),
    links.links.map((l) => element("div.card", {}, element("div.flow", {},
      element("span.tag", {}, l.kind), element("span", {}, l.text), copyButton(l.url)), element("code", {}, l.url)))));
}

async function checks(v, pane) {
  const leaks = await get(v.path("/leaks"));
  pane.append(element("h3", {}, "Left-over template variables"),
    leaks.length ? element("table.grid", {}, leaks.map((l) => element("tr", {}, element("td.bad", {}, l.what), element("td", {}, l.where), element("td.dim", {}, l.context))))
      : element("p.good", {}, "none"));
}

export function dialogue(session) {
  const start = new Date(session.opened).getTime();
  return element("pre", {}, session.lines.map((l) => {
    const refused = l.from === "server" && /^[45]\d\d /.test(l.text);
    return element(`div.line.${l.from}${refused ? ".refused" : ""}`, {}, element("span.at", {}, `${l.at - start} ms`),
      element("span.dim", {}, l.from === "server" ? "S:" : "C:"), element("span.text", {}, l.text));
  }));
}

async function transcript(v, pane) {
  if (!v.m.session) return pane.append(element("p.dim", {}, "It came through no session."));
  const s = await get(`${own}/sessions/${v.m.session}`);
  pane.append(element("p", {}, `${s.client} as ${s.helo || "nobody"}, ${s.tls ? `${s.tls} ${s.cipher}` : "in clear"}${s.account ? `, logged in as ${s.account}` : ""}`), dialogue(s));
}

function snippets(v, pane) {
  const to = v.m.envelope.to[0] || "you@example.test", at = location.origin + root;
  const search = `to:${to} subject:"${v.m.subject.replace(/"/g, "")}"`;
  const query = new URLSearchParams({ search, timeout: "10s" });
  const all = {
    curl: `curl -fsS '${at}/api/godwit/v1/wait?${query}' | jq -r .code`,
    node: `const answer = await fetch("${at}/api/godwit/v1/wait?" + new URLSearchParams({\n  search: ${JSON.stringify(search)}, timeout: "10s" }));\nassert.equal(answer.status, 200);\nconst { message, code, links } = await answer.json();`,
    pytest: `answer = requests.get("${at}/api/godwit/v1/wait",\n                      params={"search": ${JSON.stringify(search)}, "timeout": "10s"})\nassert answer.status_code == 200, answer.text\ncode = answer.json()["code"]`,
  };
  for (const [name, body] of Object.entries(all))
    pane.append(element("h3", {}, name, " ", copyButton(body)), element("pre", {}, body));
}

const TABS = [
  ["HTML", html], ["Source", source], ["Text", text], ["Headers", headers], ["Raw", raw],
  ["Parts", parts], ["Codes & links", found], ["Checks", checks], ["Auth", auth], ["Transcript", transcript],
  ["Copy as test", snippets],
];
