"""REQUIRETLS (RFC 8689): over TLS alone, to who proves who it is and keeps to it, or back."""
import pytest

import certificates
import godwit
from godwit import Client, Godwit, Sink, server_context

MAIL = b"Subject: s\r\n\r\nthe whole text\r\n"
LISTEN = "listen: [{ address: '127.0.0.1:0' }]\n"


@pytest.fixture
def pair(tmp_path):
    return certificates.make(tmp_path, "127.0.0.1", stem="ip")


def config(sink, more, reports):
    return (LISTEN + f"routes: [{{ to: '@client.test', deliver: {{ smtp: '{reports.address}' }} }},\n"
            f"  {{ deliver: {{ smtp: '{sink.address}'{more} }} }}]\n")


def put(g, parameters="REQUIRETLS"):
    with Client(g.port, channel="starttls") as c:
        _, text = c.ask("EHLO x")
        assert "REQUIRETLS" in text
        for command, code in ((f"MAIL FROM:<a@client.test> {parameters}", 250),
                              ("RCPT TO:<b@far.test>", 250), ("DATA", 354)):
            assert c.code(command) == code
        c.send(MAIL + b".\r\n")
        assert c.reply()[0] == 250


def test_it_is_offered_over_tls_alone(data, sink):
    with Godwit(data, "--next-hop", sink.address, config=LISTEN, listen=()) as g:
        with Client(g.port, channel="clear") as c:
            _, text = c.ask("EHLO x")
            assert "REQUIRETLS" not in text
            assert c.code("MAIL FROM:<a@client.test> REQUIRETLS") == 555
        with Client(g.port, channel="starttls") as c:
            assert c.code("EHLO x") == 250
            assert c.code("MAIL FROM:<a@client.test> REQUIRETLS=1") == 501


def test_it_goes_on_to_who_keeps_to_it_over_a_crash(data, pair, sink):
    later = lambda verb, argument, count: b"451 4.0.0 later\r\n" if verb == "RCPT" else None
    with Sink(tls=server_context(*pair), under_tls=("REQUIRETLS",), script=later) as hop:
        words = config(hop, f", ca: {pair[0]}", sink) + "queue: { retry_first: 1s }\n"
        g = Godwit(data, config=words, listen=())
        put(g)
        godwit.wait_for(lambda: g.events("deferred"), "the first attempt")
        g.kill()
        hop.script = lambda verb, argument, count: None
        with Godwit(data, config=words, listen=()):
            hop.wait(1)
        assert hop.messages[0].options[0] == "FROM:<a@client.test> REQUIRETLS"
        assert hop.handshakes


@pytest.mark.parametrize("case, status, words", [
    ("clear", "5.7.10", "cannot be had"), ("unproven", "5.7.10", "certificate"),
    ("not offered", "5.7.30", "not offered")])
def test_it_comes_back_where_it_cannot_be_kept(data, pair, sink, case, status, words):
    """The report has the header alone, and asks for as much: so here it stays with us."""
    tls = None if case == "clear" else server_context(*pair)
    more = f", ca: {pair[0]}" if case == "not offered" else ""
    offered = () if case == "not offered" else ("REQUIRETLS",)
    with Sink(tls=tls, under_tls=offered, extensions=("REQUIRETLS",)) as hop:
        with Godwit(data, config=config(hop, more, sink), listen=()) as g:
            put(g)
            failed = godwit.wait_for(lambda: g.events("failed"), "the failure")
            assert failed[0]["status"] == status and words in failed[0]["reply"]
            assert hop.messages == []
            # mail of others takes the same way as before
            put(g, "")
            hop.wait(1)
            # nobody takes the report: the sender's hop has no TLS
            godwit.wait_for(lambda: len(g.events("failed")) == 2, "the end of the report")
            assert sink.messages == []


def test_the_report_asks_for_tls_too(data, pair, tmp_path):
    with Sink(tls=None) as hop, \
            Sink(tls=server_context(*pair), under_tls=("REQUIRETLS",)) as reports:
        words = (LISTEN + f"routes: [{{ to: '@client.test', deliver: {{ smtp: '{reports.address}',"
                 f" ca: {pair[0]} }} }}, {{ deliver: {{ smtp: '{hop.address}' }} }}]\n")
        with Godwit(data, config=words, listen=()) as g:
            put(g)
            reports.wait(1)
        assert "REQUIRETLS" in reports.messages[0].options[0]
        assert b"Subject: s" in reports.messages[0].content
        assert b"the whole text" not in reports.messages[0].content
