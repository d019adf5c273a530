"""DELIVERBY (RFC 2852): in time, or back, or told."""
import re
import time

import pytest

import godwit
from godwit import Client, Sink

MAIL = b"Subject: s\r\n\r\ntext\r\n"


def put(g, by, notify="", port=None):
    with Client(port or g.port) as c:
        assert c.code("EHLO x") == 250
        assert c.code(f"MAIL FROM:<a@client.test> BY={by}") == 250
        assert c.code("RCPT TO:<b@far.test>" + notify) == 250
        assert c.code("DATA") == 354
        c.send(MAIL + b".\r\n")
        assert c.reply()[0] == 250


def mail(sink, at=0):
    return [command for command in sink.commands if command.startswith("MAIL ")][at]


@pytest.mark.parametrize("by, mode", [("3600;R", "R"), ("3600;NT", "NT"), ("-100;N", "N")])
def test_what_is_left_goes_on(data, by, mode):
    with Sink(extensions=("DELIVERBY 60",)) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address) as g:
        begin = time.monotonic()
        put(g, by)
        sink.wait(1)
        most = int(by.split(";")[0])
        left = int(re.search(r" BY=(-?\d+);(\w+)", mail(sink)).group(1))
        assert most - (time.monotonic() - begin) - 1 <= left <= most
        assert re.search(r" BY=(-?\d+);(\w+)", mail(sink)).group(2) == mode


@pytest.mark.parametrize("extensions, words", [
    ((), "does not offer DELIVERBY"), (("DELIVERBY 7200",), "in time")])
def test_what_must_be_in_time_does_not_go_where_nobody_knows(data, extensions, words):
    with Sink(extensions=extensions) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address) as g:
        put(g, "3600;R")
        sink.wait(1) # the report alone
        assert sink.messages[0].recipients == ["a@client.test"]
        content = sink.messages[0].content
        assert words.encode() in content and b"\r\nDeliver-By-Date: " in content
        assert b"Action: failed\r\nStatus: 5.4.7" in content


def test_what_is_late_comes_back_over_a_crash(data, sink):
    sink.script = lambda verb, argument, count: (
        b"451 4.0.0 later\r\n" if verb == "RCPT" and "far.test" in argument else None)
    sink.extensions = ("DELIVERBY",)
    config = "queue: { retry_first: 1h }\n"
    g = godwit.Godwit(data, "--next-hop", sink.address, config=config)
    put(g, "8;R")
    godwit.wait_for(lambda: g.events("deferred"), "the first attempt")
    g.kill()
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        sink.wait(1)
    assert sink.messages[0].sender == ""
    assert b"Action: failed\r\nStatus: 5.4.7" in sink.messages[0].content


def test_who_wants_to_know_is_told(data):
    """To a hop without DELIVERBY: relayed is told at once, and DELAY is asked for."""
    with Sink(extensions=("DSN",)) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address) as g:
        put(g, "3600;N")
        sink.wait(2)
        first = next(m for m in sink.messages if m.sender)
        report = next(m for m in sink.messages if not m.sender)
        assert "NOTIFY=FAILURE,DELAY" in first.options[1]
        assert b"Action: relayed" in report.content
        put(g, "3600;N", notify=" NOTIFY=NEVER")
        sink.wait(3)
        assert "NOTIFY=NEVER" in sink.messages[2].options[1]


def test_it_cannot_be_held_for_longer(data, sink):
    config = "listen: [{ address: '127.0.0.1:0', role: submission, auth: none }]\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config, listen=()) as g:
        with Client(g.port) as c:
            assert c.code("EHLO x") == 250
            assert c.code("MAIL FROM:<a@client.test> HOLDFOR=60 BY=30;N") == 501
            assert c.code("MAIL FROM:<a@client.test> HOLDFOR=60 BY=90;N") == 250
