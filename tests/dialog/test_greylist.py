"""Greylisting (RFC 6647): who is new comes again; what was learnt outlives a start."""
import pytest

import godwit
from godwit import Client, Godwit

CONFIG = """
listen: [{{ address: "127.0.0.1:0" }}, {{ address: "127.0.0.1:0", role: submission, auth_in_clear: true }}]
relay_clients: {trusted}
xclient_from: 127.0.0.1
verify: {{ check: false }}
greylist: {{ on: true, delay: {delay}, window: 1h }}
domains: {{ our.test: {{ relay: true }} }}
routes: [{{ deliver: {{ smtp: "{sink}" }} }}]
"""


@pytest.fixture
def make(data, sink):
    opened = []

    def server(delay="1h", trusted="[]"):
        g = Godwit(data, listen=(), config=CONFIG.format(sink=sink.address, delay=delay,
                                                         trusted=trusted))
        opened.append(g)
        return g
    yield server
    for g in opened:
        g.__exit__(None, None, None)


def ask(g, client="192.0.2.1", sender="a@far.test", to="b@our.test"):
    with Client(g.ports[0], channel="clear") as c:
        assert c.code(f"XCLIENT ADDR={client}") == 220
        assert c.code("EHLO far.test") == 250
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        return c.ask(f"RCPT TO:<{to}>")


def test_who_is_new_is_told_when_to_come_again(make):
    g = make()
    code, text = ask(g)
    assert code == 450 and text.startswith("4.7.1 Greylisted, please try again in ")
    assert text.rstrip().endswith("seconds")
    event = godwit.wait_for(lambda: g.events("greylisted"), "the log")[0]
    assert (event["network"], event["from"], event["to"]) == ("192.0.2", "a@far.test", "b@our.test")
    assert ask(g, client="192.0.2.77")[0] == 450
    assert int(ask(g)[1].split()[-2]) <= 3600


def test_who_comes_again_passes_and_is_remembered(make, sink):
    g = make(delay="1s")
    assert ask(g)[0] == 450
    godwit.wait_for(lambda: ask(g, client="192.0.2.9")[0] == 250, "the time to pass")
    g.kill()
    g = make(delay="1h")
    assert ask(g)[0] == 250
    assert ask(g, sender="other@far.test")[0] == 450


def test_one_of_several_recipients_may_pass(make):
    g = make(delay="1s")
    assert ask(g)[0] == 450
    godwit.wait_for(lambda: ask(g)[0] == 250, "the time to pass")
    with Client(g.ports[0], channel="clear") as c:
        c.ask("XCLIENT ADDR=192.0.2.1")
        c.ask("EHLO far.test")
        c.ask("MAIL FROM:<a@far.test>")
        assert [c.code("RCPT TO:<%s@our.test>" % who) for who in "bcb"] == [250, 450, 250]


def test_the_trusted_are_not_asked(make):
    g = make(trusted="192.0.2.0/24")
    assert ask(g)[0] == 250


def test_a_client_that_goes_meanwhile_harms_nobody(make):
    g = make()
    for i in range(30):
        with Client(g.ports[0], channel="clear") as c:
            c.send(b"EHLO x.test\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<%d@our.test>\r\n" % i)
    assert ask(g, to="last@our.test")[0] == 450
    assert g.stop() == 0


def test_who_may_not_be_reached_is_refused_for_good(make):
    assert ask(make(), to="x@else.test")[0] in (550, 554)
