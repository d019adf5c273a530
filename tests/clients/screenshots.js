// Pictures of the page for people: screenshots.js URL FOLDER, of a sandbox that has some mail.
const { chromium } = require("playwright-core");

const [url, out] = process.argv.slice(2);

async function picture(browser, name, options, tab, view) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(view ? `${url}/#/${view}` : url);
  await page.waitForSelector(view ? ".grid" : ".row");
  if (tab) {
    await page.locator(".row", { hasText: "sign-in code" }).first().click();
    await page.getByRole("tab", { name: tab }).click();
    await page.waitForTimeout(300);
  }
  await page.screenshot({ path: `${out}/${name}.png` });
  await context.close();
}

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox"] });
  const wide = { viewport: { width: 1100, height: 640 } };
  const narrow = { viewport: { width: 360, height: 640 } };
  await picture(browser, "list", { ...wide, colorScheme: "light" });
  await picture(browser, "list-dark", { ...wide, colorScheme: "dark" });
  await picture(browser, "message", { ...wide, colorScheme: "light" }, /^HTML$/);
  await picture(browser, "codes", { ...wide, colorScheme: "light" }, /Codes & links/);
  await picture(browser, "auth", { ...wide, colorScheme: "light" }, "Auth");
  await picture(browser, "webhooks", { ...wide, colorScheme: "light" }, "", "webhooks");
  await picture(browser, "transcript", { ...wide, colorScheme: "dark" }, "Transcript");
  await picture(browser, "narrow", { ...narrow, colorScheme: "light" });
  await browser.close();
})();
