// nodemailer's test account at the address in ETHEREAL_API.
const assert = require("node:assert");
const nodemailer = require("nodemailer");

(async () => {
  const account = await nodemailer.createTestAccount();
  const smtp = nodemailer.createTransport({ ...account.smtp,
    auth: { user: account.user, pass: account.pass }, tls: { rejectUnauthorized: false } });
  const info = await smtp.sendMail({ from: "a@a.test", to: "b@b.test", subject: "s", text: "t" });
  const link = nodemailer.getTestMessageUrl(info);
  assert.ok(link, info.response);
  assert.ok(link.startsWith(process.env.ETHEREAL_API + "/message/"), link);
  const plain = nodemailer.createTransport({ host: account.smtp.host, port: account.smtp.port,
    secure: false, auth: { user: "someone", pass: "else" }, tls: { rejectUnauthorized: false } });
  const other = await plain.sendMail({ from: "a@a.test", to: "b@b.test", subject: "s", text: "t" });
  assert.ok(!nodemailer.getTestMessageUrl(other), other.response);
  console.log(link);
})().catch((error) => { console.error(error); process.exit(1); });
