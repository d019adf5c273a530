// MailSlurp's published client, and a server of this script's own that its webhooks tell.
const assert = require("node:assert");
const http = require("node:http");
const { MailSlurp } = require("mailslurp-client");

const told = [];
let refusals = 1;
const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => { body += part; });
  request.on("end", () => {
    response.statusCode = refusals-- > 0 ? 500 : 200;
    if (response.statusCode === 200) told.push({ headers: request.headers, body: JSON.parse(body) });
    response.end("seen");
  });
});

async function run() {
  const [basePath] = process.argv.slice(2);
  const mailslurp = new MailSlurp({ apiKey: "hooks", basePath });
  const { webhookController } = mailslurp;
  const url = `http://127.0.0.1:${server.address().port}/hook`;
  const inbox = await mailslurp.createInbox();
  const hook = await webhookController.createWebhook({ inboxId: inbox.id, createWebhookOptions: {
    url, name: "mine", eventName: "NEW_EMAIL", basicAuth: { username: "ann", password: "secret" },
    includeHeaders: { headers: [{ name: "X-Mine", value: "yes" }] } } });
  assert.equal(hook.inboxId, inbox.id);
  assert.equal(hook.basicAuth, true);
  assert.equal((await webhookController.getWebhooks({ inboxId: inbox.id })).length, 1);
  assert.equal((await webhookController.getAllWebhooks({})).content[0].id, hook.id);

  await mailslurp.sendEmail(inbox.id, { to: [inbox.emailAddress], subject: "Hooked", body: "text" });
  const results = await webhookController.waitForWebhookResults(
    { webhookId: hook.id, expectedCount: 1, timeout: 20000 });
  assert.equal(results.length, 1);
  assert.equal(results[0].responseStatus, 200);
  assert.equal(results[0].responseBodyExtract, "seen");
  const [{ headers, body }] = told;
  assert.equal(body.subject, "Hooked");
  assert.equal(body.eventName, "NEW_EMAIL");
  assert.equal(body.webhookName, "mine");
  assert.deepEqual(body.to, [inbox.emailAddress]);
  assert.equal((await mailslurp.getEmail(body.emailId)).subject, "Hooked");
  assert.equal(headers["x-mine"], "yes");
  assert.equal(headers["x-event"], "NEW_EMAIL");
  assert.equal(headers.authorization, "Basic " + Buffer.from("ann:secret").toString("base64"));

  const verify = (signature) => webhookController.verifyWebhookSignature(
    { verifyWebhookSignatureOptions: { messageId: headers["x-message-id"], signature } });
  assert.equal((await verify(headers["x-signature"])).isValid, true);
  assert.equal((await verify("no")).isValid, false);

  const page = await webhookController.getWebhookResults({ webhookId: hook.id });
  assert.equal(page.totalElements, 1);
  const again = await webhookController.redriveWebhookResult({ webhookResultId: results[0].id });
  assert.equal(again.success, true);
  await webhookController.waitForWebhookResults({ webhookId: hook.id, expectedCount: 1, timeout: 20000 });
  assert.equal(told[1].body.messageId, body.messageId);
  await assert.rejects(webhookController.waitForWebhookResults(
    { webhookId: hook.id, expectedCount: 5, timeout: 200 }));
  await webhookController.deleteWebhook({ inboxId: inbox.id, webhookId: hook.id });
  await assert.rejects(webhookController.getWebhook({ webhookId: hook.id }));
  console.log("ok");
}

server.listen(0, "127.0.0.1", () => run()
  .catch((error) => { console.error(error); process.exitCode = 1; })
  .finally(() => server.close(() => process.exit())));
