// The published client of Mailpit against the address that is given.
const assert = require("node:assert");
const { MailpitClient } = require("mailpit-api");
const nodemailer = require("nodemailer");

(async () => {
  const [url, port] = process.argv.slice(2);
  const client = new MailpitClient(url);
  const smtp = nodemailer.createTransport({ host: "127.0.0.1", port: Number(port), secure: false,
    auth: { user: "someone", pass: "anything" }, tls: { rejectUnauthorized: false } });
  await client.deleteMessages();
  const sent = await smtp.sendMail({ from: "Ann Ä <ann@a.test>", to: ["b@b.test", "c@c.test"],
    bcc: "hidden@d.test", subject: "Grüße", text: "one two three",
    html: "<p>one <b>two</b> three</p>",
    attachments: [{ filename: "a.txt", content: "file content" }] });
  const id = /queued as (\S+)/.exec(sent.response)[1];
  const found = await client.waitForMessages({ query: 'subject:"Grüße"' }, { timeout: 10000 });
  assert.equal(found.messages_count, 1);
  assert.equal(found.messages[0].ID, id);
  const message = await client.getMessageSummary(id);
  assert.equal(message.Subject, "Grüße");
  assert.deepEqual(message.From, { Name: "Ann Ä", Address: "ann@a.test" });
  assert.deepEqual(message.To.map((a) => a.Address), ["b@b.test", "c@c.test"]);
  assert.deepEqual(message.Bcc.map((a) => a.Address), ["hidden@d.test"]);
  assert.equal(message.Username, "someone");
  assert.match(message.Text, /one two three/);
  assert.match(message.HTML, /<b>two<\/b>/);
  assert.equal(message.Attachments.length, 1);
  const file = message.Attachments[0];
  assert.equal(file.FileName, "a.txt");
  assert.equal(file.Size, 12);
  const blob = await client.getMessageAttachment(id, file.PartID);
  const octets = typeof blob.text === "function" ? await blob.text() : Buffer.from(blob.data || blob).toString();
  assert.equal(octets, "file content");
  assert.equal((await client.listMessages()).unread, 0, "reading marks as read");
  assert.ok((await client.getMessageHeaders(id)).Subject[0] === "Grüße");
  assert.match(await client.getMessageSource(id), /^From: /m);
  assert.match(await client.renderMessageHTML(id), /<b>two<\/b>/);
  assert.match(await client.renderMessageText(), /one two three/);

  const made = await client.sendMessage({ From: { Email: "api@a.test", Name: "Api" },
    To: [{ Email: "x@x.test", Name: "X" }], Subject: "by HTTP", Text: "text", HTML: "<i>html</i>",
    Attachments: [{ Content: Buffer.from("abc").toString("base64"), Filename: "b.bin",
      ContentType: "application/x-thing" }] });
  const second = await client.waitForMessages({ query: "by HTTP" }, { timeout: 10000 });
  assert.equal(second.messages[0].ID, made.ID);
  await assert.rejects(client.sendMessage({ From: { Email: "a@a.test" }, To: [{ Email: "b@b.test" }],
    Subject: "x\r\nBcc: evil@e.test", Text: "" }));

  await client.setTags({ IDs: [id], Tags: ["red", "blue"] });
  assert.deepEqual(await client.getTags(), ["blue", "red"]);
  await client.renameTag("red", "green");
  assert.equal((await client.searchMessages({ query: "tag:green" })).messages_count, 1);
  await client.deleteTag("blue");
  assert.deepEqual(await client.getTags(), ["green"]);
  await client.setReadStatus({ IDs: [id], Read: false });
  assert.equal((await client.searchMessages({ query: "is:unread tag:green" })).messages_count, 1);
  await client.setReadStatus({ Search: "tag:green", Read: true });
  assert.equal((await client.searchMessages({ query: "is:unread tag:green" })).messages_count, 0);

  const info = await client.getInfo();
  assert.equal(info.Messages, 2);
  assert.ok(info.RuntimeStats.SMTPAccepted >= 2);
  await client.getConfiguration();
  await client.deleteMessagesBySearch({ query: "subject:by" });
  assert.equal((await client.listMessages()).total, 1);
  await client.deleteMessages({ IDs: [id] });
  assert.equal((await client.listMessages()).total, 0);
  console.log("ok");
})().catch((error) => { console.error(error); process.exit(1); });
