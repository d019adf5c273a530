"""MT-PRIORITY (RFC 6710): who may raise it, and that it goes on to the next hop."""
import godwit
from godwit import Client, Sink

CONFIG = "relay_clients: [127.0.0.1]\ndomains: { our.test: { relay: true } }\n"
MAIL = b"Subject: s\r\n\r\ntext\r\n"


def put(g, priority, source=None, to="b@our.test"):
    with Client(g.port, source=source) as c:
        _, text = c.ask("EHLO x")
        assert "MT-PRIORITY" in text
        code, text = c.ask(f"MAIL FROM:<a@client.test> MT-PRIORITY={priority}")
        assert code == 250
        assert c.code(f"RCPT TO:<{to}>") == 250
        assert c.code("DATA") == 354
        c.send(MAIL + b".\r\n")
        assert c.reply()[0] == 250
    return text


def said(sink):
    return [command for command in sink.commands if command.startswith("MAIL ")]


def test_who_is_trusted_may_raise_it_and_it_goes_on(data):
    with Sink(extensions=("MT-PRIORITY",)) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=CONFIG) as g:
        assert put(g, 3).startswith("2.1.0")
        sink.wait(1)
        assert "MT-PRIORITY=3" in said(sink)[0]
        assert b"\tPRIORITY 3;" in sink.messages[0].content
        assert put(g, 5, source="127.0.0.2").startswith("2.3.6 0 ")
        sink.wait(2)
        assert "MT-PRIORITY" not in said(sink)[1]
        assert put(g, -5, source="127.0.0.2").startswith("2.1.0")
        sink.wait(3)
        assert "MT-PRIORITY=-5" in said(sink)[2]
        godwit.wait_for(lambda: len(g.events("accepted")) == 3, "the last line of the log")
        assert [e.get("priority") for e in g.events("accepted")] == [3, None, -5]


def test_it_outlives_a_crash_and_reports_have_it(data):
    nobody = lambda verb, argument, count: (
        b"451 4.0.0 later\r\n" if verb == "RCPT" and "b@our" in argument else
        b"550 5.1.1 nobody\r\n" if verb == "RCPT" and "none@" in argument else None)
    with Sink(extensions=("MT-PRIORITY",), script=nobody) as sink:
        g = godwit.Godwit(data, "--next-hop", sink.address,
                          config=CONFIG + "queue: { retry_first: 1s }\n")
        put(g, 9, to="none@our.test")
        sink.wait(1)
        assert sink.messages[0].sender == "" and "MT-PRIORITY=9" in said(sink)[-1]
        put(g, 2)
        godwit.wait_for(lambda: g.events("deferred"), "the first attempt")
        g.kill()
        sink.script = lambda verb, argument, count: None
        with godwit.Godwit(data, "--next-hop", sink.address, config=CONFIG):
            sink.wait(2)
        assert "MT-PRIORITY=2" in said(sink)[-1]
