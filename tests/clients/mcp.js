// The protocol's own client against the address that is given.
const assert = require("node:assert");
const nodemailer = require("nodemailer");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } =
  require("@modelcontextprotocol/sdk/client/streamableHttp.js");

(async () => {
  const [url, port] = process.argv.slice(2);
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", url)));
  assert.equal(client.getServerVersion().name, "godwit");
  await client.ping();
  const names = (await client.listTools()).tools.map((tool) => tool.name);
  for (const name of ["create_inbox", "list_messages", "get_message", "wait_for_message",
    "wait_for_code", "wait_for_link"])
    assert.ok(names.includes(name), name);

  const call = async (name, args) => {
    const result = await client.callTool({ name, arguments: args });
    if (!result.isError)
      assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
    return result;
  };
  const inbox = (await call("create_inbox", { name: "sign-up" })).structuredContent;
  assert.match(inbox.address, /@/);

  const smtp = nodemailer.createTransport({ host: "127.0.0.1", port: Number(port),
    secure: false, ignoreTLS: true });
  const waiting = call("wait_for_code", { inbox: inbox.address, timeout_seconds: 20 });
  await smtp.sendMail({ from: "shop@a.test", to: inbox.address, subject: "Welcome",
    text: "Glad that you are here." });
  await smtp.sendMail({ from: "shop@a.test", to: inbox.address, subject: "Your code",
    text: "Your verification code is 482913." });
  const code = (await waiting).structuredContent;
  assert.equal(code.code, "482913");
  assert.equal(code.subject, "Your code");

  await smtp.sendMail({ from: "shop@a.test", to: inbox.address, subject: "Confirm",
    html: '<a href="https://shop.test/verify?t=1">Verify your address</a>' });
  const link = (await call("wait_for_link", { inbox: inbox.id, since: code.cursor }))
    .structuredContent;
  assert.equal(link.link, "https://shop.test/verify?t=1");

  const list = (await call("list_messages", { inbox: inbox.id })).structuredContent;
  assert.equal(list.count, 3);
  const message = (await call("get_message", { id: list.messages[0].id, html: true }))
    .structuredContent;
  assert.match(message.html, /Verify your address/);

  const late = await call("wait_for_message", { inbox: inbox.id, subject: "never",
    timeout_seconds: 0 });
  assert.equal(late.isError, true);
  assert.match(late.content[0].text, /no message/);
  await assert.rejects(client.callTool({ name: "no_such_tool", arguments: {} }), /no such tool/);
  await client.close();
  console.log("ok");
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
