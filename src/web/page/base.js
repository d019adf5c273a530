// What all views stand on: elements without markup, the API, small words.

export const root = document.documentElement.dataset.root || "";
export const own = `${root}/api/godwit/v1`;

// element("a.name", {href: ..}, child, ...): text is text, never markup.
export function element(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || (value === false && !name.startsWith("aria-"))) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
  }
  for (const child of children.flat(9))
    if (child !== undefined && child !== null && child !== false) made.append(child);
  return made;
}

export async function ask(method, path, body) {
  const answer = await fetch(path, {
    method, headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) {
    let why = `${answer.status}`;
    try { why = (await answer.json()).message || why; } catch { /* no words */ }
    throw new Error(why);
  }
  const type = answer.headers.get("Content-Type") || "";
  return type.startsWith("application/json") ? answer.json() : answer.text();
}

export const get = (path) => ask("GET", path);

export function sizeText(octets) {
  if (octets < 1024) return `${octets} B`;
  if (octets < 1024 * 1024) return `${(octets / 1024).toFixed(1)} KB`;
  return `${(octets / 1024 / 1024).toFixed(1)} MB`;
}

export function timeText(iso) {
  const then = new Date(iso), seconds = (Date.now() - then) / 1000;
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return then.toLocaleDateString();
}

export const personText = (p) => (!p ? "" : p.name ? `${p.name} <${p.address}>` : p.address);
export const peopleText = (list) => (list || []).map(personText).join(", ");

let toastTimer;
export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.classList.remove("shown"), 2500);
}

export function copyButton(text, label = "Copy") {
  return element("button", {
    onclick: async (event) => {
      event.stopPropagation();
      try { await navigator.clipboard.writeText(text); } catch { fallbackCopy(text); }
      toast("Copied");
    },
  }, label);
}

// Without a secure context there is no clipboard to write to.
function fallbackCopy(text) {
  const area = element("textarea", { "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
