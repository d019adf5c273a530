// Which view it is, the keys, and what happens meanwhile.
import { ask, element, get, own, toast } from "./base.js";
import { FaultList } from "./faults.js";
import { MessageList } from "./list.js";
import { MessageView } from "./message.js";
import { SessionList, SessionView } from "./sessions.js";
import { WebhookList } from "./webhooks.js";

const view = document.getElementById("view");
const query = document.getElementById("query");
const count = document.getElementById("count");
const rail = document.getElementById("rail");
const state = { search: "", inbox: "", here: 0, scroll: 0, label: "", inboxes: [], total: 0, unread: 0 };
let current;

function showCount(answer) {
  count.textContent = `${answer.unread} unread of ${answer.count}`;
  if (!state.search && !state.inbox) {
    state.total = answer.count;
    state.unread = answer.unread;
    showTitle();
  }
  drawRail();
}

function showTitle() {
  const name = state.label ? `godwit: ${state.label}` : "godwit";
  document.title = state.unread ? `(${state.unread}) ${name}` : name;
}

async function loadLabel() {
  state.label = (await get(`${own}/info`)).label;
  if (state.label) document.querySelector(".brand").append(element("span.label", {}, state.label));
  showTitle();
}

function drawRail() {
  const link = (hash, label, number, active) => element("a", { href: hash, "aria-current": active ? "page" : undefined },
    element("span", {}, label), element("span.number", {}, number || ""));
  const at = location.hash || "#/";
  rail.replaceChildren(
    link("#/", "Messages", state.unread, at === "#/" && !state.inbox),
    link("#/sessions", "Sessions", "", at === "#/sessions"),
    link("#/refused", "Refused & broken off", "", at === "#/refused"),
    link("#/faults", "Faults", "", at === "#/faults"),
    link("#/webhooks", "Webhooks", "", at === "#/webhooks"),
    element("h2", {}, "Inboxes"),
    ...state.inboxes.map((i) => link(`#/inbox/${encodeURIComponent(i.id)}`, i.name || i.address, i.unread, at === `#/inbox/${encodeURIComponent(i.id)}`)),
    element("button", { onclick: makeInbox }, "New inbox"));
}

async function makeInbox() {
  const made = await ask("POST", `${own}/inboxes`, {});
  toast(made.address);
  await loadInboxes();
  location.hash = `#/inbox/${encodeURIComponent(made.id)}`;
}

async function loadInboxes() {
  state.inboxes = (await get(`${own}/inboxes`)).inboxes;
  drawRail();
}

function openList() {
  current = new MessageList(view, { search: state.search, inbox: state.inbox, here: state.here, onCount: showCount });
  view.scrollTop = state.scroll;
}

function route() {
  const [, name = "", argument = ""] = (location.hash || "#/").split("/");
  if (current instanceof MessageList) {
    state.here = current.here;
    state.scroll = view.scrollTop;
  }
  if (current) current.close();
  rail.classList.remove("open");
  const id = decodeURIComponent(argument);
  if (name === "message") current = new MessageView(view, id);
  else if (name === "sessions" || name === "refused") current = new SessionList(view, name === "refused");
  else if (name === "faults") current = new FaultList(view);
  else if (name === "webhooks") current = new WebhookList(view);
  else if (name === "session") current = new SessionView(view, id);
  else {
    const inbox = name === "inbox" ? id : "";
    if (inbox !== state.inbox) { state.here = 0; state.scroll = 0; }
    state.inbox = inbox;
    openList();
  }
  drawRail();
}

// ---- what happens meanwhile ----

let reloadTimer;
function soon() {
  if (reloadTimer) return;
  reloadTimer = setTimeout(() => {
    reloadTimer = undefined;
    if (current && current.reload) current.reload();
    loadInboxes().catch(() => {});
  }, 150);
}

function listen() {
  const events = new EventSource(`${own}/events`);
  events.addEventListener("message", (event) => {
    let m;
    try { m = JSON.parse(event.data); } catch { return; }
    toast(`${m.from ? m.from.name || m.from.address : ""}: ${m.subject || "(no subject)"}`);
    soon();
  });
  for (const name of ["updated", "deleted", "emptied", "refused", "fault", "rules", "webhooks"]) events.addEventListener(name, soon);
  events.addEventListener("open", soon);
}

// ---- keys ----

const KEYS = [["j / k", "next, previous"], ["Enter", "open"], ["u / Esc", "back"], ["/", "search"],
  ["x", "select"], ["#", "delete"], ["r", "release"], ["[ / ]", "previous, next tab"], ["?", "these keys"]];

function showKeys() {
  const dialog = document.getElementById("keys");
  dialog.replaceChildren(element("table.grid", {}, KEYS.map(([key, what]) =>
    element("tr", {}, element("td", {}, key.split(" / ").map((k) => [element("kbd", {}, k), " "])), element("td", {}, what)))),
  element("form", { method: "dialog" }, element("button", {}, "Close")));
  dialog.showModal();
}

const isList = () => current instanceof MessageList;
const ON = {
  j: () => isList() && current.move(1),
  k: () => isList() && current.move(-1),
  Enter: () => isList() && current.open(),
  u: () => { if (!isList()) location.hash = state.inbox ? `#/inbox/${encodeURIComponent(state.inbox)}` : "#/"; },
  Escape: () => ON.u(),
  "/": () => { query.focus(); query.select(); },
  x: () => isList() && current.current() && current.pick(current.current().id),
  "#": () => {
    if (current instanceof MessageView) current.remove();
    else if (isList() && (current.picked.size || current.current())) {
      if (!current.picked.size) current.pick(current.current().id);
      current.remove();
    }
  },
  r: () => current instanceof MessageView && current.release(),
  "[": () => current.step && current.step(-1),
  "]": () => current.step && current.step(1),
  "?": showKeys,
};

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "checkbox";
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.getElementById("keys").open || (event.key === "Enter" && event.target.tagName === "BUTTON")) return;
  if (ON[event.key]) {
    event.preventDefault();
    ON[event.key]();
  }
});

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  state.search = query.value.trim();
  state.here = state.scroll = 0;
  query.blur();
  if (location.hash && location.hash !== "#/" && !location.hash.startsWith("#/inbox/")) location.hash = "#/";
  else route();
});
document.getElementById("help").addEventListener("click", showKeys);
document.getElementById("menu").addEventListener("click", () => rail.classList.toggle("open"));
document.getElementById("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("theme", next); } catch { /* not kept */ }
});
try {
  const kept = localStorage.getItem("theme");
  if (kept) document.documentElement.dataset.theme = kept;
} catch { /* none kept */ }

window.addEventListener("hashchange", route);
loadLabel().catch(() => {});
route();
listen();
