"""Dialogues with a running server: what goes in, byte by byte, and the codes back."""
import json
import os
import re
import socket

import pytest

import godwit
from godwit import CHANNEL, Client


def test_a_message_is_relayed_byte_by_byte(relay, sink):
    content = b"From: <a@client.test>\r\nSubject: dots\r\n\r\n.\r\n..\r\n.a\r\nend\r\n"
    with Client(relay.port) as c:
        code, text = c.message(content)
        assert code == 250 and "queued as" in text
        assert c.code("QUIT") == 221
        assert c.is_closed()
    received = sink.wait(1)[0]
    assert received.sender == "a@client.test"
    assert received.recipients == ["b@far.test"]
    assert received.content.startswith(b"Received: from client.test ([127.0.0.1])\r\n")
    assert godwit.without_trace(received.content) == content


def test_extensions_are_offered(relay):
    with Client(relay.port) as c:
        code, text = c.ask("EHLO x")
        words = text.split("\n")[1:]
        assert code == 250
        for word in ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN",
                     "ENHANCEDSTATUSCODES", "HELP"):
            assert word in words
        assert "SIZE 52428800" in words
        assert ("STARTTLS" in words) == (CHANNEL == "clear")
        assert not any(word.startswith(("AUTH", "XCLIENT")) for word in words)


def test_pipelined_commands_are_answered_in_order(relay, sink):
    with Client(relay.port) as c:
        c.send(b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nRCPT TO:<bad\r\n"
               b"DATA\r\n")
        assert [c.reply()[0] for _ in range(5)] == [250, 250, 250, 501, 354]
        c.send(b"hi\r\n.\r\nMAIL FROM:<>\r\nQUIT\r\n")
        assert [c.reply()[0] for _ in range(3)] == [250, 250, 221]
    sink.wait(1)


def test_bdat_in_chunks_arrives_whole(relay, sink):
    content = os.urandom(100000).hex().encode()
    body = b"\r\n".join(content[i:i + 76] for i in range(0, len(content), 76)) + b"\r\n"
    with Client(relay.port) as c:
        c.envelope()
        at = 0
        for size in (1, 2, 70000, 1000, 3):
            c.send(b"BDAT %d\r\n" % size + body[at:at + size])
            assert c.reply()[0] == 250
            at += size
        c.send(b"BDAT %d LAST\r\n" % (len(body) - at) + body[at:])
        assert c.reply()[0] == 250
    assert godwit.without_trace(sink.wait(1)[0].content) == body


def test_one_byte_at_a_time(relay, sink):
    script = (b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"
              b"Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
    with Client(relay.port) as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in script:
            c.send(bytes([byte]))
        assert [c.reply()[0] for _ in range(6)] == [250, 250, 250, 354, 250, 221]
    assert godwit.without_trace(sink.wait(1)[0].content) == b"Subject: x\r\n\r\n.dot\r\n"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 1048575, 1048576, 1048577,
                                  5000000])
def test_messages_of_any_size_arrive(relay, sink, size):
    line = b"x" * 98 + b"\r\n"
    content = (line * (size // 100 + 1))[:size]
    if size and not content.endswith(b"\r\n"):
        content = content.rstrip(b"\r\n")[:-2] + b"\r\n" if size > 3 else b""
    with Client(relay.port) as c:
        assert c.message(content)[0] == 250
    assert godwit.without_trace(sink.wait(1)[0].content) == content


def test_too_big_is_refused_and_forgotten(sink, data):
    config = "limits: { message: 65536 }\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        with Client(g.port) as c:
            assert c.message(b"x" * 900 + b"\r\n")[0] == 250
            assert c.code("MAIL FROM:<a@b> SIZE=65537") == 552
            assert c.message((b"y" * 70 + b"\r\n") * 5000)[0] == 552
            c.envelope()
            c.send(b"BDAT 65537 LAST\r\n" + b"z" * 65537)
            assert c.reply()[0] == 552
            assert c.code("NOOP") == 250
            assert c.message(b"w\r\n")[0] == 250
        sink.wait(2)
    assert [m.content[-3:] for m in sink.messages] in ([b"x\r\n", b"w\r\n"], [b"w\r\n", b"x\r\n"])


def test_half_closed_client_gets_its_replies(relay, sink):
    """`printf … | nc`: all is said at once and the client's side closed."""
    s = socket.create_connection(("127.0.0.1", relay.port), 30)
    s.sendall(b"HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n")
    s.shutdown(socket.SHUT_WR)
    replies = b""
    while True:
        part = s.recv(4096)
        if not part:
            break
        replies += part
    assert re.findall(rb"(?m)^(\d{3})", replies) == [b"220", b"250", b"250", b"250", b"354",
                                                    b"250", b"221"]
    sink.wait(1)


def test_a_client_that_goes_in_the_middle_leaves_nothing(relay, sink):
    with Client(relay.port) as c:
        c.envelope()
        assert c.code("DATA") == 354
        c.send(b"Subject: half\r\n\r\nnever ended\r\n")
    with Client(relay.port) as c:
        c.envelope()
        c.send(b"BDAT 100 LAST\r\nhalf")
    with Client(relay.port) as c:
        assert c.message(b"whole\r\n")[0] == 250
    sink.wait(1)
    godwit.wait_for(lambda: relay.queue() == [], "an empty queue")
    assert len(sink.messages) == 1


def test_sigterm_says_421_and_ends(relay):
    with Client(relay.port) as c:
        assert c.code("EHLO x") == 250
        assert relay.stop() == 0
        assert c.reply()[0] == 421
        assert c.is_closed()


def test_handed_dialogues_of_opensmtpd(relay):
    path = os.path.join(godwit.VECTORS, "dialogues", "opensmtpd", "cases.json")
    if not os.path.exists(path):
        pytest.skip("the shared vectors are not here")
    for case in json.load(open(path)):
        with Client(relay.port) as c:
            code = [c.code(line) for line in case["send"]][-1]
            wanted = case["expect_last"]
            assert str(code)[0] == wanted[0], case
            if wanted.endswith("close"):
                assert c.is_closed()


def test_handed_ends_of_data(relay, sink):
    path = os.path.join(godwit.VECTORS, "hostile", "end-of-data-sequences.json")
    if not os.path.exists(path):
        pytest.skip("the shared vectors are not here")
    import base64
    for case in json.load(open(path)):
        sequence = base64.b64decode(case["sequence_b64"])
        with Client(relay.port) as c:
            c.envelope()
            assert c.code("DATA") == 354
            c.send(b"Subject: x\r\n\r\ntext" + sequence +
                   b"MAIL FROM:<smuggled@x.test>\r\nRCPT TO:<y@z.test>\r\nDATA\r\nbad\r\n")
            c.send(b"\r\n.\r\n")
            code, _ = c.reply()
            assert code == 550, (case["repr"], code)
    with Client(relay.port) as c:
        assert c.message(b"last\r\n")[0] == 250
    sink.wait(1)
    assert len(sink.messages) == 1


def test_more_recipients_than_one_record_of_the_spool_holds(data, sink):
    """5,000 in one transaction with the next hop: what became of them is kept all the same."""
    config = ("limits: { recipients: 6000 }\n"
              "sites: { default: { recipients_per_message: 10000 } }\n")
    people = [f"p{i}@far.test" for i in range(5000)]
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        with Client(g.port) as c:
            c.ask("EHLO client.test")
            c.send(b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<%s>\r\n" % p.encode() for p in people)
                   + b"DATA\r\n")
            assert {c.reply()[0] for _ in range(5001)} == {250}
            assert c.reply()[0] == 354
            assert c.ask(b"Subject: x\r\n\r\nhi\r\n.\r\n")[0] == 250
        got = godwit.wait_for(lambda: sum(len(m.recipients) for m in sink.messages) == 5000
                              and sink.messages, "all of them")
        assert sorted(r for m in got for r in m.recipients) == sorted(people)
        godwit.wait_for(lambda: not g.queue(), "an empty queue")
        assert g.stop() == 0
        g.start()
        assert g.queue() == []


def test_limits_are_said_and_hold(sink, data):
    """RFC 9422: RCPTMAX is what 452 4.5.3 enforces."""
    with godwit.Godwit(data, "--next-hop", sink.address, config="limits: { recipients: 100 }\n") as g:
        with Client(g.port) as c:
            limits = [line for line in c.ask("EHLO client.test")[1].split("\n")
                      if line.startswith("LIMITS")]
            assert limits == ["LIMITS RCPTMAX=100"]
            assert c.code("MAIL FROM:<a@b.test>") == 250
            c.send(b"".join(b"RCPT TO:<u%d@far.test>\r\n" % i for i in range(101)))
            assert [c.reply()[0] for _ in range(101)] == [250] * 100 + [452]
