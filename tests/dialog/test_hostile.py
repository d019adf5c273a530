"""HOSTILE parts A to C over real sockets: each item that concerns the server."""
import os
import resource
import socket
import time

import pytest

import godwit
from godwit import Client


def codes(client, *commands):
    return [client.code(c) for c in commands]


@pytest.mark.parametrize("sequence", [
    b"\n.\n", b"\n.\r\n", b"\r.\n", b"\n.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r",
    b"\r\n.\r\r\n", b"\r\r\n.\r\r\n"])
@pytest.mark.parametrize("cut", [False, True])
def test_a01_to_a12_no_other_end_of_data(relay, sink, sequence, cut):
    payload = (b"Subject: x\r\n\r\ntext" + sequence + b"MAIL FROM:<smuggled@x.test>\r\n"
               b"RCPT TO:<y@z.test>\r\nDATA\r\nsmuggled\r\n.\r\n")
    with Client(relay.port) as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.envelope()
        assert c.code("DATA") == 354
        if cut:
            for byte in payload:
                c.send(bytes([byte]))
        else:
            c.send(payload)
        code, text = c.reply()
        assert code == 550 and text.startswith("5.5.2")
        assert c.is_closed()
    assert sink.messages == []


@pytest.mark.parametrize("sequence", [b"\r\n\0.\r\n", b"\r\n.\0\r\n"])
def test_a09_a10_nul(relay, sink, sequence):
    with Client(relay.port) as c:
        c.envelope()
        assert c.code("DATA") == 354
        c.send(b"x" + sequence + b"more\r\n.\r\n")
        code, text = c.reply()
        assert code == 550 and text.startswith("5.6.0")
        assert c.code("NOOP") == 250
    assert sink.messages == []


def test_a13_nothing_bare_ever_leaves(sink, data):
    """What was converted on a submission listener arrives as exactly one message."""
    config = "listen: [{ address: '127.0.0.1:0', role: submission }]\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config, listen=()) as g:
        for sequence in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\r\n.\n",
                         b"\r\n.\rx"):
            with Client(g.port) as c:
                c.envelope()
                assert c.code("DATA") == 354
                c.send(b"Subject: s\r\n\r\ntext" + sequence + b"RSET\r\n.\r\n")
                assert c.reply()[0] == 250
        sink.wait(7)
    for message in sink.messages:
        # a dot behind a true CRLF was a stuffed one; behind a bare CR or LF it is text
        assert (b"text\r\n.\r\n" in message.content or b"text\r\n\r\n" in message.content)
        assert message.content.endswith(b"RSET\r\n")


def test_a16_bare_lf_in_commands(relay):
    with Client(relay.port) as c:
        assert c.code("EHLO x") == 250
        c.send(b"MAIL FROM:<a@b.test>\nRCPT TO:<c@d.test>\n")
        code, text = c.reply()
        assert code == 500 and text.startswith("5.5.2")
        assert c.is_closed()


@pytest.mark.parametrize("argument", ["99999999999999999999 LAST", "-1", "0x10", "1e9", "",
                                      "5 FIRST"])
def test_b18_bdat_sizes(relay, argument):
    with Client(relay.port) as c:
        c.envelope()
        code, text = c.ask(f"BDAT {argument}".strip())
        assert code == 501 and text.startswith("5.5.4")
        assert c.is_closed()


def test_b19_bdat_goes_on(relay):
    with Client(relay.port) as c:
        c.envelope()
        c.send(b"BDAT 1\r\n")
        c.send(b"xBDAT \x7f\r\n")
        assert c.reply()[0] == 250
        assert c.reply()[0] == 501
        assert c.is_closed()


def test_b20_chunk_is_never_a_command(relay, sink):
    with Client(relay.port) as c:
        assert codes(c, "EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<bad@@d>") == [250, 250, 501]
        chunk = b"MAIL FROM:<smuggled@x.test>\r\nRCPT TO:<y@z.test>\r\n"
        c.send(b"BDAT %d\r\n" % len(chunk) + chunk + b"BDAT 2 LAST\r\nxxNOOP\r\n")
        assert [c.reply()[0] for _ in range(3)] == [554, 503, 250]
    assert sink.messages == []


def test_b22_bare_lf_in_bdat(relay):
    with Client(relay.port) as c:
        assert codes(c, "EHLO x", "MAIL FROM:<a@b.test> BODY=8BITMIME",
                     "RCPT TO:<c@d.test>") == [250, 250, 250]
        c.send(b"BDAT 6 LAST\r\nab\ncd\n")
        code, text = c.reply()
        assert code == 550 and text.startswith("5.6.1")


def test_b35_line_without_end(relay):
    with Client(relay.port) as c:
        c.send(b"EHLO " + b"x" * 1000000)
        code, text = c.reply()
        assert code == 500 and text.startswith("5.5.2")
        c.send(b"\r\n")
        assert c.code("NOOP") == 250


def test_b37_parameters(relay):
    with Client(relay.port) as c:
        assert c.code("EHLO x") == 250
        assert codes(c, 'MAIL FROM:<> ="', "MAIL FROM:<a@b> SIZE=-1", "MAIL FROM:<a@b> SIZE=9e99",
                     "MAIL FROM:<a@b> SIZE=1 SIZE=2", "MAIL FROM:<a@b> FOO=1") == [
                         501, 501, 501, 501, 555]


def test_b39_recipients(relay):
    with Client(relay.port) as c:
        assert codes(c, "EHLO x", "MAIL FROM:<a@b.test>") == [250, 250]
        for start in range(0, 3000, 500):
            c.send(b"".join(b"RCPT TO:<r%d@d.test>\r\n" % n for n in range(start, start + 500)))
            replies = [c.reply() for _ in range(500)]
            wanted = 250 if start < 1000 else 452
            assert {code for code, _ in replies} == {wanted}
            if wanted == 452:
                assert all(text.startswith("4.5.3") for _, text in replies)


@pytest.mark.parametrize("line, answer, most", [
    ("NOOP", 250, 100), ("RSET", 250, 100), ("HELP", 214, 100), ("VRFY x", 252, 100),
    ("FOO", 500, 20), ("RCPT TO:<a@b>", 503, 20)])
def test_b40_junk_and_errors(relay, line, answer, most):
    """Of clients that may relay, too: what they are spared is caps of connections."""
    with Client(relay.port) as c:
        assert [c.code(line) for _ in range(most)] == [answer] * most
        assert (c.reply()[0] if most == 20 else c.code(line)) == 421
        assert c.is_closed()


def test_b41_curious_commands(relay):
    with Client(relay.port) as c:
        assert codes(c, "VRFY root", "EXPN x", "EHLO x", "ETRN #';DROP TABLE q;--") == [
            252, 502, 250, 458]


def all_stopped(pid):
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as f:
            if f.read().rsplit(")", 1)[1].split()[0] != "T":
                return False
    return True


def test_b43_early_talkers(sink, data):
    config = "relay_clients: []\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        # The connection waits in the accept queue while godwit is stopped.
        import signal
        engine = int(g.tool("status", "--data", data, "--json", check=True).stdout
                     .split('"pid":')[1].split(",")[0].strip(" }\n"))
        os.kill(engine, signal.SIGSTOP)
        try:
            godwit.wait_for(lambda: all_stopped(engine), "every thread to stand still")
            s = socket.create_connection(("127.0.0.1", g.port), 30)
            s.sendall(b"EHLO spam\r\n")
        finally:
            os.kill(engine, signal.SIGCONT)
        assert s.recv(1000).startswith(b"554 ")
        s.close()


def test_b44_no_trust_for_strangers(relay, sink):
    for line in (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", b"XCLIENT ADDR=127.0.0.1\r\n",
                 b"XFORWARD ADDR=127.0.0.1\r\n"):
        with Client(relay.port) as c:
            assert c.ask(line)[0] == 550


def test_xclient_from_a_stranger_changes_who_is_counted(sink, data):
    """The engine once aborted: it took leave of an address that had never come."""
    config = "relay_clients: [192.0.2.0/24]\nxclient_from: [127.0.0.0/8]\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        for _ in range(3):
            with Client(g.port) as c:
                assert codes(c, "EHLO x", "XCLIENT ADDR=198.51.100.1", "EHLO y", "QUIT") == [
                    250, 220, 250, 221]
        assert "died" not in g.output()


def test_b45_a_quiet_client_is_let_go_and_a_late_one_is_not(sink, data):
    config = "timeouts: { command: 1s }\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        for _ in range(2):  # the second comes after a time in which nothing happened
            with Client(g.port) as c:
                assert c.message(b"x\r\n")[0] == 250
                assert c.reply()[0] == 421  # silence after a message has its end too
                assert c.is_closed()


def test_b45_slow_clients_cost_nobody_else(relay, sink):
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
                        resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    slow = []
    try:
        for i in range(2000):
            s = socket.create_connection(("127.0.0.1", relay.port), 30)
            s.sendall(b"EHL" if i % 2 else b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.t>\r\n"
                      b"DATA\r\nhalf")
            slow.append(s)
        start = time.monotonic()
        with Client(relay.port) as c:
            assert c.message(b"quick\r\n")[0] == 250
        assert time.monotonic() - start < 10
        sink.wait(1)
    finally:
        for s in slow:
            s.close()


def welcomed(port):
    c = Client(port, greeting=False)
    if c.reply()[0] == 220:
        return c
    c.close()
    return None


def test_b46_connections_of_one_address(sink, data):
    config = "relay_clients: []\nlimits: { connections_per_client: 5 }\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        first = [Client(g.port) for _ in range(5)]
        c = Client(g.port, greeting=False)
        assert c.reply()[0] == 421
        assert c.is_closed()
        first[0].close()
        godwit.wait_for(lambda: welcomed(g.port), "a free place").close()
        for f in first:
            f.close()


def test_b46_connections_of_one_address_in_a_while(sink, data):
    config = "relay_clients: []\nclient_limits: { connections: 3, window: 1h }\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        for _ in range(3):
            with Client(g.port) as c:
                assert c.code("NOOP") == 250
        with Client(g.port, greeting=False) as c:
            code, text = c.reply()
            assert code == 421 and text.startswith("4.7.0")
            assert c.is_closed()


def test_b46_messages_and_recipients_of_one_address_in_a_while(sink, data):
    config = ("relay_clients: []\nclient_limits: { messages: 3, recipients: 4, window: 1h }\n"
              "domains: { far.test: { relay: true } }\n")
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        with Client(g.port) as c:
            c.envelope(recipients=[f"b{i}@far.test" for i in range(3)])
            assert codes(c, "RSET", "MAIL FROM:<a@b.test>", "RCPT TO:<x@other.test>",
                         "RCPT TO:<b@far.test>", "RSET", "MAIL FROM:<a@b.test>", "RSET",
                         "MAIL FROM:<a@b.test>") == [250, 250, 550, 450, 250, 250, 250, 450]


def test_b46_under_stress_who_is_silent_goes_sooner(sink, data):
    """Three quarters of the connections are taken: those that are here already have the short
    time too, but not those of a network that may relay."""
    config = ("threads: 1\nrelay_clients: [127.0.0.2]\nlimits: { connections: 8 }\n"
              "timeouts: { command: 1h, stress: 300ms }\n")
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        own = Client(g.port, source="127.0.0.2")
        silent = [Client(g.port) for _ in range(4)]
        assert own.code("NOOP") == 250
        assert not g.events("stress")
        with Client(g.port) as last:
            for c in silent + [last]:
                assert c.reply()[0] == 421
                assert c.is_closed()
        godwit.wait_for(lambda: g.events("stress-over"), "the end of the stress")
        assert own.code("NOOP") == 250
        assert own.code("QUIT") == 221
        own.close()
        for c in silent:
            c.close()


def test_b46_a_tarpit_that_grows(sink, data):
    config = ("relay_clients: []\ndomains: { our.test: { relay: true } }\n"
              "tarpit: { after: 2, step: 100ms, max: 150ms }\n")
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        with Client(g.port) as c:
            assert codes(c, "EHLO x", "MAIL FROM:<a@b.test>") == [250, 250]
            taken = []
            for i in range(5):
                begin = time.monotonic()
                assert c.code(f"RCPT TO:<u{i}@foreign.test>") == 550
                taken.append(time.monotonic() - begin)
            # how long it takes at least, by a clock of whole milliseconds; nothing says how long at most
            assert taken[2] >= 0.099 and taken[3] >= 0.149 and taken[4] >= 0.149
            assert c.code("RCPT TO:<u@our.test>") == 250
            c.send(b"RCPT TO:<x@foreign.test>\r\nRCPT TO:<v@our.test>\r\n")
            assert [c.reply()[0], c.reply()[0]] == [550, 250]  # in their order
            c.send(b"RCPT TO:<x@foreign.test>\r\n")           # and gone while it waits
        with Client(g.port) as c:
            assert c.code("NOOP") == 250


def test_b46_no_tarpit_under_stress(sink, data):
    config = ("threads: 1\nrelay_clients: []\nlimits: { connections: 1 }\n"
              "tarpit: { after: 0, step: 1m, max: 10m }\n"
              "rules: [{ then: delay, delay: 10m }]\n")
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        with Client(g.port) as c: # the only one, so it is stress
            assert codes(c, "EHLO x", "MAIL FROM:<a@b.test>", "RCPT TO:<a@foreign.test>",
                         "NOOP") == [250, 250, 550, 250]


def test_b46_the_limit_of_connections_is_one_over_all_threads(sink, data):
    config = "threads: 4\nlimits: { connections: 5 }\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        clients = [Client(g.port) for _ in range(5)]
        for _ in range(20):
            with Client(g.port, greeting=False) as c:
                assert c.reply() == (421, "4.3.2 Too many connections, try later")
                assert c.is_closed()
        clients.pop().close()
        clients.append(godwit.wait_for(lambda: welcomed(g.port), "a place"))
        for c in clients:
            c.close()


# ---- part C ----

LOCAL = """
domains:
  our.test: { users: [user, postmaster], aliases: { team: [user, out@far.test], a: b, b: [a, user] },
              deliver: discard }
relay_clients: []
"""


@pytest.fixture
def closed(sink, data):
    """An MX for our.test that relays for nobody."""
    with godwit.Godwit(data, config=LOCAL, hostname="our.test") as g:
        yield g


@pytest.mark.parametrize("recipient", [
    "r@out.test", "r%out.test@[127.0.0.1]", "r%out.test@our.test", '"r@out.test"',
    '"r%out.test"', "r@out.test@[127.0.0.1]", '"r@out.test"@[127.0.0.1]', "r@out.test@our.test",
    "@[127.0.0.1]:r@out.test", "@our.test:r@out.test", "out.test!r", "out.test!r@[127.0.0.1]",
    "out.test!r@our.test", "r@out.test.", "r@out.test@", "@our.test,@x.test:r@out.test",
    '"r@out.test\\"@our.test', "r\\@out.test@our.test", "nobody@our.test",
    "|/bin/sh@our.test", "/etc/passwd@our.test", ":include:/etc/shadow@our.test",
    "../../x@our.test", "-oQ/tmp@our.test", "*@our.test", "%00@our.test",
    "${run{\\x2Fbin\\x2Fsh\\t-c\\t\\x22id\\x22}}@localhost"])
@pytest.mark.parametrize("sender", ["", "outsider@else.test", "u@our.test", "u@[127.0.0.1]"])
def test_c58_to_c77_no_open_relay(closed, sender, recipient):
    with Client(closed.port) as c:
        assert c.code("EHLO x") == 250
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        code, text = c.ask(f"RCPT TO:<{recipient}>")
        assert code in (550, 553, 554, 501), (code, text)
        assert text.startswith("5."), text


def test_g125_an_alias_comes_round_to_itself(closed):
    with Client(closed.port) as c:
        assert c.message(b"x\r\n", recipients=["a@our.test", "b@our.test"])[0] == 250
    godwit.wait_for(lambda: closed.events("discarded"), "the end of it")
    assert closed.recipients("discarded") == ["user@our.test"]


def test_c79_only_the_outsider_is_refused(closed):
    with Client(closed.port) as c:
        assert codes(c, "EHLO x", "MAIL FROM:<x@y.test>", "RCPT TO:<user@our.test>",
                     "RCPT TO:<r@out.test>") == [250, 250, 250, 550]
        assert c.code("DATA") == 354
        c.send(b"hi\r\n.\r\n")
        assert c.reply()[0] == 250


def test_c49_to_c52_addresses_are_not_programs(closed):
    with Client(closed.port) as c:
        assert c.code("EHLO x") == 250
        code, text = c.ask("MAIL FROM:<;for i in 0 1 2 3;do read r;done;sh;exit 0;>")
        assert code == 553 and text.startswith("5.1.7")
        assert c.code("MAIL FROM:<a@b.test>") == 250
        assert c.code('RCPT TO:<"a\rX: y"@d.test>') == 500


def test_c51_cr_and_lf_inside_addresses(closed):
    for line in (b'RCPT TO:<"a\r\nRCPT TO:<v@x>"@d>\r\n', b'RCPT TO:<"a\rX: y"@d>\r\n'):
        with Client(closed.port) as c:
            assert codes(c, "EHLO x", "MAIL FROM:<a@b.test>") == [250, 250]
            assert c.ask(line)[0] in (500, 501)


def test_c55_utf8_without_smtputf8(closed):
    with Client(closed.port) as c:
        assert c.code("EHLO x") == 250
        code, text = c.ask("MAIL FROM:<\u00fcser@b.test>")
        assert (code, text[:5]) == (553, "5.6.7")
        for address in ("a\uff20b.test", "a@b\u3002test", "a@b\u202e.test", "a@xn--\u00fc.test"):
            assert c.code(f"MAIL FROM:<{address}> SMTPUTF8") in (501, 553)
        for raw in (b"\xc0\xaf@b.test", b"\xff@b.test"):
            assert c.code(b"MAIL FROM:<" + raw + b"> SMTPUTF8\r\n") in (501, 553)


def test_e101_to_e108_headers_lines_and_sizes(relay, sink):
    cases = [
        (b"X: y\r\n" * 2001, 552), (b"X: y\r\n" * 2000 + b"\r\nbody\r\n", 250),
        (b"X: " + b"y\r\n " * 400000 + b"\r\n", 552),
        (b"x" * 65536 + b"\r\n", 250), (b"x" * 65537 + b"\r\n", 554),
        (b"Received: x\r\n" * 101, 554), (b"Received: x\r\n" * 99 + b"\r\n", 250),
        (b"", 250), (b"Subject: header only\r\n", 250), (b"no header\r\n", 250),
    ]
    for content, wanted in cases:
        with Client(relay.port) as c:
            code, text = c.message(content)
            assert code == wanted, (content[:30], code, text)
    sink.wait(sum(wanted == 250 for _, wanted in cases))
