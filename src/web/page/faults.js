// Scripted faults: what is in force, how often it was met, and a form for another one.
import { ask, element, get, own, toast } from "./base.js";

const STEPS = ["rcpt", "data", "mail", "helo", "login", "connect"];

export class FaultList {
  constructor(view) {
    this.view = view;
    this.load();
  }

  close() { this.isClosed = true; }

  reload() { this.load(); }

  async load() {
    const { faults } = await get(`${own}/faults`);
    if (this.isClosed) return;
    // Somebody may be writing in the form.
    if (!this.table) {
      this.table = element("div");
      this.view.replaceChildren(element("div.pane", {}, this.table, this.form()));
    }
    this.table.replaceChildren(faults.length === 0
      ? element("p.dim", {}, "No fault is scripted: everything is taken.")
      : element("table.grid", {},
        element("tr", {}, ["Step", "For", "How often", "Then", "Met", ""].map((h) => element("th", {}, h))),
        faults.map((f) => this.row(f))));
  }

  row(f) {
    const often = [f.skip ? `after ${f.skip}` : "", f.times ? `${f.times}×` : "always",
      f.percent !== undefined && f.percent < 100 ? `${f.percent} %` : ""].filter(Boolean).join(", ");
    return element("tr", {}, element("td", {}, f.step),
      element("td", {}, Object.entries(f.when || {}).map(([name, value]) => `${name} ${value}`).join(", ") || "everybody"),
      element("td", {}, often), element("td", {}, element("code", {}, JSON.stringify(f.then))),
      element("td", { class: f.hits ? "warn" : "dim" }, String(f.hits)),
      element("td", {}, element("button.danger", { onclick: () => this.remove(f.id) }, "Delete")));
  }

  async remove(id) {
    await ask("DELETE", `${own}/faults/${encodeURIComponent(id)}`);
    this.load();
  }

  form() {
    const field = (label, input) => element("label", {}, `${label} `, input);
    const step = element("select", { "aria-label": "Step" }, STEPS.map((s) => element("option", {}, s)));
    const recipient = element("input", { placeholder: "*@example.test" });
    const reply = element("input", { placeholder: "451 4.7.1 Try again later", size: 30 });
    const times = element("input", { type: "number", min: 0, placeholder: "always", size: 6 });
    const delay = element("input", { type: "number", min: 0, placeholder: "ms", size: 6 });
    const cut = element("input", { type: "number", min: 0, placeholder: "octets", size: 6 });
    const drop = element("input", { type: "checkbox" });
    const add = async (event) => {
      event.preventDefault();
      const rule = { step: step.value, when: {}, then: {} };
      if (recipient.value) rule.when.recipient = recipient.value;
      if (times.value) rule.times = Number(times.value);
      if (reply.value) rule.then.reply = reply.value;
      if (delay.value) rule.then.delay_ms = Number(delay.value);
      if (cut.value) rule.then.cut_after = Number(cut.value);
      if (drop.checked) rule.then.drop = true;
      try { await ask("POST", `${own}/faults`, rule); } catch (error) { toast(error.message); return; }
      this.load();
    };
    return element("form.flow", { onsubmit: add }, element("h3", {}, "Another one"), field("At", step), field("for", recipient),
      field("reply", reply), field("times", times), field("delay", delay), field("cut after", cut), field("drop", drop), element("button", {}, "Add"));
  }
}
