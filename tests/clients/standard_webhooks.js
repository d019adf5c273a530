// The published library of "Standard Webhooks" checks what a webhook of ours is sent.
const assert = require("node:assert");
const http = require("node:http");
const { Webhook } = require("standardwebhooks");

const [url] = process.argv.slice(2);
let hook;

const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => { body += part; });
  request.on("end", () => {
    response.end();
    try {
      const library = new Webhook(hook.secret);
      const told = library.verify(body, request.headers);
      assert.equal(told.type, "test");
      assert.throws(() => library.verify(body + " ", request.headers));
      assert.throws(() => new Webhook("whsec_" + Buffer.alloc(32).toString("base64")).verify(body, request.headers));
      console.log("ok");
    } catch (error) { console.error(error); process.exitCode = 1; }
    server.close(() => process.exit());
  });
});

async function ask(path, body) {
  const answer = await fetch(`${url}/api/godwit/v1${path}`, { method: "POST", body: JSON.stringify(body) });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

server.listen(0, "127.0.0.1", async () => {
  hook = await ask("/webhooks", { url: `http://127.0.0.1:${server.address().port}/` });
  await ask(`/webhooks/${hook.id}/test`);
});
