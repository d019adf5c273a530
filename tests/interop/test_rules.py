"""Rules over what a client is, with a name server of the test's own."""
import json
import subprocess

import pytest

import godwit
from nameserver import NameServer

CONFIG = """
listen: [{{ address: "127.0.0.1:0" }}]
relay_clients: []
xclient_from: 127.0.0.1
dns: {{ servers: ["{dns}"], timeout: 2s, trust_anchor: /dev/null }}
domains: {{ our.test: {{ users: [ann, bob], deliver: discard }} }}
rules:
  - {{ when: {{ dnsbl: bl.test }}, then: reject, reply: "Listed, see https://bl.test/" }}
  - {{ when: {{ name: "*.dyn.test" }}, then: defer }}
  - {{ when: {{ name: none, to: bob@our.test }}, then: reject }}
  - {{ when: {{ helo: slow.test }}, then: delay, delay: 10ms }}
  - {{ when: {{ from: "@spam.test" }}, then: discard }}
  - {{ when: {{ from: "@hold.test" }}, then: hold }}
  - {{ when: {{ client: 203.0.113.0/24 }}, then: relay }}
  - {{ when: {{ from: gone@far.test }}, then: close }}
"""
ZONE = {
    ("1.2.0.192.bl.test", "A"): ["127.0.0.2"],
    ("6.2.0.192.in-addr.arpa", "PTR"): ["a.dyn.test."],
    ("a.dyn.test", "A"): ["192.0.2.6"],
}


@pytest.fixture
def server(sink, data):
    with NameServer(ZONE) as dns, \
            godwit.Godwit(data, "--next-hop", sink.address, listen=(),
                          config=CONFIG.format(dns=dns.config)) as g:
        yield g


def replies(server, client, *recipients, helo="mx.far.test", sender="x@far.test"):
    with godwit.Client(server.port, channel="clear") as c:
        assert c.code(f"XCLIENT ADDR={client}") == 220
        assert c.code(f"EHLO {helo}") == 250
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        found = []
        for recipient in recipients:
            found.append(c.ask(f"RCPT TO:<{recipient}>"))
            if found[-1][0] == 421:
                assert c.is_closed()
                return found
        if any(code == 250 for code, _ in found):
            assert c.code("DATA") == 354
            found.append(c.ask(b"Subject: x\r\n\r\nx\r\n.\r\n"))
        return found


@pytest.mark.parametrize("client,more,codes", [
    ("192.0.2.1", {}, [550, 550]), ("192.0.2.6", {}, [450, 450]), ("192.0.2.9", {}, [250, 550]),
    ("192.0.2.9", {"helo": "slow.test"}, [250, 550]), ("192.0.2.9", {"sender": "gone@far.test"}, [421]),
])
def test_what_a_client_is_told(server, client, more, codes):
    found = replies(server, client, "ann@our.test", "bob@our.test", **more)
    assert [code for code, _ in found][:len(codes)] == codes
    if client == "192.0.2.1":
        assert found[0][1] == "5.7.1 Listed, see https://bl.test/"


def test_relay_by_rule(server, sink):
    assert [code for code, _ in replies(server, "203.0.113.9", "who@far.test")] == [250, 250]
    assert sink.wait(1)[0].recipients == ["who@far.test"]
    assert [code for code, _ in replies(server, "198.51.100.9", "who@far.test")] == [550]


def test_hold_and_discard(server, sink):
    assert replies(server, "192.0.2.9", "ann@our.test", sender="a@spam.test")[-1][0] == 250
    godwit.wait_for(lambda: server.events("discarded"), "the record")
    assert replies(server, "192.0.2.9", "ann@our.test", sender="a@hold.test")[-1][0] == 250
    godwit.wait_for(lambda: [row for row in server.queue() if row["recipient"]["state"] == "held"],
                    "a held one")
    godwit.wait_for(lambda: len(server.events("rule")) == 2, "the log")


def test_a_client_may_go_while_a_list_is_asked(server):
    for _ in range(20):
        with godwit.Client(server.port, channel="clear") as c:
            c.send(b"XCLIENT ADDR=192.0.2.77\r\n")
            assert c.reply()[0] == 220
            c.send(b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<ann@our.test>\r\n")
            assert c.reply()[0] == 250
    assert replies(server, "192.0.2.9", "ann@our.test")[0][0] == 250


@pytest.mark.parametrize("flags,rules,asked", [
    (["--client", "192.0.2.1"], [(1, "reject")], ["1.2.0.192.bl.test"]),
    (["--client", "192.0.2.9", "--from", "a@hold.test", "--helo", "slow.test"],
     [(4, "delay"), (6, "hold")], ["9.2.0.192.bl.test", "9.2.0.192.in-addr.arpa"]),
    (["--client", "192.0.2.9", "--from", "<>"], [], None),
])
def test_explained(tmp_path, data, flags, rules, asked):
    path = str(tmp_path / "godwit.yaml")
    with NameServer(ZONE) as dns:
        with open(path, "w") as f:
            f.write(CONFIG.format(dns=dns.config))
        command = [godwit.PROGRAM, "rules", "explain", "--config", path, "--dns", dns.config,
                   "--to", "ann@our.test", *flags]
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert [(r["rule"], r["then"]) for r in found["rules"]] == rules
        if asked is not None:
            assert [q["name"] for q in found["asked"]] == asked
        for rule in found["rules"]:
            assert f"then: {rule['then']}" in open(path).read().splitlines()[rule["line"] - 1]
        plain = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
        assert ("no rule matches" in plain) == (rules == [])


@pytest.mark.parametrize("then", ["discard", "hold"])
def test_who_is_refused_decides_nothing(sink, data, then):
    """The rule fits a recipient whom nobody has; the other one's mail is delivered."""
    config = CONFIG.format(dns="127.0.0.1:1").split("rules:")[0] + \
        f"rules: [{{ when: {{ to: trap@our.test }}, then: {then} }}]\n"
    with godwit.Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        found = replies(g, "192.0.2.9", "ann@our.test", "trap@our.test")
        assert [code for code, _ in found] == [250, 550, 250]
        assert found[-1][1].startswith("2.0.0 Ok: queued as ")
        assert sink.wait(1)[0].recipients == ["ann@our.test"]
