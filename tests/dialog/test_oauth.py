"""Log-in by token: OAUTHBEARER (RFC 7628) and XOAUTH2, the token shown to an authorization
server (RFC 7662) that is the test's own, over HTTPS."""
import base64
import json
import os
import sys
import threading
import urllib.parse

import pytest

import certificates
import godwit
from godwit import Client, Godwit, wait_for
from policy_host import PolicyHost

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
from nameserver import NameServer  # noqa: E402

CONFIG = """
listen: [{{ address: "127.0.0.1:0", role: submission, auth_in_clear: true }}]
relay_clients: []
dns: {{ servers: ["{dns}"], timeout: 2s, trust_anchor: /dev/null }}
domains: {{ our.test: {{ users: [ann, bob], deliver: {{ smtp: "{sink}" }} }} }}
routes: [{{ deliver: {{ smtp: "{sink}" }} }}]
auth: {{ introspect: "{url}", introspect_client: us, introspect_secret: "{secret}", delay: 1ms{more} }}
"""
TOKENS = {
    "good": {"active": True, "username": "ann@our.test", "scope": "mail smtp"},
    "bare": {"active": True, "sub": "ann@our.test"},
    "bob": {"active": True, "username": "bob@our.test"},
    "nobody": {"active": True, "username": "who@our.test"},
    "old": {"active": True, "username": "ann@our.test", "exp": 1000},
    "none": {"active": False},
}


class Server(PolicyHost):
    """Says what TOKENS say; `broken` what it says instead."""

    def __init__(self, pair):
        super().__init__(pair, self.answer)
        self.broken = None
        self.lock = threading.Lock()

    def answer(self, connection):
        with self.lock:
            request = self.requests[-1]
        asked = urllib.parse.parse_qs(request.split(b"\r\n\r\n", 1)[1].decode())
        body = json.dumps(TOKENS.get(asked["token"][0], {"active": False})).encode()
        reply = self.broken or (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        connection.sendall(reply)


@pytest.fixture
def make(data, sink, tmp_path):
    pair = certificates.make(tmp_path, "id.our.test")
    (tmp_path / "secret").write_text("s3cret\n")
    opened = []

    def server(more="", host="id.our.test", believed=True):
        web = Server(pair)
        web.__enter__()
        dns = NameServer({("id.our.test", "A"): ["127.0.0.1"]})
        dns.__enter__()
        g = Godwit(data, listen=(), environment={
            "SSL_CERT_FILE": pair[0] if believed else "/dev/null"}, config=CONFIG.format(
                dns=dns.config, sink=sink.address, secret=tmp_path / "secret", more=more,
                url=f"https://{host}:{web.port}/introspect"))
        opened.extend((g, dns, web))
        return g, web
    yield server
    for thing in opened:
        thing.__exit__(None, None, None)


def b64(text):
    return base64.b64encode(text.encode()).decode()


def bearer(token, user="ann@our.test"):
    return b64(f"n,{'a=' + user if user else ''},\x01host=x\x01auth=Bearer {token}\x01\x01")


def xoauth2(token, user="ann@our.test"):
    return b64(f"user={user}\x01auth=Bearer {token}\x01\x01")


def log_in(g, mechanism, message):
    """The last reply; a challenge is answered as RFC 7628 says."""
    with Client(g.ports[0], channel="clear") as c:
        assert c.code("EHLO client.test") == 250
        code, text = c.ask(f"AUTH {mechanism} {message}")
        if code == 334:
            assert json.loads(base64.b64decode(text)) == {"status": "invalid_token"}
            code, text = c.ask("AQ==")
        return code, text


@pytest.mark.parametrize("mechanism, message, code", [
    ("OAUTHBEARER", bearer("good"), 235), ("XOAUTH2", xoauth2("good"), 235),
    ("OAUTHBEARER", bearer("bare", ""), 235), ("OAUTHBEARER", bearer("good", "ANN@our.test"), 235),
    ("OAUTHBEARER", bearer("bob"), 535), ("XOAUTH2", xoauth2("bob"), 535),
    ("OAUTHBEARER", bearer("nobody", ""), 535), ("OAUTHBEARER", bearer("old"), 535),
    ("OAUTHBEARER", bearer("none"), 535), ("OAUTHBEARER", bearer("unheard-of"), 535),
    ("OAUTHBEARER", b64("n,,\x01auth=Basic x\x01\x01"), 501), ("XOAUTH2", b64("\x00a\x00b"), 501),
])
def test_tokens(make, mechanism, message, code):
    g, web = make()
    found, text = log_in(g, mechanism, message)
    assert found == code
    if code == 535:
        assert text.startswith("5.7.8 ")
    if code != 501:
        head = web.requests[0]
        assert head.startswith(b"POST /introspect HTTP/1.1\r\n")
        assert b"\r\nAuthorization: Basic " + base64.b64encode(b"us:s3cret") in head


def test_who_has_logged_in_may_send(make, sink):
    g, _ = make()
    with Client(g.ports[0], channel="clear") as c:
        assert "OAUTHBEARER XOAUTH2" in c.ask("EHLO client.test")[1]
        assert c.code("AUTH OAUTHBEARER " + bearer("good")) == 235
        assert c.message(b"From: ann@our.test\r\n\r\nx\r\n", sender="ann@our.test")[0] == 250
    sink.wait(1)
    event = wait_for(lambda: g.events("login"), "the log")[0]
    assert (event["account"], event["mechanism"]) == ("ann@our.test", "OAUTHBEARER")


@pytest.mark.parametrize("token, code", [("good", 235), ("bob", 535)])
def test_a_scope_is_asked_for(make, token, code):
    g, _ = make(", introspect_scope: smtp")
    assert log_in(g, "OAUTHBEARER", bearer(token, ""))[0] == code


@pytest.mark.parametrize("broken", [
    b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 302 Found\r\nLocation: https://x/\r\n"
    b"Content-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000,
], ids=["500", "a redirect", "no JSON", "too large"])
def test_a_server_in_trouble_is_no_refusal(make, broken):
    g, web = make()
    web.broken = broken
    assert log_in(g, "OAUTHBEARER", bearer("good"))[0] == 454
    web.broken = None
    assert log_in(g, "OAUTHBEARER", bearer("good"))[0] == 235


@pytest.mark.parametrize("host, believed", [("absent.our.test", True), ("id.our.test", False)])
def test_a_server_that_cannot_be_trusted_or_reached(make, host, believed):
    g, _ = make(host=host, believed=believed)
    assert log_in(g, "OAUTHBEARER", bearer("good"))[0] == 454


def test_a_client_may_go_meanwhile(make):
    g, _ = make()
    for _ in range(20):
        with Client(g.ports[0], channel="clear") as c:
            c.send(b"EHLO x\r\nAUTH OAUTHBEARER " + bearer("good").encode() + b"\r\n")
    assert log_in(g, "OAUTHBEARER", bearer("good"))[0] == 235
    assert g.stop() == 0


def test_no_token_stands_in_the_log(make):
    g, _ = make()
    log_in(g, "OAUTHBEARER", bearer("canary-token"))
    g.stop()
    assert "canary-token" not in g.output() and "s3cret" not in g.output()


@pytest.mark.parametrize("auth, word", [
    ("introspect: 'http://id.our.test/'", "is not a URL such as https://"),
    ("introspect: 'https://id.our.test/'", "say introspect_client and introspect_secret"),
])
def test_wrong_configuration(tmp_path, auth, word):
    path = tmp_path / "godwit.yaml"
    path.write_text(f"hostname: mx.x\ndata: {tmp_path}\nlisten: ['127.0.0.1:0']\nauth: {{ {auth} }}\n")
    import subprocess
    done = subprocess.run([godwit.PROGRAM, "config", "check", "--config", str(path)],
                          capture_output=True, text=True)
    assert done.returncode == 78 and word in done.stderr, done
