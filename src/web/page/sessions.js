// Sessions, those that were refused or broken off among them.
import { element, get, own, timeText } from "./base.js";
import { dialogue } from "./message.js";

export class SessionList {
  constructor(view, refused) {
    this.view = view;
    this.refused = refused;
    this.load();
  }

  close() { this.isClosed = true; }

  async load() {
    const { sessions } = await get(`${own}/sessions?limit=200${this.refused ? "&refused=1" : ""}`);
    if (this.isClosed) return;
    this.view.replaceChildren(element("div.pane", {}, sessions.length === 0
      ? element("div.empty", {}, this.refused ? "No session was refused or broken off." : "No session yet.")
      : element("table.grid", {},
        element("tr", {}, ["When", "Client", "HELO", "TLS", "Account", "Refused", ""].map((h) => element("th", {}, h))),
        sessions.map((s) => element("tr", {},
          element("td", {}, element("a", { href: `#/session/${s.id}` }, timeText(s.opened))),
          element("td", {}, s.client), element("td", {}, s.helo), element("td", {}, s.tls || "–"),
          element("td", {}, s.account), element("td", { class: s.refusals ? "bad" : "dim" }, String(s.refusals)),
          element("td", { class: "warn" }, s.aborted ? "broken off" : s.closed ? "" : "open"))))));
  }

  reload() { this.load(); }
}

export class SessionView {
  constructor(view, id) {
    this.view = view;
    this.load(id);
  }

  close() { this.isClosed = true; }

  async load(id) {
    const s = await get(`${own}/sessions/${encodeURIComponent(id)}`);
    if (this.isClosed) return;
    this.view.replaceChildren(element("div.pane", {},
      s.aborted ? element("p.warn", {}, "The client broke it off.") : null,
      element("dl.facts", {}, [["Client", s.client], ["HELO", s.helo], ["TLS", s.tls ? `${s.tls} ${s.cipher}` : "in clear"],
        ["Account", s.account]].filter(([, value]) => value).map(([n, value]) => [element("dt", {}, n), element("dd", {}, value)])),
      element("p", {}, s.messages.map((m) => [element("a", { href: `#/message/${encodeURIComponent(m)}` }, m), " "])),
      dialogue(s)));
  }
}
