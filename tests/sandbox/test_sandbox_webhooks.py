"""Webhooks: told at least once, signed, tried again, dead letters, the log; and where they may go."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import signal
import socket
import threading
import time

import pytest

import box

LONG = "20s"


class Receiver:
    """An HTTP server that keeps what it is told, and answers as it is told to."""

    def __init__(self, host="127.0.0.1"):
        self.requests, self.statuses, self.changed = [], [], threading.Condition()
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.gate.wait(30)
                with receiver.changed:
                    status = receiver.statuses.pop(0) if receiver.statuses else 200
                    receiver.requests.append((self.path, dict(self.headers), body))
                    receiver.changed.notify_all()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/else")
                answer = f"status {status}".encode()
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self.server = Server((host, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def wait(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) >= count, 30), self.requests
            return list(self.requests)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    r = Receiver()
    yield r
    r.close()


@pytest.fixture(scope="module")
def sandbox():
    with box.Sandbox("--egress", "loopback") as s:
        yield s


def hook(sandbox, receiver, key=None, path="/hook", **more):
    return sandbox.own("POST", "/webhooks", {"url": receiver.url + path, "backoff": "10ms", **more}, key=key)


def settled(sandbox, hook_id, key=None, state="delivered", count=1):
    return sandbox.own("GET", f"/webhooks/{hook_id}/wait?state={state}&count={count}&timeout={LONG}", key=key)


def is_signed(headers, body, secret):
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(secret[len("whsec_"):]), text, hashlib.sha256).digest()
    return headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_told_of_a_message(sandbox, receiver, key):
    inbox = sandbox.own("POST", "/inboxes", {}, key=key)
    made = hook(sandbox, receiver, key, inbox=inbox["id"], name="mine", headers={"X-Mine": "yes"})
    assert made["inbox"] == inbox["id"] and made["events"] == ["message.received"] and made["tries"] == 8
    id = sandbox.deliver(box.mail("Your code", "Your code is 482913, see https://app.test/v?t=1"), to=(inbox["address"],))
    path, headers, body = receiver.wait(1)[0]
    told = json.loads(body)
    assert path == "/hook" and headers["X-Mine"] == "yes" and headers["Content-Type"] == "application/json"
    assert told["type"] == "message.received" and told["id"] == headers["webhook-id"] and told["webhook"] == made["id"]
    assert told["data"]["id"] == id and told["data"]["subject"] == "Your code" and told["data"]["code"] == "482913"
    assert [link["url"] for link in told["data"]["links"]["links"]] == ["https://app.test/v?t=1"]
    assert told["data"]["inbox"] == inbox["id"] and told["data"]["created"].endswith("Z")
    assert is_signed(headers, body, made["secret"]) and abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert not is_signed(headers, body + b" ", made["secret"])
    log = settled(sandbox, made["id"], key)["deliveries"]
    assert len(log) == 1 and log[0]["state"] == "delivered" and log[0]["tries"] == 1 and log[0]["message"] == id
    whole = sandbox.own("GET", f"/deliveries/{log[0]['id']}", key=key)
    assert whole["body"].encode() == body and whole["attempts"][0]["status"] == 200
    assert whole["attempts"][0]["answer"] == "status 200"


def test_tried_again_with_the_same_body_until_it_is_taken(sandbox, receiver, key):
    receiver.statuses = [500, 404, 302, 204]
    inbox = sandbox.own("POST", "/inboxes", {}, key=key)
    made = hook(sandbox, receiver, key)
    sandbox.deliver(box.mail("again"), to=(inbox["address"],))
    requests = receiver.wait(4)
    assert settled(sandbox, made["id"], key)["count"] == 1
    assert len({body for _, _, body in requests}) == 1 and len({h["webhook-id"] for _, h, _ in requests}) == 1
    assert {path for path, _, _ in requests} == {"/hook"}, "a redirect is followed"
    one = sandbox.own("GET", f"/webhooks/{made['id']}/deliveries", key=key)["deliveries"][0]
    attempts = sandbox.own("GET", f"/deliveries/{one['id']}", key=key)["attempts"]
    assert [a["status"] for a in attempts] == [500, 404, 302, 204]
    assert [a["at"] for a in attempts] == sorted(a["at"] for a in attempts)


def test_dead_letters_and_their_redrive(sandbox, receiver, key):
    receiver.statuses = [500] * 6
    inbox = sandbox.own("POST", "/inboxes", {}, key=key)
    made = hook(sandbox, receiver, key, tries=3)
    for n in range(2):
        sandbox.deliver(box.mail(f"dead {n}"), to=(inbox["address"],))
    dead = settled(sandbox, made["id"], key, state="dead", count=2)["deliveries"]
    assert {d["state"] for d in dead} == {"dead"} and {d["tries"] for d in dead} == {3}
    assert len(receiver.requests) == 6
    assert sandbox.own("POST", f"/deliveries/{dead[0]['id']}/redrive", key=key) == {"redriven": 1}
    settled(sandbox, made["id"], key, count=1)
    assert sandbox.own("POST", f"/webhooks/{made['id']}/redrive", key=key) == {"redriven": 1}
    settled(sandbox, made["id"], key, count=2)
    assert len(receiver.wait(8)) == 8
    assert sandbox.ask("POST", f"{box.OWN}/deliveries/none/redrive", key=key).status == 404


def test_gone_is_not_tried_again(sandbox, receiver, key):
    receiver.statuses = [410]
    inbox = sandbox.own("POST", "/inboxes", {}, key=key)
    made = hook(sandbox, receiver, key)
    sandbox.deliver(box.mail("gone"), to=(inbox["address"],))
    assert settled(sandbox, made["id"], key, state="dead")["deliveries"][0]["tries"] == 1


def test_its_own_type_and_agent(sandbox, receiver, key):
    made = hook(sandbox, receiver, key, headers={"content-type": "text/x-mine", "User-Agent": "mine"})
    sandbox.ask("POST", f"{box.OWN}/webhooks/{made['id']}/test", key=key)
    _, headers, _ = receiver.wait(1)[0]
    assert {k.lower(): v for k, v in headers.items()}["content-type"] == "text/x-mine" and headers["User-Agent"] == "mine"


def test_filters(sandbox, receiver, key):
    one, two = (sandbox.own("POST", "/inboxes", {}, key=key) for _ in range(2))
    only = hook(sandbox, receiver, key, path="/only", inbox=one["id"])
    match = hook(sandbox, receiver, key, path="/match", match={"subject": {"matches": "^Invoice [0-9]+$"}})
    sandbox.deliver(box.mail("Invoice 12"), to=(two["address"],))
    sandbox.deliver(box.mail("Another"), to=(one["address"],))
    settled(sandbox, only["id"], key)
    settled(sandbox, match["id"], key)
    passed = settled(sandbox, match["id"], key, state="passed%20over")["deliveries"]
    assert [d["state"] for d in passed] == ["passed over"] and passed[0]["tries"] == 0
    told = {path: json.loads(body)["data"]["subject"] for path, _, body in receiver.wait(2)}
    assert told == {"/only": "Another", "/match": "Invoice 12"}


def test_other_events(sandbox, receiver, key):
    inbox = sandbox.own("POST", "/inboxes", {}, key=key)
    made = hook(sandbox, receiver, key, events=["message.updated", "message.deleted"])
    id = sandbox.deliver(box.mail("events"), to=(inbox["address"],))
    sandbox.wait(key=key, inbox=inbox["id"])
    sandbox.own("PATCH", f"/messages/{id}", {"read": True}, key=key)
    sandbox.own("DELETE", f"/messages/{id}", key=key)
    settled(sandbox, made["id"], key, count=2)
    told = [json.loads(body) for _, _, body in receiver.wait(2)]
    assert sorted(t["type"] for t in told) == ["message.deleted", "message.updated"]
    assert {t["data"]["id"] for t in told} == {id}
    assert [t["data"]["read"] for t in told if t["type"] == "message.updated"] == [True]


def test_refused_sessions_and_bounces_are_told(receiver):
    with box.Sandbox("--egress", "loopback") as s:
        made = hook(s, receiver, events=["session.refused", "message.bounced"])
        s.own("POST", "/faults", {"step": "rcpt", "when": {"recipient": "no@*"}, "then": {"reply": "550 5.1.1 Nobody"}})
        with pytest.raises(AssertionError):
            s.deliver(box.mail("x"), to=("no@a.test",))
        s.deliver(box.mail("y"), sender="me@app.test", to=("bounce@simulator.sandbox.test",))
        settled(s, made["id"], count=2)
        told = {json.loads(body)["type"]: json.loads(body)["data"] for _, _, body in receiver.wait(2)}
        assert told["session.refused"]["line"] == "550 5.1.1 Nobody"
        assert told["message.bounced"] == {**told["message.bounced"], "kind": "bounce", "sender": "me@app.test",
                                           "recipient": "bounce@simulator.sandbox.test"}


def test_a_test_and_a_pause(sandbox, receiver, key):
    inbox = sandbox.own("POST", "/inboxes", {}, key=key)
    made = hook(sandbox, receiver, key)
    assert sandbox.own("PATCH", f"/webhooks/{made['id']}", {"paused": True}, key=key)["paused"] is True
    sandbox.deliver(box.mail("later"), to=(inbox["address"],))
    sandbox.wait(key=key, inbox=inbox["id"])
    waiting = sandbox.own("GET", f"/deliveries?state=waiting", key=key)["deliveries"]
    assert len(waiting) == 1 and receiver.requests == []
    sandbox.own("PATCH", f"/webhooks/{made['id']}", {"paused": False}, key=key)
    assert json.loads(receiver.wait(1)[0][2])["data"]["subject"] == "later"
    answer = sandbox.ask("POST", f"{box.OWN}/webhooks/{made['id']}/test", key=key)
    assert answer.status == 202
    settled(sandbox, made["id"], key, count=2)
    assert json.loads(receiver.wait(2)[1][2])["type"] == "test"


def test_workspaces_see_their_own(sandbox, receiver, key):
    made = hook(sandbox, receiver, key)
    for method, path in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/test"), ("POST", "/redrive"),
                         ("GET", "/deliveries"), ("GET", "/wait")):
        body = {"paused": True} if method == "PATCH" else None
        assert sandbox.ask(method, f"{box.OWN}/webhooks/{made['id']}{path}", body, key="another").status == 404
    assert sandbox.own("GET", "/webhooks", key="another") == {"webhooks": []}
    assert sandbox.own("GET", "/webhooks", key=key)["webhooks"][0]["id"] == made["id"]
    assert sandbox.own("DELETE", f"/webhooks/{made['id']}", key=key) == {"deleted": True}
    assert sandbox.own("GET", "/webhooks", key=key) == {"webhooks": []}


def test_they_go_with_their_inbox(sandbox, receiver, key):
    inbox = sandbox.own("POST", "/inboxes", {}, key=key)
    hook(sandbox, receiver, key, inbox=inbox["address"])
    sandbox.own("DELETE", f"/inboxes/{inbox['id']}", key=key)
    assert sandbox.own("GET", "/webhooks", key=key) == {"webhooks": []}


@pytest.mark.parametrize("wrong, name", [
    ({}, "url"), ({"url": "ftp://a.test/"}, "url"), ({"url": "file:///etc/passwd"}, "url"), ({"url": "a"}, "url"),
    ({"url": 1}, "url"), ({"events": []}, "events"), ({"events": ["x"]}, "events"), ({"events": "message.received"}, "events"),
    ({"headers": {"A\r\nB": "x"}}, "headers"), ({"headers": {"A": "x\r\nB: y"}}, "headers"), ({"headers": {"A": 1}}, "headers"), ({"headers": {"content-length": "1"}}, "headers"), ({"headers": {"Webhook-Id": "x"}}, "headers"),
    ({"tries": 0}, "tries"), ({"tries": 31}, "tries"), ({"backoff": "soon"}, "backoff"), ({"secret": "short"}, "secret"),
    ({"match": {"x": "y"}}, "match"), ({"inbox": "none"}, "inbox"), ({"retries": 3}, "retries")], ids=str)
def test_what_is_not_understood_is_refused(sandbox, wrong, name):
    body = {**({"url": "http://127.0.0.1:1/"} if wrong else {}), **wrong}
    answer = sandbox.ask("POST", f"{box.OWN}/webhooks", body, key="wrong")
    assert answer.status == 400 and name in answer.json["message"]
    assert sandbox.own("GET", "/webhooks", key="wrong") == {"webhooks": []}


def test_one_that_is_slow_keeps_nobody_waiting(sandbox, receiver, key):
    slow = Receiver()
    slow.gate.clear()
    try:
        inbox = sandbox.own("POST", "/inboxes", {}, key=key)
        hook(sandbox, slow, key)
        made = hook(sandbox, receiver, key)
        for n in range(150):
            sandbox.deliver(box.mail(f"slow {n}"), to=(inbox["address"],))
        assert settled(sandbox, made["id"], key, count=150)["count"] == 150
        assert slow.requests == []
    finally:
        slow.gate.set()
        slow.close()


# ---- where they may go ----

def test_off_unless_said(receiver):
    with box.Sandbox() as s:
        answer = s.ask("POST", f"{box.OWN}/webhooks", {"url": receiver.url})
        assert answer.status == 403 and "--egress" in answer.json["message"]
        assert s.ask("POST", "/webhooks", {"url": receiver.url}).status == 400
    assert receiver.requests == []


def outcome(sandbox, url, key, state):
    made = sandbox.own("POST", "/webhooks", {"url": url, "tries": 1}, key=key)
    assert sandbox.ask("POST", f"{box.OWN}/webhooks/{made['id']}/test", key=key).status == 202
    one = settled(sandbox, made["id"], key, state=state)["deliveries"][0]
    return sandbox.own("GET", f"/deliveries/{one['id']}", key=key)["attempts"][0]


# HOSTILE 129: what is not this machine, and what hides it.
@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0",
                                  "224.0.0.1", "192.0.2.1", "0xa.0.0.1", "[fd00::1]", "[fe80::1]", "[::]", "[2001:db8::1]",
                                  "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::a00:1]", "[2002:a00:1::]",
                                  "[64:ff9b:1::7f00:1]", "[2001::7f00:1]"])
def test_nowhere_but_where_was_said(sandbox, host):
    assert "not to be connected to" in outcome(sandbox, f"http://{host}:9/", "refused-" + host, "dead")["trouble"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0177.1", "0x7f000001", "2130706433", "127.1"])
def test_this_machine_by_any_name(sandbox, receiver, host):
    url = f"http://{host}:{receiver.server.server_port}/near"
    assert outcome(sandbox, url, "near-" + host, "delivered")["status"] == 200
    assert receiver.wait(1)[0][0] == "/near"


def test_no_name_is_looked_up_elsewhere(sandbox):
    """The machine's own name has an address, as a resolver would tell; here nobody asks for it."""
    name = socket.gethostname()
    try:
        socket.gethostbyname(name)
    except OSError:
        pytest.skip("this machine's name has no address")
    assert "no address" in outcome(sandbox, f"http://{name}:9/", "named", "dead")["trouble"]


def test_an_address_of_ipv6(sandbox):
    """A literal was told to the HTTP library in a form that it could not read."""
    receiver = Receiver(host="::1")
    try:
        url = f"http://[::1]:{receiver.server.server_port}/six"
        assert outcome(sandbox, url, "six", "delivered")["status"] == 200
    finally:
        receiver.close()


# ---- at least once ----

def test_told_after_a_kill(tmp_path, receiver):
    receiver.gate.clear()
    s = box.Sandbox("--egress", "loopback", data=str(tmp_path))
    made = hook(s, receiver)
    for n in range(20):
        s.deliver(box.mail(f"kept {n}"), to=("someone@a.test",))
    s.own("GET", f"/wait?count=20&timeout={LONG}")
    children = open(f"/proc/{s.process.pid}/task/{s.process.pid}/children").read().split()
    os.kill(s.process.pid, signal.SIGKILL)
    s.process.wait()
    for pid in children:
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.01)
    s.stop()
    receiver.gate.set()
    s.said = ""
    s.start()
    try:
        assert settled(s, made["id"], count=20)["count"] == 20
        subjects = {json.loads(body)["data"]["subject"] for _, _, body in receiver.requests}
        assert subjects == {f"kept {n}" for n in range(20)}
    finally:
        s.stop()


def test_a_store_of_before_webhooks_is_opened(tmp_path, receiver):
    """The tables of version 1, as they were."""
    import sqlite3
    with box.Sandbox(data=str(tmp_path)) as s:
        s.deliver(box.mail("before"), to=("someone@a.test",))
        s.wait(search="subject:before")
    path = tmp_path / "sandbox.db"
    with sqlite3.connect(path) as db:
        for table in ("hook", "delivery", "attempt", "zone"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 1")
    with box.Sandbox("--egress", "loopback", data=str(tmp_path)) as s:
        assert s.own("GET", "/messages")["messages"][0]["subject"] == "before"
        made = hook(s, receiver)
        s.deliver(box.mail("after"), to=("someone@a.test",))
        settled(s, made["id"])


# ---- Mailpit's ----

def test_the_operators_in_mailpits_form(receiver):
    """It goes anywhere, whatever --egress says."""
    with box.Sandbox("--webhook", receiver.url + "/pit", "--label", "here") as s:
        id = s.deliver(box.mail("for Mailpit"))
        path, headers, body = receiver.wait(1)[0]
        told = json.loads(body)
        assert path == "/pit" and headers["Mailpit-Label"] == "here"
        assert told["ID"] == id and told["Subject"] == "for Mailpit" and told["From"]["Address"] == "ann@a.test"
        assert s.own("GET", "/webhooks")["webhooks"][0]["id"] == "operator"
    with box.Sandbox(environment={"MP_WEBHOOK_URL": receiver.url + "/env"}) as s:
        s.deliver(box.mail("again"))
        assert receiver.wait(2)[1][0] == "/env"
