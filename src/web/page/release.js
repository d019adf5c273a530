// A message goes out after all: to whom, and what became of that.
import { ask, element, get, own, toast } from "./base.js";

// Patterns of who may get it; none: nothing is released.
export async function allowed() {
  try { return (await get(`${own}/info`)).releaseTo; } catch { return []; }
}

export async function openRelease(id, recipients) {
  const patterns = await allowed();
  const dialog = document.getElementById("keys");
  const to = element("input", { size: 50, value: recipients.join(", "), "aria-label": "Recipients" });
  const why = element("p.warn", { role: "alert" });
  const release = async (event) => {
    event.preventDefault();
    try {
      await ask("POST", `${own}/messages/${encodeURIComponent(id)}/release`,
        { to: to.value.split(",").map((a) => a.trim()).filter(Boolean) });
      dialog.close();
      toast("It is in the queue");
    } catch (error) { why.textContent = error.message; }
  };
  const close = element("button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(patterns.length === 0
    ? element("form", { method: "dialog" }, element("p", {}, "Nothing is released: start the sandbox with --relay and --release-to."), close)
    : element("form.flow", { onsubmit: release }, element("h3", {}, "Release to"), to, element("button", {}, "Release"), close,
      element("p.dim", {}, `Allowed: ${patterns.join(", ")}`), why));
  dialog.showModal();
}
