"""Filters that speak the milter protocol: every command, every edit, every failure."""
import os
import re
import socket
import struct

import pytest

from godwit import Client, Godwit, Sink, wait_for
from milter import EXACT, MUTE, NO, SKIP, Milter, at, at_end, header, packet

MAIL = b"Subject: hello\r\nFrom: a@client.test\r\nX-Old: 1\r\nX-Old: 2\r\n\r\nbody\r\n.dot\r\n"


def filters(*milters, **keys):
    rows = []
    for m in milters:
        more = "".join(f", {k}: {v}" for k, v in keys.items())
        rows.append(f"  - {{ socket: '{m if isinstance(m, str) else m.socket}'{more} }}")
    return "milters:\n" + "\n".join(rows) + "\n"


class Chain:
    """godwit between a client and a sink, with filters."""

    def __init__(self, tmp_path, config, **options):
        self.sink = Sink()
        self.tmp_path, self.config, self.options = tmp_path, config, options

    def __enter__(self):
        self.sink.__enter__()
        self.godwit = Godwit(str(self.tmp_path / "data"), "--next-hop", self.sink.address,
                             config=self.config, **self.options)
        return self

    def __exit__(self, *_):
        self.godwit.kill()
        self.sink.__exit__()

    def send(self, content=MAIL, **envelope):
        with Client(self.godwit.port) as c:
            reply = c.message(content, **envelope)
            assert c.code("QUIT") == 221
        return reply

    def received(self, count=1):
        wait_for(lambda: len(self.sink.messages) >= count, "mail")
        return self.sink.messages[count - 1]


def own(content):
    """The message without the field that godwit puts in front."""
    ours = re.search(rb"(?m)^Received:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*", content)
    assert b"mx.godwit.test" in ours[0], content[:80]
    return content[:ours.start()] + content[ours.end():]


def test_every_command_is_said_with_its_macros(tmp_path):
    with Milter() as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send(recipients=("b@far.test", "c@far.test"))[0] == 250
        assert own(chain.received().content) == MAIL
        session = wait_for(lambda: m.sessions and m.sessions[0].said("Q") and m.sessions[0],
                           "the farewell")
        assert session.options == (6, 0x1ff, 0x1fffff & ~0x800)
        order = "".join(c for c, _ in session.commands)
        assert order == "OCHMRRTLLLLNBEQ"
        name, rest = session.said("C")[0].split(b"\0", 1)
        assert (name, rest[:1], rest[3:]) == (b"unknown", b"4", b"127.0.0.1\0")
        assert session.said("H") == [b"client.test\0"]
        assert session.said("M")[0].split(b"\0")[0] == b"<a@client.test>"
        assert session.said("R") == [b"<b@far.test>\0", b"<c@far.test>\0"]
        assert session.headers() == [("Subject", "hello"), ("From", "a@client.test"),
                                     ("X-Old", "1"), ("X-Old", "2")]
        assert session.body() == b"body\r\n.dot\r\n"
        assert session.macros["C"]["j"] == "mx.godwit.test"
        assert session.macros["C"]["{client_addr}"] == "127.0.0.1"
        assert session.macros["C"]["_"] == "unknown [127.0.0.1]"
        assert session.macros["C"]["{daemon_name}"] == "MTA"
        assert session.macros["M"]["{mail_addr}"] == "a@client.test"
        assert session.macros["R"]["{rcpt_addr}"] == "c@far.test"
        assert session.macros["T"]["i"] == session.macros["E"]["i"]
        accepted = wait_for(lambda: chain.godwit.events("accepted"), "the log")[0]
        assert accepted["id"] == session.macros["E"]["i"]


def test_unknown_commands_are_said(tmp_path):
    with Milter() as m, Chain(tmp_path, filters(m)) as chain, Client(chain.godwit.port) as c:
        assert c.code("EHLO client.test") == 250
        assert c.code("XYZZY nothing happens") == 500
        assert c.code("MAIL FROM:<a@client.test>") == 250
        m.script = at("U", b"y503 5.5.1 not now\0")
        code, text = c.ask("PLUGH")
        assert code == 503 and "not now" in text
        m.script = at("U", b"4")
        assert c.code("PLOVER") == 421 and c.is_closed()
        assert m.sessions[0].said("U") == [b"XYZZY nothing happens\0", b"PLUGH\0", b"PLOVER\0"]


@pytest.mark.parametrize("protocol", [0x100, 0x20000])
def test_unknown_commands_that_are_not_wanted_or_not_answered(tmp_path, protocol):
    script = at("U")
    with Milter(script, protocol=protocol) as m, Chain(tmp_path, filters(m)) as chain, \
            Client(chain.godwit.port) as c:
        assert c.code("EHLO client.test") == 250
        assert c.code("XYZZY") == 500
        assert c.message(MAIL)[0] == 250
        assert len(m.sessions[0].said("U")) == (0 if protocol == 0x100 else 1)


def test_parameters_are_said(tmp_path):
    with Milter() as m, Chain(tmp_path, filters(m)) as chain, Client(chain.godwit.port) as c:
        assert c.code("EHLO client.test") == 250
        assert c.code("MAIL FROM:<a@client.test> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS") == 250
        assert m.sessions[0].said("M") == [
            b"<a@client.test>\0SIZE=1000\0BODY=8BITMIME\0SMTPUTF8\0RET=HDRS\0"]


def test_tls_is_told(tmp_path):
    with Milter() as m, Chain(tmp_path, filters(m)) as chain:
        with Client(chain.godwit.port, channel="starttls") as c:
            assert c.message(MAIL)[0] == 250
        macros = m.sessions[0].macros["H"]
        assert macros["{tls_version}"].startswith("TLSv1.")
        assert macros["{cipher}"] and int(macros["{cipher_bits}"]) >= 128


def test_macros_that_are_asked_for(tmp_path):
    with Milter(names=[(2, "i mail_addr {client_addr} {nonsense}"), (0, "")]) as m, \
            Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        session = m.sessions[0]
        assert session.macros["M"] == {"{mail_addr}": "a@client.test",
                                       "{client_addr}": "127.0.0.1"}
        assert "C" not in session.macros


@pytest.mark.parametrize("path", ["tcp", "unix"])
def test_headers_are_edited(tmp_path, path):
    script = at_end(header("h", "X-New", "n\n folded"), header("i", "X-Top", "t", 0),
                    header("m", "Subject", "changed", 1), header("m", "X-Old", "", 2),
                    b"p")
    where = str(tmp_path / "milter.sock") if path == "unix" else None
    with Milter(script, path=where) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        assert own(chain.received().content) == (
            b"X-Top: t\r\nSubject: changed\r\nFrom: a@client.test\r\nX-Old: 1\r\n"
            b"X-New: n\r\n folded\r\n\r\nbody\r\n.dot\r\n")
        event = wait_for(lambda: chain.godwit.events("milter"), "the log")[0]
        assert event["action"] == "edited" and event["milter"] == m.socket


def test_places_in_the_header(tmp_path):
    """Our own Received field is the first of them (Sendmail's smfi_insheader)."""
    script = at_end(header("i", "X-One", "1", 1), header("i", "X-Zero", "0", 0),
                    header("i", "X-Three", "3", 3), header("i", "X-Last", "l", 1000))
    with Milter(script) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        names = re.findall(rb"(?m)^([A-Za-z-]+):", chain.received().content.split(b"\r\n\r\n")[0])
        assert names == [b"X-Zero", b"Received", b"X-One", b"X-Three", b"Subject", b"From",
                         b"X-Old", b"X-Old", b"X-Last"]


def test_a_filter_that_drips(tmp_path):
    """Every octet by itself is the same answer."""
    class Dripping(Milter):
        def _step(self, connection, stream, session):
            class Slowly:
                @staticmethod
                def sendall(data):
                    for i in range(len(data)):
                        connection.sendall(data[i:i + 1])
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return super()._step(Slowly, stream, session)

    script = at_end(header("h", "X-New", "n"), header("m", "Subject", "s", 1), b"bnew\r", b"b\nbody",
                    b"+<new@far.test>\0", b"p")
    with Dripping(script, names=[(2, "i")]) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        content = own(chain.received().content)
        assert content.startswith(b"Subject: s\r\n") and content.endswith(
            b"X-New: n\r\n\r\nnew\r\nbody\r\n"), content


def test_filters_come_and_go_with_a_reload(tmp_path):
    with Milter(at_end(header("h", "X-New", "n"))) as m, Chain(tmp_path, "") as chain:
        assert chain.send()[0] == 250
        assert b"X-New" not in chain.received(1).content
        for count, config in ((2, filters(m)), (3, "")):
            with open(str(tmp_path / "data.yaml"), "w") as f:
                f.write(config or "milters: []\n")
            assert chain.godwit.tool("reload", "--data", chain.godwit.data).returncode == 0
            assert chain.send()[0] == 250
            assert (b"X-New" in chain.received(count).content) == (config != "")


def test_values_as_they_are(tmp_path):
    script = at_end(header("h", "X-New", "  two"))
    with Milter(script, protocol=EXACT) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        assert b"X-New:  two\r\n" in chain.received().content
        assert m.sessions[0].headers()[0] == ("Subject", " hello")


def test_nothing_is_injected(tmp_path):
    script = at_end(header("h", "X-New", "a\r\n\r\nevil\r\n.\r\nMAIL FROM:<x@y>"),
                    b"bone\n.\ntwo\r.\rthree\r\n.\r\nfour")
    with Milter(script) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        content = own(chain.received().content)
        head, body = content.split(b"\r\n\r\n", 1)
        assert head.endswith(b"X-New: a\r\n\tevil\r\n\t.\r\n\tMAIL FROM:<x@y>")
        assert body == b"one\r\n.\r\ntwo\r\n.\r\nthree\r\n.\r\nfour\r\n"
        assert len(chain.sink.messages) == 1


def test_the_body_is_replaced_also_when_it_is_large(tmp_path):
    line = b"x" * 70 + b"\r\n"
    large = line * 20000                                   # over what stays in memory
    chunks = [b"b" + large[i:i + 65535] for i in range(0, len(large), 65535)]
    with Milter(at_end(*chunks)) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        assert own(chain.received().content).split(b"\r\n\r\n", 1)[1] == large
        assert m.sessions[0].body() == b"body\r\n.dot\r\n"
        assert [f for f in os.listdir(chain.godwit.data) if "filtered" in f] == []


def test_a_session_goes_on_behind_a_large_new_body(tmp_path):
    """The new body was being written when the answer came, and nothing was read after it."""
    chunks = [b"b" + b"x" * 60000 + b"\r\n"] * 5
    with Milter(at_end(*chunks)) as m, Chain(tmp_path, filters(m)) as chain, \
            Client(chain.godwit.port) as c:
        for count in range(1, 4):
            assert c.message(MAIL)[0] == 250
            chain.received(count)
        assert len(m.sessions) == 1


def test_a_large_message_goes_through_as_it_is(tmp_path):
    content = b"Subject: large\r\n\r\n" + b"".join(b"%07d %s\r\n" % (i, b"y" * 60)
                                                  for i in range(40000))
    with Milter() as first, Milter(protocol=MUTE["B"] | MUTE["L"]) as second, \
            Chain(tmp_path, filters(first, second)) as chain:
        assert chain.send(content)[0] == 250
        assert own(chain.received().content) == content
        for m in (first, second):
            assert m.sessions[0].body() == content.split(b"\r\n\r\n", 1)[1]


def test_recipients_and_sender_are_edited(tmp_path):
    script = at_end(b"+<new@far.test>\0", b"-<b@far.test>\0", b"2<dsn@far.test>\0NOTIFY=NEVER\0",
                    b"e<other@client.test>\0\0")
    with Milter(script) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send(recipients=("b@far.test", "c@far.test"))[0] == 250
        got = chain.received()
        wait_for(lambda: sum(len(one.recipients) for one in chain.sink.messages) == 3, "all")
        assert {one.sender for one in chain.sink.messages} == {"other@client.test"}, got
        assert sorted(r for one in chain.sink.messages for r in one.recipients) == [
            "c@far.test", "dsn@far.test", "new@far.test"]


def test_nobody_is_left(tmp_path):
    with Milter(at_end(b"-<b@far.test>\0")) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        wait_for(lambda: chain.godwit.events("discarded"), "the log")
        assert chain.godwit.queue() == [] and chain.sink.messages == []


def test_quarantine_holds(tmp_path):
    with Milter(at_end(b"qit smells\0")) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        event = wait_for(lambda: [e for e in chain.godwit.events("milter")
                                  if e["action"] == "quarantine"], "the log")[0]
        assert event["text"] == "it smells"
        queue = wait_for(chain.godwit.queue, "the queue")
        assert queue[0]["id"] == event["id"] and chain.sink.messages == []
        assert "held" in str(queue[0]) or "hold" in str(queue[0]), queue[0]


@pytest.mark.parametrize("command", ["M", "R", "T", "L", "N", "B", "E"])
def test_discard(tmp_path, command):
    with Milter(at(command, b"d")) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        wait_for(lambda: chain.godwit.events("discarded"), "the log")
        assert [e["action"] for e in chain.godwit.events("milter")] == ["discard"]
        assert chain.godwit.queue() == [] and chain.sink.messages == []


REPLIES = [(b"r", 550, "5.7.1"), (b"t", 451, "4.7.1"),
           (b"y550 5.7.8 go away\0", 550, "5.7.8 go away"),
           (b"y452-4.2.2 first\r\n452 4.2.2 second 100%%\0", 452, "4.2.2 second 100%"),
           (b"y554 no more\0", 554, "5.7.1 no more")]


@pytest.mark.parametrize("answer,code,text", REPLIES)
@pytest.mark.parametrize("command", ["H", "M", "R", "T", "L", "N", "B", "E"])
def test_refusals(tmp_path, command, answer, code, text):
    script = at(command, answer)
    with Milter(script) as m, Chain(tmp_path, filters(m)) as chain, \
            Client(chain.godwit.port, channel="clear") as c:
        steps = [("H", "EHLO client.test"), ("M", "MAIL FROM:<a@client.test>"),
                 ("R", "RCPT TO:<b@far.test>"), ("T", "DATA"),
                 ("LNBE", MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n")]
        for commands, said in steps:
            got, words = c.ask(said)
            if command in commands:
                break
            assert got in (250, 354)
        assert got == code and text in words, (got, words)
        m.script = lambda session, command, data: None
        assert c.code("RSET") == 250
        assert c.message(MAIL)[0] == 250                    # the next one is another matter
        event = wait_for(lambda: chain.godwit.events("milter"), "the log")[0]
        assert event["action"] == ("reject" if code >= 500 else "tempfail")
        assert str(code) in event["text"] and event["milter"] == m.socket


@pytest.mark.parametrize("answer,code", [(b"r", 554), (b"t", 451), (b"f", 421), (b"4", 421),
                                         (b"y554 5.7.1 not you\0", 554)])
def test_a_client_is_refused(tmp_path, answer, code):
    with Milter(at("C", answer)) as m, Chain(tmp_path, filters(m)) as chain:
        with Client(chain.godwit.port, greeting=False) as c:
            assert c.reply()[0] == code
            assert c.is_closed()


@pytest.mark.parametrize("command", ["M", "E"])
def test_shutdown_closes(tmp_path, command):
    with Milter(at(command, b"4")) as m, Chain(tmp_path, filters(m)) as chain:
        with Client(chain.godwit.port) as c:
            if command == "E":
                assert c.message(MAIL)[0] == 421
            else:
                assert c.code("EHLO client.test") == 250
                assert c.code("MAIL FROM:<a@client.test>") == 421
            assert c.is_closed()
        assert chain.godwit.queue() == []


@pytest.mark.parametrize("command", ["C", "H", "M", "R", "T", "L", "N", "B"])
def test_who_accepts_sees_no_more(tmp_path, command):
    with Milter(at(command, b"a")) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        assert own(chain.received().content) == MAIL
        order = [c for c, _ in m.sessions[0].commands if c not in "AQ"]
        assert order[-1] == command


@pytest.mark.parametrize("command", list(NO))
def test_what_is_not_wanted_is_not_said(tmp_path, command):
    with Milter(protocol=NO[command]) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        chain.received()
        assert m.sessions[0].said(command) == []
        assert len(m.sessions[0].said("E")) == 1


@pytest.mark.parametrize("command", list(MUTE))
def test_what_is_not_answered_is_not_waited_for(tmp_path, command):
    with Milter(protocol=MUTE[command]) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        assert own(chain.received().content) == MAIL
        assert m.sessions[0].said(command) != []


@pytest.mark.parametrize("version,actions,protocol", [(2, 0x3f, 0), (3, 0x3f, 0x100), (4, 0x3f, 0)])
def test_older_versions(tmp_path, version, actions, protocol):
    script = at_end(header("h", "X-New", "n"))
    with Milter(script, version=version, actions=actions, protocol=protocol) as m, \
            Chain(tmp_path, filters(m)) as chain:
        assert chain.send()[0] == 250
        assert b"X-New: n\r\n" in chain.received().content
        assert len(m.sessions[0].said("T")) == (1 if version >= 4 else 0)


def test_skip(tmp_path):
    content = b"Subject: x\r\n\r\n" + (b"z" * 70 + b"\r\n") * 5000
    with Milter(at("B", b"s"), protocol=SKIP) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send(content)[0] == 250
        assert own(chain.received().content) == content
        assert len(m.sessions[0].said("B")) == 1


def test_each_sees_the_edits_of_the_former(tmp_path):
    first = at_end(header("i", "X-First", "1", 0), b"bfrom the first\r\n",
                   b"+<new@far.test>\0")
    second = at_end(header("m", "X-First", "2", 1))
    with Milter(first) as one, Milter(second) as two, \
            Chain(tmp_path, filters(one, two)) as chain:
        assert chain.send()[0] == 250
        content = own(chain.received().content)
        assert content.startswith(b"X-First: 2\r\nSubject:")
        assert content.endswith(b"\r\n\r\nfrom the first\r\n")
        assert two.sessions[0].headers()[0] == ("X-First", "1")
        assert two.sessions[0].body() == b"from the first\r\n"


def failing(command, answer):
    return lambda session, c, data: answer if c == command else None


FAILURES = {
    "close": "close", "garbage": b"HTTP/1.1 200 OK\r\n\r\n", "huge": b"\xff\xff\xff\xff",
    "zero": b"\0\0\0\0", "edit": None, "options": [b"O" + b"\0" * 12],
    "no-string": packet(b"y550 5.7.1 x"), "code": [b"y250 2.0.0 fine\0"],
    "twice": [b"c", b"c"],
}


@pytest.mark.parametrize("then", ["accept", "tempfail", "reject", "quarantine"])
@pytest.mark.parametrize("failure", list(FAILURES))
def test_failures(tmp_path, failure, then):
    """Whatever it does in place of an answer, the configuration decides."""
    answer = FAILURES[failure]
    command = "E"
    if failure == "edit":       # an edit before the end of the message
        command, answer = "M", [header("h", "X", "y"), b"c"]
    with Milter(failing(command, answer)) as m, \
            Chain(tmp_path, filters(m, on_failure=then)) as chain:
        with Client(chain.godwit.port) as c:
            assert c.code("EHLO client.test") == 250
            code = c.code("MAIL FROM:<a@client.test>")
            if code == 250:
                assert c.code("RCPT TO:<b@far.test>") == 250
                assert c.code("DATA") == 354
                code = c.ask(MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n")[0]
        wanted = {"accept": 250, "tempfail": 451, "reject": 550, "quarantine": 250}[then]
        assert code == wanted
        event = wait_for(lambda: chain.godwit.events("milter-failed"), "the log")[0]
        assert event["milter"] == m.socket and event["then"] == then
        if then == "accept":
            assert own(chain.received().content) == MAIL
        elif then == "quarantine":
            assert len(wait_for(chain.godwit.queue, "the queue")) == 1
            assert chain.sink.messages == []
        else:
            assert chain.godwit.queue() == []


@pytest.mark.parametrize("command", ["O", "C", "H", "M", "R", "T", "L", "N", "B", "E"])
def test_one_that_hangs(tmp_path, command):
    config = filters("SOCKET", on_failure="accept",
                     timeouts="{ connect: 200ms, command: 200ms, content: 200ms, "
                              "end_of_message: 200ms }")
    with Milter(failing(command, "hang")) as m, \
            Chain(tmp_path, config.replace("SOCKET", m.socket)) as chain:
        assert chain.send()[0] == 250
        assert own(chain.received().content) == MAIL
        assert wait_for(lambda: chain.godwit.events("milter-failed"), "the log")[0]["why"] == \
            "it takes too long"


def test_progress_puts_the_end_off(tmp_path):
    import time

    def script(session, command, data):
        if command != "E":
            return None
        for _ in range(8):                  # together longer than the time it has
            session.connection.sendall(packet(b"p"))
            time.sleep(0.1)
        return [header("h", "X-Late", "yes"), b"c"]

    class Slow(Milter):
        def _talk(self, connection, session):
            session.connection = connection
            super()._talk(connection, session)

    config = filters("SOCKET", timeouts="{ end_of_message: 500ms }")
    with Slow(script) as m, Chain(tmp_path, config.replace("SOCKET", m.socket)) as chain:
        assert chain.send()[0] == 250
        assert b"X-Late: yes" in chain.received().content


def test_nothing_of_a_filter_that_fails_counts(tmp_path):
    """It has changed all there is, and then it goes without a word."""
    edits = b"".join(packet(e) for e in (
        header("h", "X-New", "n"), header("m", "Subject", "", 1), b"bnew body\r\n",
        b"+<new@far.test>\0", b"-<b@far.test>\0", b"e<>\0", b"qheld\0"))
    script = failing("E", edits + b"\0\0\0\0")
    with Milter(script) as bad, Milter(at_end(header("h", "X-Good", "g"))) as good, \
            Chain(tmp_path, filters(bad, good, on_failure="accept")) as chain:
        assert chain.send()[0] == 250
        got = chain.received()
        assert own(got.content) == MAIL.replace(b"\r\n\r\n", b"\r\nX-Good: g\r\n\r\n")
        assert (got.sender, list(got.recipients)) == ("a@client.test", ["b@far.test"])


def test_edits_that_were_not_agreed_upon(tmp_path):
    with Milter(at_end(header("h", "X", "y")), actions=0) as m, \
            Chain(tmp_path, filters(m, on_failure="reject")) as chain:
        assert chain.send()[0] == 550


@pytest.mark.parametrize("options", [(7, 0, 0), (1, 0, 0), (6, 0x1000, 0), (6, 0, 0x10000000)])
def test_options_that_were_not_offered(tmp_path, options):
    script = failing("O", [b"O" + struct.pack(">III", *options)])
    with Milter(script) as m, Chain(tmp_path, filters(m)) as chain:
        with Client(chain.godwit.port) as c:
            assert c.code("EHLO client.test") == 250
            assert c.code("MAIL FROM:<a@client.test>") == 451


def test_nobody_listens(tmp_path):
    path = str(tmp_path / "nobody.sock")
    with Chain(tmp_path, filters(path)) as chain, Client(chain.godwit.port) as c:
        assert c.code("EHLO client.test") == 250
        assert c.code("MAIL FROM:<a@client.test>") == 451
        with Milter(path=path):                     # it is there again: so is the mail
            assert c.message(MAIL)[0] == 250
        assert own(chain.received().content) == MAIL


def test_one_that_goes_between_messages_is_reached_anew(tmp_path):
    path = str(tmp_path / "milter.sock")
    with Milter(path=path) as m, Chain(tmp_path, filters(path)) as chain, \
            Client(chain.godwit.port) as c:
        assert c.message(MAIL)[0] == 250
        m.close()
        os.unlink(path)
        with Milter(path=path) as again:
            assert c.message(MAIL)[0] == 250
            assert "".join(x for x, _ in again.sessions[0].commands).startswith("OCHMRT")


def test_aborted_transactions(tmp_path):
    with Milter() as m, Chain(tmp_path, filters(m)) as chain, Client(chain.godwit.port) as c:
        c.envelope()
        assert c.code("RSET") == 250
        assert c.message(MAIL)[0] == 250
        assert "".join(x for x, _ in m.sessions[0].commands).count("A") == 1
        assert own(chain.received().content) == MAIL


def test_a_client_that_goes_while_a_filter_thinks(tmp_path):
    with Milter(failing("E", "hang")) as m, Chain(tmp_path, filters(m)) as chain:
        for _ in range(5):
            with Client(chain.godwit.port) as c:
                c.envelope()
                assert c.code("DATA") == 354
                c.send(MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n")
                wait_for(lambda: m.sessions[-1].said("E"), "the end of the message")
        m.script = lambda session, command, data: None
        assert chain.send()[0] == 250
        assert chain.godwit.stop() == 0


def test_listeners_and_relay_clients(tmp_path):
    with Milter() as m:
        config = filters(m, listener="submission")
        with Chain(tmp_path, config) as chain:
            assert chain.send()[0] == 250
        config = filters(m, skip_relay_clients="true") + "relay_clients: [127.0.0.1]\n"
        os.mkdir(tmp_path / "second")
        with Chain(tmp_path / "second", config) as chain:
            assert chain.send()[0] == 250
        assert all(s.said("M") == [] for s in m.sessions)


def test_bdat(tmp_path):
    script = at_end(header("h", "X-New", "n"))
    with Milter(script) as m, Chain(tmp_path, filters(m)) as chain, \
            Client(chain.godwit.port) as c:
        c.envelope()
        half = len(MAIL) // 2
        assert c.ask(b"BDAT %d\r\n" % half + MAIL[:half])[0] == 250
        assert c.ask(b"BDAT %d LAST\r\n" % (len(MAIL) - half) + MAIL[half:])[0] == 250
        assert own(chain.received().content) == MAIL.replace(
            b"\r\n\r\n", b"\r\nX-New: n\r\n\r\n")


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\r\nbody\r\n", b"Subject: only\r\n",
                                     b"Subject: x\r\n\r\n"])
def test_odd_messages_go_through(tmp_path, content):
    with Milter(at_end(header("h", "X-New", "n"))) as m, Chain(tmp_path, filters(m)) as chain:
        assert chain.send(content)[0] == 250
        assert b"X-New: n\r\n" in own(chain.received().content)
        assert m.sessions[0].said("E") != []


@pytest.mark.parametrize("text,words", [
    ("milters: [{ socket: 'mail.example.com:25' }]", "names are not looked up"),
    ("milters: [{ socket: '*:25' }]", "names are not looked up"),
    ("milters: [{ socket: /run/x, on_failure: tempfial }]", "tempfail"),
    ("milters: [{ name: x }]", "socket"),
    ("milters: [{ socket: /run/x, timeout: 3s }]", "timeouts"),
    ("milters: /run/x", "list"),
])
def test_mistakes_are_explained(tmp_path, text, words):
    path = tmp_path / "godwit.yaml"
    path.write_text(f"hostname: mx.godwit.test\ndata: {tmp_path}/data\n{text}\n")
    done = Godwit.tool(None, "config", "check", "--config", str(path))
    assert done.returncode != 0 and words in done.stdout + done.stderr
