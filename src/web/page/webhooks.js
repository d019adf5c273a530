// Webhooks: who is told, a form for another one, and the log of what was told, with redrive.
import { ask, element, get, own, timeText, toast } from "./base.js";

const EVENTS = ["message.received", "message.updated", "message.deleted", "message.bounced", "session.refused"];
const STATES = ["", "waiting", "delivered", "dead", "passed over"];

export class WebhookList {
  constructor(view) {
    this.view = view;
    this.state = "";
    this.load();
  }

  close() { this.isClosed = true; }

  reload() { this.load(); }

  async load() {
    const [{ webhooks }, { deliveries }] = await Promise.all([get(`${own}/webhooks`),
      get(`${own}/deliveries?state=${encodeURIComponent(this.state)}`)]);
    if (this.isClosed) return;
    // Somebody may be writing in the form.
    if (!this.hooks) {
      this.hooks = element("div");
      this.log = element("div");
      this.view.replaceChildren(element("div.pane", {}, this.hooks, this.form(), element("h3", {}, "What they were told"),
        this.filter(), this.log));
    }
    this.names = new Map(webhooks.map((h) => [h.id, h.name || h.url]));
    this.hooks.replaceChildren(webhooks.length === 0
      ? element("p.dim", {}, "Nobody is told of anything.")
      : element("table.grid", {},
        element("tr", {}, ["Name", "URL", "Told of", ""].map((h) => element("th", {}, h))),
        webhooks.map((h) => this.hook(h))));
    this.log.replaceChildren(deliveries.length === 0
      ? element("p.dim", {}, "Nothing yet.")
      : element("table.grid", {},
        element("tr", {}, ["When", "Webhook", "What", "State", "Tries", ""].map((h) => element("th", {}, h))),
        deliveries.map((d) => this.delivery(d))));
  }

  hook(h) {
    const id = encodeURIComponent(h.id);
    return element("tr", {}, element("td", {}, h.name || "", h.inbox ? ` (inbox ${h.inbox})` : ""), element("td", {}, h.url),
      element("td", {}, h.events.join(", ")), element("td", {},
        element("button", { onclick: () => this.run("POST", `/webhooks/${id}/test`) }, "Test"), " ",
        element("button", { onclick: () => this.run("PATCH", `/webhooks/${id}`, { paused: !h.paused }) }, h.paused ? "Go on" : "Pause"), " ",
        element("button", { onclick: () => this.run("POST", `/webhooks/${id}/redrive`) }, "Redrive the dead"), " ",
        element("button.danger", { onclick: () => this.run("DELETE", `/webhooks/${id}`) }, "Delete")));
  }

  delivery(d) {
    const kind = d.state === "dead" ? "warn" : d.state === "delivered" ? "" : "dim";
    const isOver = d.state === "dead" || d.state === "delivered";
    return element("tr", {}, element("td", {}, timeText(d.created)), element("td", {}, this.names.get(d.webhook) || d.webhook),
      element("td", {}, d.event), element("td", { class: kind }, d.state), element("td", {}, String(d.tries)),
      element("td", {}, element("button", { onclick: () => this.show(d.id) }, "Show"), " ",
        isOver && element("button", { onclick: () => this.run("POST", `/deliveries/${encodeURIComponent(d.id)}/redrive`) }, "Redrive")));
  }

  async run(method, path, body) {
    try { await ask(method, own + path, body); } catch (error) { toast(error.message); }
    this.load();
  }

  // What was sent, and how each attempt went.
  async show(id) {
    let d;
    try { d = await get(`${own}/deliveries/${encodeURIComponent(id)}`); } catch (error) { toast(error.message); return; }
    const dialog = document.getElementById("keys");
    dialog.replaceChildren(element("table.grid", {},
      element("tr", {}, ["At", "ms", "Status", "Answer"].map((h) => element("th", {}, h))),
      d.attempts.map((a) => element("tr", {}, element("td", {}, a.at), element("td", {}, String(a.ms)),
        element("td", {}, a.status ? String(a.status) : ""), element("td", {}, a.trouble || a.answer)))),
    element("pre", {}, d.body || ""),
    element("form", { method: "dialog" }, element("button", {}, "Close")));
    dialog.showModal();
  }

  filter() {
    const state = element("select", { "aria-label": "State", onchange: () => { this.state = state.value; this.load(); } },
      STATES.map((s) => element("option", { value: s }, s || "all")));
    return state;
  }

  form() {
    const field = (label, input) => element("label", {}, `${label} `, input);
    const url = element("input", { type: "url", required: true, placeholder: "http://127.0.0.1:4000/hook", size: 30 });
    const name = element("input", { placeholder: "name" });
    const event = element("select", { "aria-label": "Event" }, EVENTS.map((e) => element("option", {}, e)));
    const add = async (submitted) => {
      submitted.preventDefault();
      const wish = { url: url.value, events: [event.value] };
      if (name.value) wish.name = name.value;
      await this.run("POST", "/webhooks", wish);
    };
    return element("form.flow", { onsubmit: add }, element("h3", {}, "Another one"), field("URL", url), field("name", name),
      field("told of", event), element("button", {}, "Add"));
  }
}
