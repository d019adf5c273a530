"""Submission: RFC 6409; who may send as whom (HOSTILE 78); what is repaired."""
import base64
import re
import subprocess

import pytest

import godwit
from godwit import Client, Godwit, wait_for

CONFIG = """
listen:
  - {{ address: "127.0.0.1:0", role: submission, auth_in_clear: true, bare_line_end: convert }}
  - {{ address: "127.0.0.1:0", auth: offered, auth_in_clear: true }}
  - {{ address: "127.0.0.1:0", role: submission, auth: none }}
relay_clients: {trusted}
domains:
  home.test:
    users: {users}
    deliver: {{ maildir: "{maildir}" }}
    aliases: {{ sales: ann, all: [ann, bob], far: "ann@far.test" }}
    senders: {{ news: [bob, ann], "x.y": "ann@home.test" }}
  other.test: {{ users: [ann, cy], deliver: {{ maildir: "{maildir}" }}, senders: {{ "*": "bob@home.test" }} }}
"""
SUBMISSION, RELAY, OPEN = range(3)


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("users") / "users")
    for name in ("ann", "bob"):
        done = subprocess.run([godwit.PROGRAM, "user", "add", name, "--file", path],
                              input="pencil\n", text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    return path


def make(sink, data, users, tmp_path, trusted="[]"):
    config = CONFIG.format(users=users, maildir=tmp_path / "mail/{domain}/{user}", trusted=trusted)
    return Godwit(data, "--next-hop", sink.address, listen=(), config=config)


@pytest.fixture
def server(sink, data, users, tmp_path):
    with make(sink, data, users, tmp_path) as g:
        yield g


def log_in(server, name="ann", which=SUBMISSION):
    c = Client(server.ports[which], channel="clear")
    assert c.code("EHLO client.test") == 250
    proof = base64.b64encode(f"\0{name}@home.test\0pencil".encode()).decode()
    assert c.code("AUTH PLAIN " + proof) == 235
    return c


def give(c, content, sender="ann@home.test", parameters=""):
    for command, code in ((f"MAIL FROM:<{sender}>{parameters}", 250),
                          ("RCPT TO:<who@far.test>", 250), ("DATA", 354)):
        assert c.code(command) == code, command
    return c.ask(content + b"\r\n.\r\n")


@pytest.mark.parametrize("name,sender,code", [
    ("ann", "ann@home.test", 250), ("ann", "ANN@Home.TEST", 250), ("ann", '"ann"@home.test', 250),
    ("ann", "", 250), ("ann", "sales@home.test", 250), ("ann", "news@home.test", 250),
    ("ann", "x.y@home.test", 250), ("ann", "bob@home.test", 553), ("ann", "all@home.test", 553),
    ("ann", "far@home.test", 553), ("ann", "nobody@home.test", 553), ("ann", "ann@other.test", 553),
    ("ann", "ann@far.test", 553), ("ann", "postmaster@home.test", 553), ("ann", "ann@[127.0.0.1]", 553),
    ("ann", "ann+news@home.test", 250), ("ann", "sales+x@home.test", 553), ("ann", "bob+ann@home.test", 553),
    ("bob", "sales@home.test", 553), ("bob", "news@home.test", 250), ("bob", "cy@other.test", 250),
    ("bob", "who@other.test", 250), ("bob", "x.y@home.test", 553),
])
@pytest.mark.parametrize("which", [SUBMISSION, RELAY])
def test_who_sends_as_whom(server, name, sender, code, which):
    """The same for the sender of the envelope and for the author in the header."""
    with log_in(server, name, which) as c:
        assert c.code(f"MAIL FROM:<{sender}>") == code
        assert c.code("RSET") == 250
        author = sender or f"{name}@home.test"
        wanted = 250 if code == 250 else 550
        assert give(c, f"From: {author}\r\n\r\nx".encode(), f"{name}@home.test")[0] == wanted


@pytest.mark.parametrize("fields,code", [
    ("From: Ann <ann@home.test>\r\nSender: ann@home.test", 250),
    ("From: ann@home.test, sales@home.test", 250),
    ("From: ann@home.test, bob@home.test", 550),
    ("From: ann@home.test\r\nSender: bob@home.test", 550),
    ("From: \"bob@home.test\" <ann@home.test>", 250),
    ("From: ann@home.test\r\nResent-From: bob@home.test", 550),
    ("From: ann@home.test\r\nFrom: bob@home.test", 550),
    ("From: ann@home.test\r\nFrom: ann@home.test", 550),
    ("From : bob@home.test", 550), ("From\r\n : bob@home.test", 550),
    (" From: bob@home.test\r\nFrom: ann@home.test", 550),
    ("From: <@x.test:ann@home.test>", 250), ("From: ann@home.test <bob@home.test>", 550),
    ("From: group:;", 250), ("Subject: nobody", 550), ("From: ann", 550), ("From: ann@home.test\r\njunk", 550),
])
def test_the_author(server, fields, code):
    with log_in(server) as c:
        assert give(c, fields.encode() + b"\r\n\r\nx")[0] == code
        assert give(c, b"From: ann@home.test\r\n\r\nnext")[0] == 250


def test_results_in_our_name_are_taken_out(server, sink):
    forged = (b"Authentication-Results: mx.godwit.test; dmarc=pass\r\n"
              b"Authentication-Results: (c)\r\n MX.godwit.test 1; spf=pass\r\n"
              b"Authentication-Results: other.test; spf=pass\r\n")
    for number, which in enumerate((SUBMISSION, RELAY)):
        with log_in(server, which=which) as c:
            assert give(c, b"From: ann@home.test\r\n" + forged + b"\r\nx")[0] == 250
        found = header_of(sink.wait(number + 1)[number])
        assert found.count(b"Authentication-Results") == 1 and b"other.test; spf" in found


@pytest.mark.parametrize("fields", [
    " From: bob@home.test\r\nFrom: ann@home.test", "From: ann@home.test\r\nFrom bob@home.test",
])
def test_a_line_that_is_no_field_hides_no_author(server, fields):
    with log_in(server, which=RELAY) as c:
        assert give(c, fields.encode() + b"\r\n\r\nx") \
            == (550, "5.6.0 The header has a line that is no field")
        assert give(c, b"From: ann@home.test\r\n\r\nnext")[0] == 250


def test_strangers_may_not_relay_nor_send_as_us(server):
    with Client(server.ports[RELAY], channel="clear") as c:
        assert c.code("EHLO client.test") == 250
        assert c.code("MAIL FROM:<ann@home.test>") == 250
        assert c.code("RCPT TO:<who@far.test>") == 550
        assert c.code("RCPT TO:<ann@home.test>") == 250


def header_of(message):
    return message.content.split(b"\r\n\r\n")[0] + b"\r\n"


def test_what_is_missing_is_added(server, sink):
    with log_in(server) as c:
        assert give(c, b"From: ann@home.test\r\nBcc: a@b.test,\r\n c@d.test\r\nSubject: x\r\n"
                       b"bcc: e@f.test\r\nReturn-Path: <x@y.test>\r\n\r\nbody\r\nBcc: stays")[0] == 250
    header = header_of(sink.wait(1)[0])
    assert re.search(rb"^Date: \w{3}, \d{1,2} \w{3} \d{4} [\d:]{8} [+-]\d{4}\r$", header, re.M)
    assert re.search(rb"^Message-ID: <[0-9a-f]+@mx\.godwit\.test>\r$", header, re.M)
    assert b"a@b.test" not in header and b"c@d.test" not in header and b"e@f.test" not in header
    assert b"Return-Path" not in header and b"Subject: x\r\n" in header
    assert sink.messages[0].content.endswith(b"\r\n\r\nbody\r\nBcc: stays\r\n")
    wait_for(lambda: server.events("repaired"), "the log")
    assert server.events("repaired")[0]["fields_removed"] == 3


def test_what_is_there_stays(server, sink):
    content = (b"Message-ID: <a@home.test>\r\nFrom: ann@home.test\r\nDate: Thu, 26 Nov 2026 01:02:03 +0100\r\n"
               b"Subject: a\r\n fold\r\nX: \t y\r\n\r\nbody\r\n")
    with log_in(server) as c:
        assert give(c, content[:-2])[0] == 250
    assert godwit.without_trace(sink.wait(1)[0].content) == content
    assert not server.events("repaired")


def test_a_header_alone(server, sink):
    with log_in(server) as c:
        assert give(c, b"From: ann@home.test")[0] == 250
        assert give(c, b"From: ann@home.test\r\n")[0] == 250
    for message in sink.wait(2):
        assert message.content.endswith(b"@mx.godwit.test>\r\n\r\n"), message.content


def test_without_a_log_in_only_what_is_missing_is_added(sink, data, users, tmp_path):
    with make(sink, data, users, tmp_path, trusted="127.0.0.1") as g:
        with Client(g.ports[OPEN], channel="clear") as c:
            assert c.code("EHLO client.test") == 250
            assert give(c, b"Subject: no From\r\n\r\n\xc3\xa4", "x@y.test")[0] == 250
        assert b"\r\nMessage-ID: <" in header_of(sink.wait(1)[0])
        with Client(g.ports[RELAY], channel="clear") as c:
            assert c.code("EHLO client.test") == 250
            assert give(c, b"Subject: relayed\r\nBcc: x@y.test\r\n\r\n", "x@y.test")[0] == 250
        relayed = header_of(sink.wait(2)[1])
        assert b"Message-ID" not in relayed and b"Bcc: x@y.test" in relayed


@pytest.mark.parametrize("content,parameters,code", [
    ("From: ann@home.test\r\n\r\n\u00e4", "", 550),
    ("From: ann@home.test\r\n\r\n\u00e4", " BODY=8BITMIME", 250),
    ("From: ann@home.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\u00e4", "", 250),
    ("From: ann@home.test\r\nSubject: \u00e4\r\n\r\nx", "", 550),
    ("From: ann@home.test\r\nSubject: \u00e4\r\n\r\nx", " BODY=8BITMIME", 550),
    ("From: ann@home.test\r\nSubject: \u00e4\r\n\r\nx", " SMTPUTF8", 250),
])
def test_octets_that_nothing_explains(server, content, parameters, code):
    with log_in(server) as c:
        assert give(c, content.encode(), parameters=parameters)[0] == code
