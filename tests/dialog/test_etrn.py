"""ETRN (RFC 1985): who is known may have what waits for a domain tried at once."""
import godwit
from godwit import Client

CONFIG = ("relay_clients: [127.0.0.1]\nqueue: { retry_first: 1h }\n"
          "domains: { our.test: { relay: true } }\n")
MAIL = b"Subject: s\r\n\r\ntext\r\n"


def later(verb, argument, count):
    return b"451 4.0.0 later\r\n" if verb == "RCPT" else None


def test_what_waits_is_tried_at_once(sink, data):
    sink.script = later
    with godwit.Godwit(data, "--next-hop", sink.address, config=CONFIG) as g:
        with Client(g.port) as c:
            for to in ("a@far.test", "b@far.test", "c@sub.far.test", "d@other.test"):
                c.message(MAIL, "x@client.test", [to])
        godwit.wait_for(lambda: len(g.events("deferred")) == 4, "the first attempts")
        sink.script = lambda verb, argument, count: None
        with Client(g.port) as c:
            _, text = c.ask("EHLO x")
            assert "ETRN" in text.split()
            code, text = c.ask("ETRN FAR.test")
            assert code == 253 and "2 pending messages for node far.test" in text
            sink.wait(2)
            assert sorted(m.recipients[0] for m in sink.messages) == ["a@far.test", "b@far.test"]
            assert c.ask("ETRN far.test")[0] == 251
            assert c.ask("ETRN @far.test")[0] == 253
            sink.wait(3)
            assert sink.messages[2].recipients == ["c@sub.far.test"]
            assert [c.code(x) for x in ("ETRN nowhere.test", "ETRN @test", "ETRN #queue",
                                        "ETRN a b", "ETRN", "ETRN @", "NOOP")] == [
                251, 253, 458, 501, 501, 501, 250]
            sink.wait(4)
            assert c.code("MAIL FROM:<a@b.test>") == 250
            assert c.code("ETRN far.test") == 503


def test_a_stranger_may_not(sink, data):
    with godwit.Godwit(data, "--next-hop", sink.address, config=CONFIG) as g:
        with Client(g.port, source="127.0.0.2") as c:
            _, text = c.ask("EHLO x")
            assert "ETRN" not in text.split()
            assert c.code("ETRN far.test") == 459


def test_a_client_that_goes_meanwhile_does_no_harm(sink, data):
    with godwit.Godwit(data, "--next-hop", sink.address, config=CONFIG) as g:
        for _ in range(200):
            with Client(g.port) as c:
                assert c.code("EHLO x") == 250
                c.send(b"ETRN far.test\r\n")
        with Client(g.port) as c:
            assert c.code("NOOP") == 250
