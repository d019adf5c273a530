// The list of messages: only the rows that are seen exist, whatever the number of messages.
import { ask, element, get, own, peopleText, personText, sizeText, timeText, toast } from "./base.js";

const PAGE = 100;

export class MessageList {
  constructor(view, options) {
    this.view = view;
    this.search = options.search || "";
    this.inbox = options.inbox || "";
    this.onCount = options.onCount;
    this.rows = new Map(); // place -> summary
    this.asked = new Set();
    this.picked = new Set();
    this.total = 0;
    this.here = options.here || 0;
    this.tools = element("div.tools");
    this.box = element("div.list", { role: "listbox", "aria-label": "Messages" });
    view.replaceChildren(this.tools, this.box);
    this.onScroll = () => this.draw();
    view.addEventListener("scroll", this.onScroll, { passive: true });
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(view);
    this.drawTools();
    this.load(0);
  }

  close() {
    this.view.removeEventListener("scroll", this.onScroll);
    this.resize.disconnect();
  }

  params(more) {
    const params = new URLSearchParams(more);
    if (this.search) params.set("search", this.search);
    if (this.inbox) params.set("inbox", this.inbox);
    return params;
  }

  async load(page) {
    if (this.asked.has(page)) return;
    this.asked.add(page);
    const generation = this.generation;
    try {
      const answer = await get(`${own}/messages?${this.params({ start: page * PAGE, limit: PAGE })}`);
      if (generation !== this.generation) return;
      if (this.isStale) this.rows.clear();
      this.isStale = false;
      answer.messages.forEach((m, i) => this.rows.set(page * PAGE + i, m));
      this.total = answer.count;
      this.unread = answer.unread;
      this.onCount(answer);
      this.failed = "";
    } catch (error) {
      this.failed = error.message;
    }
    this.draw();
  }

  reload() {
    this.generation = (this.generation || 0) + 1;
    this.asked.clear();
    const first = Math.floor(this.view.scrollTop / this.rowHeight() / PAGE);
    this.isStale = true; // what is shown stays until there is better
    this.load(first);
  }

  rowHeight() {
    return parseInt(getComputedStyle(document.documentElement).getPropertyValue("--row"), 10) || 46;
  }

  drawTools() {
    const many = this.picked.size;
    this.tools.replaceChildren(...[
      element("button", { onclick: () => this.markRead() }, many ? `Mark ${many} read` : "Mark all read"),
      element("button.danger", { onclick: () => this.remove() }, many ? `Delete ${many}` : "Delete all"),
      this.search ? element("span.dim", {}, `Search: ${this.search}`) : null,
      element("span.space"),
      element("span.dim", {}, this.failed ? element("span.bad", {}, this.failed) : `${this.total} messages`),
    ].filter(Boolean));
  }

  draw() {
    const height = this.rowHeight();
    this.box.style.height = `${this.total * height}px`;
    const top = Math.max(0, Math.floor((this.view.scrollTop - 60) / height) - 5);
    const end = Math.min(this.total, top + Math.ceil(this.view.clientHeight / height) + 12);
    const drawn = [];
    for (let place = top; place < end; place++) {
      const m = this.rows.get(place);
      if (m) drawn.push(this.row(m, place, height));
      else this.load(Math.floor(place / PAGE));
    }
    this.box.replaceChildren(...drawn);
    if (this.total === 0 && !this.failed) this.box.replaceChildren(this.nothing());
    this.drawTools();
  }

  nothing() {
    if (this.search || this.inbox) return element("div.empty", {}, "Nothing here.");
    const at = location.hostname;
    return element("div.empty", {},
      element("p", {}, "No mail yet. Send some to this sandbox:"),
      element("pre", {}, `swaks --server ${at}:1025 --to you@example.test`),
      element("p", {}, "Nothing leaves this machine, whomever it is for."));
  }

  row(m, place, height) {
    const row = element("div.row", {
      role: "option", "data-id": m.id, "aria-selected": place === this.here,
      onclick: (event) => this.onClick(event, place),
    },
    element("input", {
      type: "checkbox", "aria-label": "Select", tabindex: -1,
      checked: this.picked.has(m.id), onclick: (event) => { event.stopPropagation(); this.pick(m.id); },
    }),
    element("span.who", { title: personText(m.from) }, m.from ? m.from.name || m.from.address : "(no sender)"),
    element("span.what", {},
      m.tags.map((t) => element("span.tag", {}, t)),
      element("span.subject", {}, m.subject || "(no subject)"), " ",
      element("span.snippet", {}, m.snippet)),
    element("span.side", { title: `to ${peopleText(m.to)}` },
      m.attachments ? `${m.attachments} file${m.attachments > 1 ? "s" : ""} · ` : "", sizeText(m.size), " · ", timeText(m.created)));
    row.style.top = `${place * height}px`;
    row.classList.toggle("unread", !m.read);
    row.classList.toggle("here", place === this.here);
    row.classList.toggle("picked", this.picked.has(m.id));
    return row;
  }

  onClick(event, place) {
    const m = this.rows.get(place);
    if (event.ctrlKey || event.metaKey) return this.pick(m.id);
    if (event.shiftKey) return this.pickTo(place);
    this.here = place;
    location.hash = `#/message/${encodeURIComponent(m.id)}`;
  }

  pick(id) {
    if (!this.picked.delete(id)) this.picked.add(id);
    this.draw();
  }

  pickTo(place) {
    const [from, to] = [Math.min(this.here, place), Math.max(this.here, place)];
    for (let i = from; i <= to; i++) if (this.rows.get(i)) this.picked.add(this.rows.get(i).id);
    this.draw();
  }

  current() { return this.rows.get(this.here); }

  move(step) {
    this.here = Math.max(0, Math.min(this.total - 1, this.here + step));
    const height = this.rowHeight(), top = this.here * height;
    const bar = this.tools.offsetHeight;
    if (top < this.view.scrollTop) this.view.scrollTop = top;
    if (top + height + bar > this.view.scrollTop + this.view.clientHeight)
      this.view.scrollTop = top + height + bar - this.view.clientHeight;
    this.draw();
  }

  open() {
    const m = this.current();
    if (m) location.hash = `#/message/${encodeURIComponent(m.id)}`;
  }

  async markRead() {
    if (this.picked.size)
      await Promise.all([...this.picked].map((id) =>
        ask("PATCH", `${own}/messages/${encodeURIComponent(id)}`, { read: true })));
    else await ask("PUT", own.replace("/api/godwit/v1", "/api/v1/messages"), { Read: true, Search: this.search });
    this.picked.clear();
    this.reload();
  }

  async remove() {
    const many = this.picked.size;
    if (!many && !confirm(this.search ? "Delete all that were found?" : "Delete all messages?")) return;
    if (many)
      await Promise.all([...this.picked].map((id) =>
        ask("DELETE", `${own}/messages/${encodeURIComponent(id)}`)));
    else if (this.search || this.inbox) await ask("DELETE", `${own}/messages?${this.params({})}`);
    else await ask("POST", `${own}/reset`);
    toast(many ? `${many} deleted` : "Deleted");
    this.picked.clear();
    this.reload();
  }
}
