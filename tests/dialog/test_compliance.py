"""What large receivers ask of mail, looked at as it is submitted: refused with the reason,
held, or noted."""
import base64
import subprocess

import pytest

import godwit
from godwit import Client, Godwit

CONFIG = """
listen:
  - {{ address: "127.0.0.1:0", role: submission, auth_in_clear: true }}
  - {{ address: "127.0.0.1:0" }}
domains:
  our.test:
    users: {users}
    deliver: {{ smtp: "{sink}" }}
    dkim: [{{ selector: s1, key: "{key}" }}]
routes: [{{ deliver: {{ smtp: "{sink}" }} }}]
compliance: {{ action: {action}, bulk_recipients: 3 }}
"""
GOOD = b"From: ann@our.test\r\nTo: b@far.test\r\nSubject: x\r\n"
CLICK = (b"List-Unsubscribe: <https://our.test/off>\r\n"
         b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")


@pytest.fixture
def make(data, sink, tmp_path):
    key, users = tmp_path / "key.pem", tmp_path / "users"
    subprocess.run([godwit.PROGRAM, "dkim", "keygen", str(key), "--algorithm", "ed25519"],
                   check=True, capture_output=True)
    password = subprocess.run(["openssl", "passwd", "-6", "pencil"], check=True, capture_output=True,
                              text=True).stdout.strip()
    users.write_text(f"ann:{password}\n")
    opened = []

    def server(action):
        g = Godwit(data, listen=(), config=CONFIG.format(users=users, sink=sink.address, key=key,
                                                         action=action))
        opened.append(g)
        return g
    yield server
    for g in opened:
        g.__exit__(None, None, None)


def give(g, header, recipients=("b@far.test",), body=b"x\r\n", sender="ann@our.test"):
    with Client(g.ports[0], channel="clear") as c:
        assert c.code("EHLO client.test") == 250
        proof = base64.b64encode(b"\0ann@our.test\0pencil").decode()
        assert c.code("AUTH PLAIN " + proof) == 235
        return c.message(header + b"\r\n" + body, sender=sender, recipients=recipients)


THREE = ("a@far.test", "b@far.test", "c@far.test")


def test_what_is_as_it_should_be_passes(make, sink):
    g = make("reject")
    assert give(g, GOOD)[0] == 250
    assert give(g, GOOD + CLICK, THREE)[0] == 250
    assert sink.wait(2)


@pytest.mark.parametrize("header, recipients, body, why", [
    (GOOD, THREE, b"x\r\n", "one-click List-Unsubscribe"),
    (GOOD + b"List-Id: <l.our.test>\r\n", THREE[:1], b"x\r\n", "one-click List-Unsubscribe"),
    (GOOD + b"Message-ID: <1@a>\r\nMessage-ID: <2@a>\r\n", THREE[:1], b"x\r\n", "Message-ID"),
    (GOOD, THREE[:1], b"x" * 999 + b"\r\n", "998 octets"),
], ids=["many", "a list", "two ids", "a long line"])
def test_the_reason_stands_in_the_reply(make, header, recipients, body, why):
    g = make("reject")
    code, text = give(g, header, recipients, body)
    assert code == 550 and text.startswith("5.7.1 ") and why in text
    event = godwit.wait_for(lambda: g.events("compliance"), "the log")[0]
    assert why in event["faults"] and event["action"] == "reject"
    assert event["account"] == "ann@our.test"


def test_hold_and_note(make, sink):
    g = make("hold")
    assert give(g, GOOD, THREE)[0] == 250
    godwit.wait_for(lambda: [r for r in g.queue() if r["recipient"]["state"] == "held"], "it held")
    g.tool("queue", "delete", "all", "--data", g.data)
    g.stop()
    g = make("note")
    assert give(g, GOOD, THREE)[0] == 250
    sink.wait(1)
    assert godwit.wait_for(lambda: g.events("compliance"), "the log")[-1]["action"] == "note"


def test_mail_between_servers_is_not_asked(make, sink):
    g = make("reject")
    with Client(g.ports[1], channel="clear") as c:
        assert c.message(b"Subject: x\r\n\r\nx\r\n", recipients=THREE)[0] == 250
