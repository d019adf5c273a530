// The page in a browser: what people do, by keys alone; and mail that wants to run there.
const assert = require("node:assert");
const { chromium } = require("playwright-core");

const [url, port, mode, out] = process.argv.slice(2);

// The page's policy allows no eval(), which waitForFunction() needs.
async function until(page, condition, argument) {
  const end = Date.now() + 30000;
  while (!(await page.evaluate(condition, argument))) {
    if (Date.now() > end) throw new Error(`waited in vain for ${condition}`);
    await new Promise((later) => setTimeout(later, 20));
  }
}

async function flows(page) {
  await page.goto(url);
  await page.waitForSelector(".row");
  const total = await page.evaluate(() => document.querySelector("#count").textContent);
  assert.match(total, /of \d+/);
  await until(page, () => document.querySelector(".brand .label"));
  assert.equal(await page.locator(".brand .label").textContent(), "<b>checkout");
  assert.match(await page.title(), /godwit: <b>checkout$/);
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  assert.equal(await page.locator(".row.here").count(), 1);
  await page.keyboard.press("x");
  assert.equal(await page.locator(".row.picked").count(), 1);
  await page.keyboard.press("x");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[role=tab]");
  assert.match(await page.locator("h1").textContent(), /sign-in code/);
  const tabs = await page.locator("[role=tab]").count();
  for (let i = 0; i < tabs; i++) {
    await until(page, () => document.querySelector(".pane > div").childNodes.length > 0);
    if (out) await page.screenshot({ path: `${out}/tab-${i}.png` });
    await page.keyboard.press("]");
  }
  await page.getByRole("tab", { name: /Codes & links/ }).click();
  assert.equal(await page.locator(".big").textContent(), "482913");
  await page.getByRole("tab", { name: "Auth" }).click();
  await page.waitForSelector(".cards .card");
  assert.match(await page.locator(".pane").textContent(), /SPF.*DKIM.*Lint: \d+ of 100/s);
  await page.fill("input[aria-label=Client]", "nobody");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".pane p.bad");
  await page.fill("input[aria-label=Client]", "192.0.2.7");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".cards .card");
  if (out) await page.screenshot({ path: `${out}/auth.png` });
  await page.getByRole("tab", { name: "Transcript" }).click();
  await page.waitForSelector(".line");
  assert.ok(await page.locator(".line.client").count() > 3);
  await page.keyboard.press("u");
  await page.waitForSelector(".row");
  await page.keyboard.press("/");
  await page.keyboard.type("subject:sign-in");
  await page.keyboard.press("Enter");
  await until(page, () => document.querySelectorAll(".row").length === 1);
  await page.keyboard.press("/");
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.press("Enter");
  await until(page, () => document.querySelectorAll(".row").length > 10);
  await page.keyboard.press("?");
  assert.ok(await page.locator("dialog[open]").isVisible());
  await page.keyboard.press("Escape");
  await page.keyboard.press("x");
  await page.keyboard.press("#");
  await until(page, (was) => document.querySelector("#count").textContent !== was, total);
  await page.goto(url + "/#/refused");
  await page.waitForSelector("table.grid, .empty");
  await page.goto(url + "/#/faults");
  await page.waitForSelector("form input[placeholder^='451']");
  await page.fill("form input[placeholder^='451']", "550 5.1.1 No");
  await page.getByRole("button", { name: "Add" }).click();
  await page.waitForSelector("table.grid button.danger");
  if (out) await page.screenshot({ path: `${out}/faults.png` });
  await page.locator("table.grid button.danger").click();
  await until(page, () => document.querySelectorAll("table.grid button.danger").length === 0);
  await page.setViewportSize({ width: 360, height: 640 });
  await page.goto(url + "/#/");
  await page.waitForSelector(".row");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 360, `${wide} px wide`);
  if (out) await page.screenshot({ path: `${out}/narrow.png` });
}

// One that is told, one that nobody answers: a dead letter, shown and tried again.
async function webhooks(page) {
  await page.goto(url + "/#/webhooks");
  await page.waitForSelector("form input[type=url]");
  await page.fill("form input[type=url]", "http://127.0.0.1:1/<b>x");
  await page.fill("form input[placeholder=name]", "<img src=x>");
  await page.getByRole("button", { name: "Add" }).click();
  await page.waitForSelector("table.grid button.danger");
  assert.match(await page.locator("table.grid").first().textContent(), /<img src=x>/);
  await page.getByRole("button", { name: "Test" }).click();
  await until(page, () => /waiting|dead/.test(document.querySelectorAll("#view table.grid")[1]?.textContent || ""));
  await page.getByRole("button", { name: "Show" }).click();
  assert.match(await page.locator("dialog[open]").textContent(), /a test of this webhook/);
  if (out) await page.screenshot({ path: `${out}/webhooks.png` });
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Go on" }).waitFor();
  await page.selectOption("select[aria-label=State]", "delivered");
  await until(page, () => document.querySelectorAll("#view table.grid").length === 1);
  await page.locator("table.grid button.danger").click();
  await until(page, () => document.querySelectorAll("#view table.grid").length === 0);
}

// A message goes out, by key, to one who is allowed and to nobody else.
async function release(page) {
  await page.goto(url);
  await page.waitForSelector(".row");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Release" }).first().waitFor();
  await page.keyboard.press("r");
  const to = page.locator("dialog[open] input");
  await to.waitFor();
  if (out) await page.screenshot({ path: `${out}/release.png` });
  await to.fill("else@where.test");
  await page.keyboard.press("Enter");
  await until(page, () => /release-to/.test(document.querySelector("dialog[open] .warn").textContent));
  await to.fill("a@team.test, b@team.test");
  await page.keyboard.press("Enter");
  await until(page, () => !document.querySelector("dialog[open]"));
}

// New mail shows by itself.
async function live(page) {
  await page.goto(url);
  await page.waitForSelector(".row");
  console.log("ready");
  await until(page, () => [...document.querySelectorAll(".subject")].some((s) => s.textContent === "just now"));
}

async function scroll(page) {
  await page.goto(url);
  await page.waitForSelector(".row");
  assert.ok(await page.locator(".row").count() < 80);
  for (const part of [0.2, 0.9, 0.5, 1]) {
    await page.evaluate((p) => { const v = document.getElementById("view"); v.scrollTop = v.scrollHeight * p; }, part);
    await until(page, () => {
      const v = document.getElementById("view"), rows = [...document.querySelectorAll(".row")];
      return rows.some((r) => { const b = r.getBoundingClientRect(); return b.top > 100 && b.bottom < innerHeight; });
    });
    assert.ok(await page.locator(".row").count() < 80);
  }
}

// Every message is opened in every tab; nothing of it runs, and nothing is asked of the network.
async function hostile(page, requests) {
  await page.exposeFunction("ran", (what) => { throw new Error("ran: " + what); });
  await page.goto(url);
  await page.waitForSelector(".row");
  const ids = await page.evaluate(async () =>
    (await (await fetch("/api/godwit/v1/messages?limit=500")).json()).messages.map((m) => m.id));
  assert.ok(ids.length > 10);
  for (const id of ids) {
    await page.goto(`${url}/#/message/${id}`);
    await page.waitForSelector("h1");
    await page.waitForTimeout(60); // as long as a message needs to begin something
    const tabs = await page.locator("[role=tab]").count();
    for (let i = 0; i < tabs; i++) {
      await page.keyboard.press("]");
      await until(page, () => document.querySelector(".pane > div").childNodes.length > 0);
    }
  }
  const probe = await page.evaluate(() => ({ executed: window.executed || 0, title: document.title,
    scripts: [...document.scripts].filter((s) => !s.src).length }));
  assert.equal(probe.executed, 0);
  assert.equal(probe.scripts, 0);
  const foreign = requests.filter((r) => !r.startsWith(url) && !r.startsWith("data:") && !r.startsWith("about:") && !r.startsWith("blob:"));
  assert.deepEqual(foreign, []);
}

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  const context = await browser.newContext({ viewport: { width: 1200, height: 760 }, colorScheme: mode === "dark" ? "dark" : "light" });
  const page = await context.newPage();
  const requests = [], errors = [];
  // What the policy stops never leaves; what leaves is seen here.
  context.on("response", (r) => requests.push(r.url()));
  page.on("pageerror", (e) => errors.push(e.message));
  page.on("dialog", (d) => { if (d.type() === "confirm") d.accept(); else { errors.push("dialog " + d.message()); d.dismiss(); } });
  await ({ flows, dark: flows, live, scroll, hostile, webhooks, release })[mode](page, requests);
  assert.deepEqual(errors, []);
  await browser.close();
  console.log("ok");
})().catch((error) => { console.error(error); process.exit(1); });
