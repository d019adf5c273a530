"""Of a delay the sender is told, once, over a crash as well (RFC 3461 5.2, RFC 3464)."""
import godwit
from godwit import Client

CONFIG = "queue: { retry_first: 1s, retry_max: 1s, delay_notice: 1s }\n"
MAIL = b"Subject: s\r\n\r\nthe whole text\r\n"


def later(verb, argument, count):
    return b"451 4.7.1 later\r\n" if verb == "RCPT" and "slow@" in argument else None


def is_report(message):
    return message.sender == ""


def test_it_is_told_once_over_a_crash(sink, data):
    sink.script = later
    g = godwit.Godwit(data, "--next-hop", sink.address, config=CONFIG)
    with Client(g.port) as c:
        c.message(MAIL, "a@client.test", ["slow@far.test", "quick@far.test"])
    sink.wait(2)
    assert [m.recipients for m in sink.messages if is_report(m)] == [["a@client.test"]]
    report = next(m for m in sink.messages if is_report(m)).content
    assert b"Final-Recipient: rfc822; slow@far.test\r\nAction: delayed\r\nStatus: 4.7.1" in report
    assert b"\r\nWill-Retry-Until: " in report and b"the whole text" not in report
    assert b"quick@far.test" not in report
    g.kill()
    with godwit.Godwit(data, "--next-hop", sink.address, config=CONFIG) as g:
        attempts = len(g.events("deferred"))
        godwit.wait_for(lambda: len(g.events("deferred")) >= attempts + 3, "three attempts more")
        assert len([m for m in sink.messages if is_report(m)]) == 1
        sink.script = lambda verb, argument, count: None
        sink.wait(3)
        assert sink.messages[2].recipients == ["slow@far.test"]


def test_who_does_not_ask_is_not_told(sink, data):
    sink.script = later
    with godwit.Godwit(data, "--next-hop", sink.address, config=CONFIG) as g:
        with Client(g.port) as c:
            assert c.code("EHLO x") == 250
            assert c.code("MAIL FROM:<a@client.test>") == 250
            assert c.code("RCPT TO:<slow@far.test> NOTIFY=FAILURE") == 250
            assert c.code("DATA") == 354
            c.send(MAIL + b".\r\n")
            assert c.reply()[0] == 250
        godwit.wait_for(lambda: len(g.events("deferred")) >= 4, "four attempts")
        assert sink.messages == []
