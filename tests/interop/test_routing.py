"""Where mail goes when the DNS decides: HOSTILE 117 to 121, over a DNS of our own.

Each test runs in a network of its own, where 203.0.113.0/24 is on loopback and port 25
is free, so that the program runs with the rules that it ships with.
"""
import socket

import pytest

import godwit
from godwit import Client
from nameserver import NameServer


class Port25(godwit.Sink):
    """A sink on port 25 of an address of the test's own network."""

    def __init__(self, host, **more):
        super().__init__(**more)
        self.listener.close()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 25), family=family, backlog=64)
        self.host, self.port = host, 25


def start(data, tmp_path, server, more="", hostname="mx.godwit.test"):
    """No trust anchor covers .test here, so nothing has to be signed."""
    anchor = tmp_path / "anchor"
    anchor.write_text("anchor.invalid. IN DS 1 13 2 " + "0" * 64 + "\n")
    config = (f"dns: {{ servers: ['{server.config}'], trust_anchor: '{anchor}', timeout: 3s"
              + (", allow_private: true" if "PRIVATE" in more else "") + " }\n"
              "queue: { retry_first: 1h }\ntimeouts: { connect: 2s }\n"
              + more.replace("PRIVATE", ""))
    return godwit.Godwit(data, config=config, hostname=hostname)


def submit(g, recipients=("b@far.test",), sender="a@client.test"):
    with Client(g.port) as c:
        code, text = c.message(b"From: <a@client.test>\r\nSubject: x\r\n\r\nhi\r\n", sender,
                               recipients)
        assert code == 250, text


def outcome(g):
    """The first trouble that is told; that of a domain or site is told once for all."""
    return godwit.wait_for(lambda: g.events("deferred") or g.events("failed")
                           or g.events("site-failed"), "an outcome")[0]


A1, A2, A3 = "203.0.113.1", "203.0.113.2", "203.0.113.3"
NO_AAAA = {("mx1.far.test", "AAAA"): [], ("mx2.far.test", "AAAA"): []}


def zone(**more):
    base = {("far.test", "MX"): ["10 mx1.far.test.", "20 mx2.far.test."],
            ("mx1.far.test", "A"): [A1], ("mx2.far.test", "A"): [A2], **NO_AAAA}
    base.update(more)
    return base


def test_the_best_host_is_taken(network, tmp_path, data):
    with NameServer(zone()) as server, Port25(A1) as first, Port25(A2) as second, \
            start(data, tmp_path, server) as g:
        submit(g)
        first.wait(1)
        assert second.sessions == 0
        event, = godwit.wait_for(lambda: g.events("relayed"), "relayed")
        assert A1 in event["peer"]


def test_dead_first_host_of_two(network, tmp_path, data):
    with NameServer(zone()) as server, Port25(A2) as second, start(data, tmp_path, server) as g:
        submit(g)
        second.wait(1)
        assert not g.events("deferred")


@pytest.mark.parametrize("greeting", [b"421 4.3.2 full\r\n", b"554 5.3.2 no\r\n", b"521 no\r\n",
                                      b"nonsense\r\n", "drop"])
def test_first_host_of_two_refuses_at_the_door(network, tmp_path, data, greeting):
    def script(verb, argument, count):
        return greeting if verb == "CONNECT" else None
    with NameServer(zone()) as server, Port25(A1, script=script) as first, Port25(A2) as second, \
            start(data, tmp_path, server) as g:
        submit(g)
        second.wait(1)
        assert first.sessions == 1
        assert not g.events("deferred") and not g.events("failed")


def test_no_mx_is_its_own_host(network, tmp_path, data):
    answers = {("far.test", "A"): [A1]}
    with NameServer(answers) as server, Port25(A1) as host, start(data, tmp_path, server) as g:
        submit(g)
        host.wait(1)


def test_mx_that_is_an_alias_is_followed(network, tmp_path, data):
    answers = {("far.test", "MX"): ["10 alias.far.test."],
               ("alias.far.test", "CNAME"): ["real.far.test."], ("real.far.test", "A"): [A1]}
    with NameServer(answers) as server, Port25(A1) as host, start(data, tmp_path, server) as g:
        submit(g)
        host.wait(1)


def test_domain_that_is_an_alias_is_followed(network, tmp_path, data):
    answers = zone()
    answers["www.test", "CNAME"] = ["far.test."]
    with NameServer(answers) as server, Port25(A1) as host, start(data, tmp_path, server) as g:
        submit(g, ["b@www.test"])
        message = host.wait(1)[0]
        assert message.recipients == ["b@www.test"]


def test_domains_of_the_same_hosts_share_connections(network, tmp_path, data):
    answers = zone()
    for name in ("one.test", "two.test"):
        answers[name, "MX"] = answers["far.test", "MX"]
    with NameServer(answers) as server, Port25(A1) as host, start(data, tmp_path, server) as g:
        for count, name in enumerate(("one.test", "two.test", "far.test", "one.test"), 1):
            submit(g, [f"b@{name}"])
            godwit.wait_for(lambda: len(g.events("relayed")) == count, "it is relayed")
        assert len(host.messages) == 4 and host.sessions == 1


def test_mail_of_two_domains_dies_alone(network, tmp_path, data):
    """A silent site costs the other nothing."""
    answers = zone(**{})
    answers["dead.test", "MX"] = ["10 mx.dead.test."]
    answers["mx.dead.test", "A"] = "silence"
    with NameServer(answers) as server, Port25(A1) as host, start(data, tmp_path, server) as g:
        submit(g, ["b@dead.test", "b@far.test"])
        host.wait(1)
        assert outcome(g)["event"] == "site-failed"


@pytest.mark.parametrize("answers", [{}, {("relay.test", "TXT"): ["x"]},
                                     {("relay.test", "A"): ["0.0.0.0"]}])
def test_a_next_hop_whose_name_leads_nowhere_bounces_nothing(network, tmp_path, data, answers):
    """It is the operator's mistake, not the sender's."""
    with NameServer(answers) as server, Port25(A1) as home, \
            start(data, tmp_path, server,
                  "routes: [{ deliver: { smtp: 'relay.test:25' } }]\n") as g:
        submit(g)
        event = outcome(g)
        assert event["event"] == "site-failed" and event["status"] == "4.3.5"
        assert not g.events("failed") and home.sessions == 0
        row, = g.queue()
        assert row["recipient"]["state"] == "queued"


DEFERRED = [
    ("SERVFAIL", {("far.test", "MX"): "SERVFAIL", ("far.test", "A"): [A1]}),
    ("REFUSED", {("far.test", "MX"): "REFUSED", ("far.test", "A"): [A1]}),
    ("silence", {("far.test", "MX"): "silence", ("far.test", "A"): [A1]}),
    ("host SERVFAIL", {("far.test", "MX"): ["10 mx.far.test."], ("mx.far.test", "*"): "SERVFAIL"}),
]


@pytest.mark.parametrize("answers", [a for _, a in DEFERRED], ids=[n for n, _ in DEFERRED])
def test_118_trouble_of_the_dns_defers(network, tmp_path, data, answers):
    """Never to the A record, never a bounce."""
    with NameServer(answers) as server, Port25(A1) as host, start(data, tmp_path, server) as g:
        submit(g)
        event = outcome(g)
        assert event["event"] == "site-failed" and event["status"] == "4.4.3"
        assert not g.events("failed")
        assert host.sessions == 0
        row, = g.queue()
        assert row["recipient"]["state"] == "queued"


FAILED = [
    ("NXDOMAIN", "5.1.2", {}),
    ("null MX", "5.1.10", {("far.test", "MX"): ["0 ."], ("far.test", "A"): [A1]}),
    ("nothing", "5.4.4", {("far.test", "TXT"): ["x"]}),
    ("MX without address", "5.4.4", {("far.test", "MX"): ["10 mx.far.test."],
                                     ("mx.far.test", "TXT"): ["x"]}),
    ("literal MX", "5.4.4", {("far.test", "MX"): ["10 203.0.113.1."]}),
    ("ourselves", "5.4.6", {("far.test", "MX"): ["10 mx.godwit.test."],
                            ("mx.godwit.test", "A"): [A1]}),
]


@pytest.mark.parametrize("status,answers", [f[1:] for f in FAILED], ids=[f[0] for f in FAILED])
def test_119_what_the_dns_says_for_good(network, tmp_path, data, status, answers):
    """Failed at once; the report goes to the sender, by the DNS too."""
    answers = {**answers, ("client.test", "MX"): ["10 mx.client.test."],
               ("mx.client.test", "A"): [A3]}
    with NameServer(answers) as server, Port25(A1) as host, Port25(A3) as home, \
            start(data, tmp_path, server) as g:
        submit(g)
        event = outcome(g)
        assert event["status"] == status, event
        report = home.wait(1)[0]
        assert report.sender == "" and report.recipients == ["a@client.test"]
        assert b"Final-Recipient: rfc822; b@far.test" in report.content
        assert f"Status: {status}".encode() in report.content
        assert host.sessions == 0


ALIASES = [
    ("a loop", {("far.test", "CNAME"): ["b.test."], ("b.test", "CNAME"): ["far.test."]}),
    ("twenty links", {**{(f"c{i}.test", "CNAME"): [f"c{i + 1}.test."] for i in range(20)},
                      ("far.test", "CNAME"): ["c0.test."], ("c20.test", "A"): [A1]}),
]


@pytest.mark.parametrize("answers", [a for _, a in ALIASES], ids=[n for n, _ in ALIASES])
def test_119_chains_of_aliases_have_an_end(network, tmp_path, data, answers):
    with NameServer(answers) as server, Port25(A1) as host, start(data, tmp_path, server) as g:
        submit(g, sender="")
        outcome(g)
        assert host.sessions == 0
        assert len(server.asked) < 100


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "0.0.0.0", "169.254.169.254",
                                     "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
                                     "224.0.0.1", "255.255.255.255"])
def test_121_addresses_that_mail_must_not_go_to(network, tmp_path, data, address):
    answers = {("far.test", "MX"): ["10 mx.far.test."], ("mx.far.test", "A"): [address]}
    with NameServer(answers) as server, Port25("127.0.0.1") as local, \
            start(data, tmp_path, server) as g:
        submit(g, sender="")
        event = outcome(g)
        assert event["status"].startswith("5."), event
        godwit.wait_for(lambda: g.events("failed"), "it fails")
        assert local.sessions == 0


@pytest.mark.parametrize("address", ["::1", "::ffff:127.0.0.1", "fe80::1", "fc00::1", "::",
                                     "ff02::1", "64:ff9b::7f00:1"])
def test_121_the_same_in_ipv6(network, tmp_path, data, address):
    answers = {("far.test", "MX"): ["10 mx.far.test."], ("mx.far.test", "AAAA"): [address]}
    with NameServer(answers) as server, Port25("::1") as local, \
            start(data, tmp_path, server) as g:
        submit(g, sender="")
        event = outcome(g)
        assert event["status"].startswith("5."), event
        godwit.wait_for(lambda: g.events("failed"), "it fails")
        assert local.sessions == 0


def test_121_private_addresses_where_they_are_allowed(network, tmp_path, data):
    answers = {("far.test", "MX"): ["10 mx.far.test."], ("mx.far.test", "A"): ["127.0.0.1"]}
    with NameServer(answers) as server, Port25("127.0.0.1") as local, \
            start(data, tmp_path, server, "PRIVATE") as g:
        submit(g)
        local.wait(1)


def test_121_an_address_as_a_domain(network, tmp_path, data):
    with NameServer({}) as server, Port25(A1) as host, Port25("127.0.0.1") as local, \
            start(data, tmp_path, server) as g:
        submit(g, [f"b@[{A1}]", "b@[127.0.0.1]"], sender="")
        message = host.wait(1)[0]
        assert message.recipients == [f"b@[{A1}]"]
        godwit.wait_for(lambda: g.events("failed"), "the other fails")
        assert local.sessions == 0
