"""FUTURERELEASE (RFC 4865): mail that is held until its time, over a crash as well."""
import datetime
import re
import time

import pytest

import godwit
from godwit import Client

CONFIG = """
listen:
  - {{ address: "127.0.0.1:0", role: submission, auth: none }}
  - {{ address: "127.0.0.1:0" }}
domains: {{ home.test: {{ users: [ann], deliver: {{ maildir: "{data}/box" }} }} }}
queue: {{ retry_first: 1s }}
"""
SUBMISSION, RELAY = range(2)
MAIL = b"From: ann@home.test\r\nSubject: s\r\n\r\ntext\r\n"


@pytest.fixture
def start(sink, data):
    return lambda: godwit.Godwit(data, "--next-hop", sink.address, listen=(),
                                 config=CONFIG.format(data=data))


def put(g, parameters, to="b@far.test"):
    with Client(g.ports[SUBMISSION]) as c:
        assert c.code("EHLO x") == 250
        assert c.code(f"MAIL FROM:<ann@home.test> {parameters}") == 250
        assert c.code(f"RCPT TO:<{to}>") == 250
        assert c.code("DATA") == 354
        c.send(MAIL + b".\r\n")
        code, text = c.reply()
        assert code == 250, text


def stamp(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_it_is_offered_on_submission_alone(start):
    with start() as g:
        with Client(g.ports[SUBMISSION]) as c:
            _, text = c.ask("EHLO x")
            most, until = re.search(r"FUTURERELEASE (\d+) (\S+)", text).groups()
            assert int(most) == 30 * 86400
            assert stamp(30 * 86400 - 600) < until <= stamp(30 * 86400)
            assert c.code(f"MAIL FROM:<ann@home.test> HOLDUNTIL={stamp(31 * 86400)}") == 501
            assert c.code(f"MAIL FROM:<ann@home.test> HOLDFOR={31 * 86400}") == 501
        with Client(g.ports[RELAY]) as c:
            _, text = c.ask("EHLO x")
            assert "FUTURERELEASE" not in text
            assert c.code("MAIL FROM:<ann@home.test> HOLDFOR=60") == 555


def test_it_leaves_in_its_time(start, sink):
    with start() as g:
        put(g, f"HOLDUNTIL={stamp(5)}", "late@far.test")
        put(g, f"HOLDUNTIL={stamp(-60)}", "past@far.test")
        put(g, "", "now@far.test")
        sink.wait(3)
        late = [m for m in sink.messages if m.recipients == ["late@far.test"]]
        assert len(late) == 1 and sink.messages.index(late[0]) == 2


def test_a_crash_releases_nothing_early(start, sink):
    g = start()
    put(g, "HOLDFOR=86400", "late@far.test")
    put(g, "HOLDFOR=1", "soon@far.test")
    g.kill()
    with start() as g:
        sink.wait(1)
        assert sink.messages[0].recipients == ["soon@far.test"]
        (waiting,) = g.queue()
        due = waiting["recipient"]["next"] / 1000
        assert 86400 - 600 < due - time.time() <= 86400
        assert len(sink.messages) == 1


def test_a_report_says_what_was_asked_for(start, sink):
    sink.script = lambda verb, argument, count: (
        b"550 5.1.1 nobody\r\n" if verb == "RCPT" and "none@" in argument else None)
    with start() as g:
        put(g, "HOLDFOR=1", "none@far.test")
        sink.wait(1)
    assert sink.messages[0].recipients == ["ann@home.test"]
    assert b"\r\nFuture-Release-Request: for;1\r\n" in sink.messages[0].content
