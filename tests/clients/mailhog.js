// The published client of MailHog against the address that is given.
const assert = require("node:assert");
const nodemailer = require("nodemailer");

(async () => {
  const [url, port] = process.argv.slice(2);
  const at = new URL(url);
  const mailhog = require("mailhog")({ host: at.hostname, port: Number(at.port) });
  const smtp = nodemailer.createTransport({ host: "127.0.0.1", port: Number(port), secure: false,
    ignoreTLS: true });
  await mailhog.deleteAll();
  await smtp.sendMail({ from: "Ann <ann@a.test>", to: "b@b.test", subject: "Grüße",
    text: "Ein Text mit Umlauten: äöü", html: "<p>äöü</p>",
    attachments: [{ filename: "a.txt", content: "file content" }] });
  let found;
  for (let i = 0; i < 400 && !(found && found.count); i++) {
    found = await mailhog.messages(0, 10);
    await new Promise((later) => setTimeout(later, 10));
  }
  assert.equal(found.count, 1);
  const mail = found.items[0];
  assert.equal(mail.subject, "Grüße");
  assert.equal(mail.from, "Ann <ann@a.test>");
  assert.equal(mail.to, "b@b.test");
  assert.match(mail.text, /Umlauten: äöü/);
  assert.match(mail.html, /<p>äöü<\/p>/);
  assert.equal(mail.attachments.length, 1);
  assert.equal(mail.attachments[0].name, "a.txt");
  assert.equal((await mailhog.search("ann@a.test", "from")).count, 1);
  assert.equal((await mailhog.search("nobody@a.test", "from")).count, 0);
  assert.equal((await mailhog.latestTo("b@b.test")).ID, mail.ID);
  assert.equal((await mailhog.latestContaining("Umlauten")).ID, mail.ID);
  await mailhog.deleteMessage(mail.ID);
  assert.equal((await mailhog.messages()).count, 0);
  console.log("ok");
})().catch((error) => { console.error(error); process.exit(1); });
