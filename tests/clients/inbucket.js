// The published client of Inbucket against the address that is given.
const assert = require("node:assert");
const nodemailer = require("nodemailer");

(async () => {
  const [url, port] = process.argv.slice(2);
  const module_ = require("inbucket-js-client");
  const Client = module_.InbucketAPIClient || module_.default || module_;
  const client = new Client(url);
  const smtp = nodemailer.createTransport({ host: "127.0.0.1", port: Number(port), secure: false,
    ignoreTLS: true });
  await smtp.sendMail({ from: "Ann <ann@a.test>", to: "swaks@b.test", subject: "one",
    text: "text of it", html: "<p>html</p>" });
  await smtp.sendMail({ from: "Ann <ann@a.test>", to: "other@b.test", subject: "two", text: "x" });
  let found = [];
  for (let i = 0; i < 400 && found.length === 0; i++) {
    found = await client.mailbox("swaks");
    await new Promise((later) => setTimeout(later, 10));
  }
  assert.equal(found.length, 1);
  assert.equal(found[0].subject, "one");
  assert.equal(found[0].mailbox, "swaks");
  const mail = await client.message("swaks", found[0].id);
  assert.match(mail.body.text, /text of it/);
  assert.match(mail.body.html, /<p>html/);
  assert.ok(mail.header.Subject[0] === "one");
  // The client's own messageSource() takes the source for JSON.
  const source = await fetch(`${url}/api/v1/mailbox/swaks/${found[0].id}/source`);
  assert.match(await source.text(), /Subject: one/);
  await client.deleteMessage("swaks", found[0].id);
  assert.equal((await client.mailbox("swaks")).length, 0);
  await client.purgeMailbox("other");
  assert.equal((await client.mailbox("other")).length, 0);
  console.log("ok");
})().catch((error) => { console.error(error); process.exit(1); });
