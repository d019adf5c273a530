"""What the RFCs ask of a server, a rule a row: codes, enhanced codes and the form of
every reply, from outside. The engine's own table (server_test.c) has states and cuts."""
import re

import pytest

import godwit
from godwit import Client

MAIL = [("MAIL FROM:<a@b.test>", "250 2.1.0")]
RCPT = [("RCPT TO:<c@d.test>", "250 2.1.5")]
DATA = [("DATA", "354 "), ("hi\r\n.", "250 2.0.0")]

DIALOGUES = {
    # RFC 5321 4.1.1, 4.1.4
    "verbs in any case": [("mail from:<a@b.test>", "250"), ("rCPT To:<c@d.test>", "250"),
                          ("dAtA", "354 "), (".", "250")],
    "harmless ones change nothing": [*MAIL, ("NOOP x y", "250 2.0.0"), ("VRFY x", "252 2.5.0"),
                                     ("EXPN x", "502 5.5.1"), ("HELP x", "214 2.0.0"), *RCPT,
                                     *DATA],
    "faults change nothing": [*MAIL, *RCPT, ("MAIL FROM:<x@y.test>", "503 5.5.1"),
                              ("RCPT TO:<x@@y.test>", "501 5.1.3"), ("RCPT", "501 5.5.4"),
                              ("RSET x", "501 5.5.4"), ("EHLO", "501 5.5.4"),
                              ("HELO", "501 5.5.4"), ("DATA x", "501 5.5.4"),
                              ("QUIT x", "501 5.5.4"), ("FOO", "500 5.5.2"), ("", "500 5.5.2"),
                              *DATA],
    "hello resets": [*MAIL, *RCPT, ("EHLO again.test", "250"), ("DATA", "503 5.5.1"), *MAIL,
                     ("HELO again.test", "250"), ("RCPT TO:<c@d.test>", "503 5.5.1")],
    "a message ends the transaction": [*MAIL, *RCPT, *DATA, ("RCPT TO:<c@d.test>", "503 5.5.1"),
                                       ("DATA", "503 5.5.1"), *MAIL, *RCPT, *DATA],
    "nobody to send to": [*MAIL, ("DATA", "503 5.5.1"), ("RCPT TO:<@d.test>", "501 5.1.3"),
                          ("DATA", "554 5.5.1"), *RCPT, *DATA],
    "no session yet": [("HELO", "501 5.5.4"), ("RSET", "250 2.0.0"), ("VRFY x", "252 2.5.0")],
    # RFC 5321 4.1.2, 4.1.3, 4.5.1
    "quoted": [("MAIL FROM:<\"a\\\" <@>\\\\b\"@c.test>", "250"), ("RCPT TO:<\"\"@c.test>", "250"),
               ("RCPT TO:<\" \"@c.test>", "250"), ("RCPT TO:<\"a\"b@c.test>", "501 5.1.3"),
               ("RCPT TO:<\"a\\\"@c.test>", "501 5.1.3"), ("RCPT TO:<a\\@b@c.test>", "501 5.1.3")],
    "literals": [("MAIL FROM:<a@[192.0.2.1]>", "250"), ("RCPT TO:<a@[IPv6:2001:db8::1]>", "250"),
                 ("RCPT TO:<a@[IPv6:::ffff:192.0.2.1]>", "250"),
                 *[(f"RCPT TO:<a@{wrong}>", "501 5.1.3") for wrong in (
                     "[]", "[192.0.2]", "[192.0.2.256]", "[192.0.2.1", "[2001:db8::1]",
                     "[IPv6:1::2::3]", "[IPv6:::1%lo]", "[tag:x]", "[192.0.2.1].test")]],
    "domains": [("MAIL FROM:<a@b>", "250"), ("RCPT TO:<a@xn--bcher-kva.test>", "250"),
                (f"RCPT TO:<a@{'x' * 63}.test>", "250"), (f"RCPT TO:<{'x' * 64}@b.test>", "250"),
                *[(f"RCPT TO:<a@{wrong}>", "501 5.1.3") for wrong in (
                    "b..test", ".b", "b.", "-b.test", "b-.test", "b!c", "x" * 64 + ".test")]],
    "routes": [("MAIL FROM:<@x.test,@y.test:a@b.test>", "250"), ("RCPT TO:<@[192.0.2.1]:c@d.test>",
               "250"), ("RCPT TO:<@x.test,y.test:c@d.test>", "501 5.1.3"),
               ("RCPT TO:<x.test:c@d.test>", "501 5.1.3"), ("RCPT TO:<@x.test:>", "501 5.1.3")],
    "postmaster": [("MAIL FROM:<>", "250"), ("RCPT TO:<POSTmaster>", "250"),
                   ("RCPT TO:<other>", "553 5.1.3"), ("RCPT TO:<>", "501 5.1.3")],
    "brackets": [*[(line, "501 5") for line in (
        "MAIL FROM:a@b.test", "MAIL FROM:<a@b.test", "MAIL FROM:<a@b.test>>", "MAIL FROM <a@b.test>",
        "MAIL FROM:< a@b.test>", "MAIL FROM:<a@b.test>SIZE=1", "MAIL TO:<a@b.test>")], *MAIL],
    # RFC 1870, RFC 6152, RFC 3461, RFC 6531: parameters
    "parameters of MAIL": [*[(f"MAIL FROM:<a@b.test> {wrong}", code) for wrong, code in (
        ("SIZE", "501 5.5.4"), ("SIZE=+1", "501 5.5.4"), ("SIZE=52428801", "552 5.3.4"),
        ("BODY", "501 5.5.4"), ("RET=FULL RET=HDRS", "501 5.5.4"), ("ENVID=a+3d", "501 5.5.4"),
        ("ENVID=a+0A", "501 5.5.4"), ("ENVID=" + "x" * 101, "501 5.5.4"),
        ("SMTPUTF8 SMTPUTF8", "501 5.5.4"), ("NOTIFY=NEVER", "555 5.5.4"),
        ("AUTH=<>", "555 5.5.4"), ("X-Y", "555 5.5.4"))],
        ("MAIL FROM:<a@b.test>  size=0052428800 body=8bitmime ret=hdrs smtputf8  ENVID=a+3D ",
         "250")],
    "parameters of RCPT": [*MAIL, *[(f"RCPT TO:<c@d.test> {wrong}", code) for wrong, code in (
        ("NOTIFY", "501 5.5.4"), ("NOTIFY=SUCCESS,", "501 5.5.4"),
        ("ORCPT=rfc822;a+3d", "501 5.5.4"), ("ORCPT=;a@b", "501 5.5.4"),
        ("ORCPT=rfc822;" + "x" * 494, "501 5.5.4"), ("RET=FULL", "555 5.5.4"))],
        ("RCPT TO:<c@d.test> orcpt=rfc822;a+3D" + "x" * 480 + " notify=success,DELAY,success",
         "250")],
    "parameters are forgotten": [("MAIL FROM:<a@b.test> SMTPUTF8 X", "555 5.5.4"), *MAIL,
                                 ("RCPT TO:<é@d.test>", "553 5.6.7"), ("RSET", "250"),
                                 ("MAIL FROM:<é@b.test> SMTPUTF8", "250"),
                                 ("RCPT TO:<é@bücher.test>", "250"), ("EHLO x", "250"), *MAIL,
                                 ("RCPT TO:<é@d.test>", "553 5.6.7")],
}


def check_form(code, lines):
    """RFC 5321 4.2.1 and 4.5.3.1.5; RFC 2034 3 and 4: an enhanced code in each line of
    the class of the reply, and none in a hello's."""
    for line in lines:
        assert len(line) <= 510 and line.isascii() and line.isprintable()
        if code // 100 != 3:
            assert re.match(rf"{code // 100}\.\d{{1,3}}\.\d{{1,3}} ", line), line


@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogue(relay, name):
    with Client(relay.port) as c:
        if name != "no session yet":
            assert c.code("EHLO client.test") == 250
        for line, wanted in DIALOGUES[name]:
            code, text = c.ask(line)
            assert f"{code} {text}".startswith(wanted), line
            if code >= 300 or line[:4] not in ("EHLO", "HELO"):
                check_form(code, text.split("\n"))


HEADER = b"From: <a@client.test>\r\nSubject: x\r\n"
CONTENTS = {
    "only an empty line": b"\r\n",
    "no header": b"\r\ntext\r\n",
    "no empty line": b"text alone\r\n",
    "header alone": HEADER,
    "empty lines at the end": HEADER + b"\r\na\r\n\r\n\r\n",
    "blanks at the end": HEADER + b"\r\na \t \r\n \r\n",
    "dots": HEADER + b"\r\n.\r\n..\r\n. \r\n.a\r\n",
    "a dot alone": b".\r\n",
    "every octet": HEADER + b"\r\n" + bytes(b for b in range(1, 256) if b not in b"\r\n") + b"\r\n",
    "a very long line": HEADER + b"\r\n" + b"y" * 65536 + b"\r\n",
    "a long field, folded": b"X-Y: " + b" z\r\n" * 5000 + HEADER + b"\r\nx\r\n",
    "trace and Bcc of others": b"Return-Path: <x@y>\r\nBcc: <z@y>\r\n" + HEADER + b"\r\nx\r\n",
    "From of a mailbox": b"From x Mon Jan 1\r\n" + HEADER + b"\r\nFrom y\r\n>From z\r\n",
}


@pytest.mark.parametrize("chunk", [None, 1000000, 7])
def test_contents_arrive_as_they_were_sent(relay, sink, chunk):
    for count, (name, content) in enumerate(CONTENTS.items(), 1):
        with Client(relay.port) as c:
            if chunk is None:
                assert c.message(content)[0] == 250, name
            else:
                send_in_chunks(c, content, max(chunk, len(content) // 1000))
        assert godwit.without_trace(sink.wait(count)[-1].content) == content, name


def send_in_chunks(c, content, size):
    c.envelope()
    for at in range(0, len(content), size):
        part = content[at:at + size]
        c.send(b"BDAT %d\r\n" % len(part) + part)
        assert c.reply()[0] == 250
    assert c.code("BDAT 0 LAST") == 250


@pytest.mark.parametrize("hello, parameters, protocol", [
    ("HELO client.test", "", "SMTP"), ("EHLO client.test", "", "ESMTP"),
    ("EHLO [192.0.2.7]", " SMTPUTF8", "UTF8SMTP")])
def test_the_trace_field_says_how_it_came(relay, sink, hello, parameters, protocol):
    """RFC 5321 4.4, RFC 3848, RFC 6531 4.3, RFC 8314 4.3; nobody learns of other
    recipients."""
    secured = godwit.CHANNEL != "clear"
    if secured:
        protocol = {"SMTP": "ESMTP"}.get(protocol, protocol) + r"S \(TLSv1\.3\)"
    with Client(relay.port) as c:
        assert c.code(hello) == 250
        for recipients in (["c@d.test"], ["c@d.test", "e@d.test"]):
            assert c.code(f"MAIL FROM:<a@b.test>{parameters}") == 250
            assert [c.code(f"RCPT TO:<{r}>") for r in recipients] == [250] * len(recipients)
            assert c.code("DATA") == 354
            assert c.code(".") == 250
    for message in sink.wait(2):
        alone = len(message.recipients) == 1
        assert re.fullmatch(
            rf"Received: from {re.escape(hello[5:])} \(\[127\.0\.0\.1\]\)\r\n"
            rf"\tby mx\.godwit\.test with {protocol}\r\n\tid \w+"
            + (r"\r\n\tfor <c@d\.test>" if alone else "")
            + (r"\r\n\ttls TLS_AES_256_GCM_SHA384" if secured else "") +
            r";\r\n\t\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r\n",
            message.content.decode())


def test_a_message_to_many_is_one_transaction_also_on_a_connection_kept(relay, sink):
    """RFC 5321 4.5.4.1: one copy to a host for all of its recipients."""
    many = [f"r{i}@far.test" for i in range(100)]
    with Client(relay.port) as c:
        assert c.message(b"first\r\n")[0] == 250
        sink.wait(1)
        for _ in range(3):
            assert c.message(b"to many\r\n", recipients=many)[0] == 250
    messages = sink.wait(4)
    godwit.wait_for(lambda: relay.queue() == [], "an empty queue")
    assert [len(m.recipients) for m in messages] == [1, 100, 100, 100]
