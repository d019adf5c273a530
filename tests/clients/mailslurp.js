// The published client of MailSlurp against the address that is given.
const assert = require("node:assert");
const { MailSlurp } = require("mailslurp-client");

(async () => {
  const [basePath] = process.argv.slice(2);
  const mailslurp = new MailSlurp({ apiKey: "key-" + Math.random(), basePath });
  const other = new MailSlurp({ apiKey: "other-" + Math.random(), basePath });
  const a = await mailslurp.createInbox();
  const b = await mailslurp.createInboxWithOptions({ name: "second", tags: ["x"], expiresIn: 600000 });
  assert.match(a.emailAddress, /@/);
  assert.notEqual(a.id, b.id);
  assert.equal((await mailslurp.getInbox(b.id)).name, "second");
  await assert.rejects(other.getInbox(a.id));
  assert.equal((await mailslurp.getInboxes()).length, 2);
  const all = await mailslurp.getAllInboxes(0, 1);
  assert.equal(all.totalElements, 2);
  assert.equal(all.content.length, 1);

  const waiting = mailslurp.waitForLatestEmail(b.id, 20000, true);
  const sent = await mailslurp.sendEmail(a.id, { to: [b.emailAddress], subject: "Your code",
    body: "<p>Your verification code is <b>482913</b></p><a href='https://x.test/verify?t=1'>Verify</a>",
    isHTML: true });
  assert.ok(sent);
  const email = await waiting;
  assert.equal(email.subject, "Your code");
  assert.equal(email.from, a.emailAddress);
  assert.deepEqual(email.to, [b.emailAddress]);
  assert.ok(email.isHTML);
  assert.match(email.body, /482913/);
  assert.ok(email.createdAt instanceof Date);
  const whole = await mailslurp.getEmail(email.id);
  assert.equal(whole.id, email.id);
  await assert.rejects(other.getEmail(email.id), (e) => typeof e === "object");

  const start = Date.now();
  let failure;
  try { await mailslurp.waitForLatestEmail(a.id, 300, true); } catch (e) { failure = e; }
  assert.ok(failure && Date.now() - start < 15000);
  assert.match(String(failure.message), /Failed to satisfy email query for inbox ID/);

  for (let i = 0; i < 3; i++)
    await mailslurp.sendEmail(b.id, { to: [a.emailAddress], subject: `n${i}`, body: `body ${i}` });
  const three = await mailslurp.waitController.waitForEmailCount({ inboxId: a.id, count: 3, timeout: 20000 });
  assert.equal(three.length, 3);
  const second = await mailslurp.waitForNthEmail(a.id, 1, 20000, false);
  assert.equal(second.subject, "n1");
  const matching = await mailslurp.waitForMatchingEmails(
    { matches: [{ field: "SUBJECT", should: "CONTAIN", value: "n2" }] }, 1, a.id, 20000, false);
  assert.equal(matching.length, 1);
  assert.equal(matching[0].subject, "n2");
  const first = await mailslurp.waitController.waitForMatchingFirstEmail({ inboxId: a.id, timeout: 20000,
    matchOptions: { matches: [{ field: "FROM", should: "EQUAL", value: b.emailAddress }] } });
  assert.ok(first.id);
  const emails = await mailslurp.getEmails(a.id, { minCount: 3, retryTimeout: 10000 });
  assert.equal(emails.length, 3);
  const many = await mailslurp.waitController.waitFor({ waitForConditions: { inboxId: a.id,
    count: 3, timeout: 20000, unreadOnly: false, countType: "ATLEAST" } });
  assert.equal(many.length, 3);
  const lines = await mailslurp.emailController.getEmailTextLines({ emailId: first.id });
  assert.ok(Array.isArray(lines.lines));
  const match = await mailslurp.emailController.getEmailContentMatch({ emailId: email.id,
    contentMatchOptions: { pattern: "code is <b>([0-9]{6})" } });
  assert.equal(match.matches[1], "482913");

  const access = await mailslurp.inboxController.getImapSmtpAccess({ inboxId: a.id });
  assert.ok(access.smtpServerPort > 0);
  await mailslurp.emptyInbox(a.id);
  assert.equal((await mailslurp.getEmails(a.id)).length, 0);
  await mailslurp.deleteEmail(email.id);
  await mailslurp.deleteInbox(b.id);
  await assert.rejects(mailslurp.getInbox(b.id));
  console.log("ok");
})().catch((error) => { console.error(error); process.exit(1); });
