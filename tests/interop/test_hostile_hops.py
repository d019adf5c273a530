"""Next hops that break the rules: HOSTILE 113 to 117. The mail is deferred or reported as
is due, never lost, never said to be delivered, and the program lives on."""
import os
import signal
import socket
import threading

import pytest

import godwit
from godwit import Client

LATER = "queue: { retry_first: 1h }\n"
SHORT = LATER + ("timeouts: { connect: 1s, greeting: 500ms, mail: 500ms, rcpt: 500ms, "
                 "data_start: 500ms, data_send: 500ms, data_end: 500ms }\n")


def submit(g, content=b"From: <a@b.test>\r\nSubject: x\r\n\r\nhi\r\n", sender="",
           recipients=("b@far.test",)):
    with Client(g.port) as c:
        code, text = c.message(content, sender, recipients)
        assert code == 250, text


def trouble(g):
    return godwit.wait_for(lambda: g.events("deferred") or g.events("site-failed")
                           or g.events("failed"), "an outcome")


def still_queued(g):
    row, = g.queue()
    assert row["recipient"]["address"] == "b@far.test"
    assert row["recipient"]["state"] == "queued"
    assert not g.events("relayed") and not g.events("failed")
    assert len(g.events("started")) == 1
    return row["recipient"]


STEPS = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "DOT"]
REPLIES = {
    "no end of lines": b"250-more\r\n" * 100000,
    "one long line": b"250 " + b"x" * 1000000 + b"\r\n",
    "two digits": b"25\r\n",
    "four digits": b"2500 ok\r\n",
    "another code": b"250-first\r\n354 second\r\n",
    "no code": b"hello there\r\n",
    "a NUL": b"250 o\0k\r\n",
    "unknown class": b"650 ok\r\n",
    "nothing": b"\r\n",
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", REPLIES)
def test_113_replies_that_are_none(data, step, name):
    def script(verb, argument, count):
        return REPLIES[name] if verb == step else None
    extensions = [] if step == "DOT" else ("PIPELINING", "8BITMIME")
    with godwit.Sink(script=script, extensions=extensions) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=SHORT) as g:
        submit(g)
        if name == "a NUL" and not g.events("deferred"):
            # It may be taken as an odd text: then all goes as usual.
            godwit.wait_for(lambda: sink.messages or g.events("deferred")
                            or g.events("site-failed"), "an outcome")
            if sink.messages:
                return
        trouble(g)
        still_queued(g)


@pytest.mark.parametrize("step", STEPS)
def test_113_lone_line_feeds(data, step):
    """A reply that ends with LF alone is either taken or a fault, never two replies."""
    def script(verb, argument, count):
        return b"250 ok\n250 and more\n" if verb == step and step != "CONNECT" else None
    with godwit.Sink(script=script) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=SHORT) as g:
        submit(g)
        godwit.wait_for(lambda: g.events("relayed") or g.events("deferred")
                        or g.events("site-failed"), "an outcome")
        if g.events("relayed"):
            godwit.wait_for(lambda: g.queue() == [], "an empty queue")
            assert len(sink.messages) == 1 or step == "DOT"
        else:
            still_queued(g)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", ["drop", "silence"])
def test_115_gone_or_silent_at_each_step(data, step, how):
    quiet = threading.Event()

    def script(verb, argument, count):
        if verb != step:
            return None
        if how == "silence":
            quiet.wait(godwit.PATIENCE)
        return "drop"
    with godwit.Sink(script=script) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=SHORT) as g:
        submit(g)
        trouble(g)
        quiet.set()
        still_queued(g)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("code,status", [(450, "4.2.0"), (550, "5.1.1"), (554, "5.7.1")])
def test_117_what_is_said_at_each_step(data, step, code, status):
    def script(verb, argument, count):
        return f"{code} {status} said at {verb}\r\n".encode() if verb == step else None
    with godwit.Sink(script=script) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g)
        if code < 500:
            godwit.wait_for(lambda: g.events("deferred"), "a deferral")
            recipient = still_queued(g)
            assert (recipient["code"], recipient["status"]) == (code, status)
            assert f"said at {step}" in recipient["reason"]
        else:
            event, = godwit.wait_for(lambda: g.events("failed"), "a failure")
            assert (event["code"], event["status"]) == (code, status)
            godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert sink.messages == []


def test_117_each_recipient_has_its_own_fate(data):
    fates = {"good": None, "gone": b"550 5.1.1 gone\r\n", "full": b"452 4.2.2 full\r\n",
             "also": None}

    def script(verb, argument, count):
        return fates[argument[4:8]] if verb == "RCPT" else None
    with godwit.Sink(script=script) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, recipients=[f"{name}@far.test" for name in fates])
        message = sink.wait(1)[0]
        assert message.recipients == ["good@far.test", "also@far.test"]
        godwit.wait_for(lambda: len(g.queue()) == 1, "one that waits")
        assert g.queue()[0]["recipient"]["address"] == "full@far.test"
        godwit.wait_for(lambda: g.recipients("failed") == ["gone@far.test"], "the failed one")
        godwit.wait_for(lambda: g.recipients("relayed") == ["also@far.test", "good@far.test"],
                        "the relayed ones")


def test_117_ok_to_the_dot_and_then_421(data):
    """The 250 counts, whatever follows it."""
    def script(verb, argument, count):
        return b"250 2.0.0 taken\r\n421 4.3.2 going down\r\n" if verb == "DOT" else None
    with godwit.Sink(script=script) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g)
        godwit.wait_for(lambda: g.events("relayed"), "it is relayed")
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")


def test_117_replies_ahead_of_their_commands(data):
    """All that a session would say, sent with the banner: nothing may be taken for done."""
    def script(verb, argument, count):
        if verb == "CONNECT":
            return (b"220 hi\r\n250 ehlo\r\n250 mail\r\n250 rcpt\r\n354 data\r\n250 taken\r\n"
                    b"221 bye\r\n")
        return "drop" if verb == "DOT" else b""
    with godwit.Sink(script=script) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=SHORT) as g:
        submit(g)
        trouble(g)
        still_queued(g)
        assert sink.messages == []


def test_117_354_without_a_recipient(data):
    def script(verb, argument, count):
        if verb == "RCPT":
            return b"550 5.1.1 nobody\r\n"
        return b"354 go on\r\n" if verb == "DATA" else None
    with godwit.Sink(script=script) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g)
        godwit.wait_for(lambda: g.events("failed"), "a failure")
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert not g.events("relayed") and sink.messages == []


def test_113_what_a_peer_says_is_escaped(data):
    """Control characters of a reply never reach the log, the queue's list or a report."""
    nasty = b"550 5.1.1 \x1b[31mred\x07 \xff\xfe Subject: x\r\n"

    def script(verb, argument, count):
        return nasty if verb == "RCPT" and "b@far" in argument else None
    with godwit.Sink(script=script) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, sender="a@client.test")
        report = sink.wait(1)[0]
        assert report.sender == "" and b"\x1b" not in report.content
        assert b"\x07" not in report.content and b"\xff" not in report.content
        with open(g.log_path, "rb") as f:
            log = f.read()
        assert b"\x1b" not in log and b"\x07" not in log and b"\xff" not in log


def test_a_next_hop_that_is_not_there(data):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
    with godwit.Godwit(data, "--next-hop", address, config=LATER) as g:
        submit(g)
        trouble(g)
        still_queued(g)


def test_comes_back_and_all_of_it_arrives(data):
    """A hop that was down: everything waits, then goes, once."""
    down = threading.Event()
    down.set()

    def script(verb, argument, count):
        return b"421 4.3.2 down\r\n" if verb == "CONNECT" and down.is_set() else None
    with godwit.Sink(script=script) as sink, godwit.Godwit(
            data, "--next-hop", sink.address,
            config="queue: { retry_first: 200ms, retry_max: 500ms }\n") as g:
        for _ in range(20):
            submit(g)
        godwit.wait_for(lambda: g.events("site-failed"), "the trouble")
        down.clear()
        sink.wait(20)
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert len(sink.messages) == 20


def test_reload_under_load_loses_nothing(data):
    """SIGHUP again and again, the next hop changing: each message arrives once."""
    with godwit.Sink() as one, godwit.Sink() as two:
        sinks = [one, two]

        def config(hop):
            return f"routes: [{{ deliver: {{ smtp: '{hop.address}' }} }}]\n" + LATER
        with godwit.Godwit(data, config=config(one)) as g:
            stopping = threading.Event()
            sent = []

            def load(name):
                with Client(g.port) as c:
                    number = 0
                    while not stopping.is_set():
                        token = f"{name}-{number}"
                        assert c.message(b"Subject: x\r\n\r\n" + token.encode() + b"\r\n",
                                         recipients=(f"{token}@far.test",))[0] == 250
                        sent.append(token)
                        number += 1
            threads = [threading.Thread(target=load, args=(f"t{i}",)) for i in range(3)]
            for thread in threads:
                thread.start()
            try:
                for turn in range(1, 9):
                    before = len(sent)
                    godwit.wait_for(lambda: len(sent) >= before + 20, "some messages")
                    with open(g.data + ".yaml", "w") as f:
                        f.write(config(sinks[turn % 2]))
                    os.kill(g.process.pid, signal.SIGHUP)
                    godwit.wait_for(lambda: len(g.events("reloaded")) == turn, "the reload")
            finally:
                stopping.set()
                for thread in threads:
                    thread.join()
            godwit.wait_for(lambda: len(one.messages) + len(two.messages) >= len(sent), "all")
            arrived = [r.split("@")[0] for s in sinks for m in s.messages for r in m.recipients]
            assert sorted(arrived) == sorted(sent)
            assert one.messages and two.messages
            assert g.events("reload-failed") == []


def test_a_wrong_configuration_changes_nothing(relay, sink):
    with open(relay.data + ".yaml", "w") as f:
        f.write("hostnam: x\n")
    submit(relay)
    sink.wait(1)
    os.kill(relay.process.pid, signal.SIGHUP)
    submit(relay)
    sink.wait(2)
