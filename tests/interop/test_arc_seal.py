"""What came from strangers and goes on elsewhere is sealed (RFC 8617 5.1), and what trusted
sealers say counts (RFC 8617 7.2.1). dkimpy checks the chains; the DNS is the test's own."""
import base64
import subprocess

import dkim as dkimpy
import pytest

import godwit
from nameserver import NameServer

CONFIG = """
listen: [{{ address: "127.0.0.1:0" }}]
relay_clients: 198.51.100.7
xclient_from: 127.0.0.1
dns: {{ servers: ["{dns}"], timeout: 2s, trust_anchor: /dev/null }}
domains:
  our.test:
    users: [post]
    aliases: {{ ann: bob@away.test, "*": post }}
    deliver: {{ maildir: "{box}" }}
    dkim: [{{ selector: ed, key: "{ed}" }}, {{ selector: s1, key: "{key}" }}]
routes: [{{ deliver: {{ smtp: "{sink}"{hop} }} }}]
verify: {{ {verify} }}
"""
GOOD, OTHER, OURS = "192.0.2.1", "198.51.100.1", "198.51.100.7"
MAIL = (b"From: Ann <ann@far.test>\r\nTo: ann@our.test\r\nSubject: x\r\n"
        b"Date: Thu, 26 Nov 2026 01:02:03 +0000\r\nMessage-ID: <1@far.test>\r\n\r\n"
        b"..body\r\n" + b"a line of some length, for a body of several blocks\r\n" * 2000)
NAMES = [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for name, algorithm in (("key", "rsa"), ("ed", "ed25519")):
        made[name] = str(folder / name)
        subprocess.run([godwit.PROGRAM, "dkim", "keygen", made[name], "--algorithm", algorithm],
                       check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", made["key"], "-pubout", "-outform", "DER"],
                            check=True, capture_output=True).stdout
    made["record"] = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    return made


@pytest.fixture
def make(data, tmp_path, sink, keys):
    record = keys["record"]
    zone = {
        ("far.test", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
        ("_dmarc.far.test", "TXT"): ['"v=DMARC1; p=reject"'],
        ("s1._domainkey.our.test", "TXT"): [" ".join(f'"{record[i:i + 200]}"'
                                                     for i in range(0, len(record), 200))],
    }
    opened = []

    def server(verify="arc_seal: our.test", hop="", to=sink):
        dns = NameServer(zone)
        dns.__enter__()
        g = godwit.Godwit(data, listen=(), config=CONFIG.format(
            dns=dns.config, box=tmp_path / "box", ed=keys["ed"], key=keys["key"],
            sink=to.address, hop=hop, verify=verify))
        opened.extend((g, dns))
        return g
    yield server
    for thing in opened:
        thing.__exit__(None, None, None)


def give(g, content, client=GOOD, to="ann@our.test", sender="x@far.test"):
    with godwit.Client(g.port, channel="clear") as c:
        assert c.code(f"XCLIENT ADDR={client}") == 220
        assert c.code("EHLO mx.far.test") == 250
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        assert c.code(f"RCPT TO:<{to}>") == 250
        assert c.code("DATA") == 354
        return c.ask(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")


def chain(content, keys):
    """(cv, [instance ...]) of the chain by dkimpy."""
    def find(name, timeout=5):
        assert name == b"s1._domainkey.our.test."
        return keys["record"].encode()
    cv, results, _ = dkimpy.ARC(content).verify(dnsfunc=find)
    return cv, sorted(r["instance"] for r in results or [])


def field_names(content):
    return [line.split(b":")[0] for line in content.split(b"\r\n\r\n")[0].split(b"\r\n")
            if not line.startswith((b" ", b"\t"))]


def test_what_goes_on_is_sealed(make, sink, keys):
    g = make()
    assert give(g, MAIL)[0] == 250
    received = sink.wait(1)[0].content
    assert field_names(received)[:3] == NAMES
    assert chain(received, keys) == (b"pass", [1])
    unfolded = received.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    claim = unfolded.split(b"ARC-Authentication-Results: ")[1].split(b"\r\n")[0]
    assert claim.startswith(b"i=1; mx.godwit.test; ") and b"dmarc=pass" in claim
    assert received.endswith(MAIL.split(b"\r\n\r\n", 1)[1])


def test_a_chain_grows(make, sink, keys):
    g = make()
    assert give(g, MAIL)[0] == 250
    once = sink.wait(1)[0].content
    assert give(g, once)[0] == 250
    twice = sink.wait(2)[1].content
    assert chain(twice, keys) == (b"pass", [1, 2])
    spoiled = twice.replace(b"..body", b".-body", 1)
    assert give(g, spoiled)[0] == 250
    broken = sink.wait(3)[2].content
    assert b"cv=fail" in broken.split(b"\r\n\r\n")[0]
    assert give(g, broken)[0] == 250  # after cv=fail nothing is added (RFC 8617 5.1.2)
    assert sink.wait(4)[3].content.count(b"ARC-Seal:") == broken.count(b"ARC-Seal:") == 3


def test_what_is_ours_is_not_sealed(make, sink, keys):
    g = make()
    assert give(g, MAIL, client=OURS, to="bob@away.test")[0] == 250
    assert b"ARC-Seal" not in sink.wait(1)[0].content.split(b"\r\n\r\n")[0]


def test_without_arc_seal_nothing_is(make, sink):
    assert give(make(""), MAIL)[0] == 250
    assert b"ARC-Seal" not in sink.wait(1)[0].content.split(b"\r\n\r\n")[0]


def test_what_a_hop_of_seven_bits_gets_has_no_seal(make, data, keys):
    eight = MAIL.replace(b"..body", "..bödy".encode()).replace(
        b"Subject:", b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nSubject:")
    with godwit.Sink(extensions=("PIPELINING",)) as old:
        g = make(hop=", downgrade: quoted-printable", to=old)
        assert give(g, eight)[0] == 250
        received = old.wait(1)[0].content
        assert b"ARC-Seal" not in received.split(b"\r\n\r\n")[0]
        assert all(byte < 128 for byte in received)


@pytest.mark.parametrize("verify, code", [
    ("", 550), ("trusted_sealers: [other.test]", 550), ("trusted_sealers: [our.test]", 250),
    ("trusted_sealers: '*.test'", 250), ("forwarders: 198.51.100.0/24", 250),
    ("forwarders: 203.0.113.0/24", 550),
])
def test_trusted_sealers_and_forwarders(make, sink, keys, data, verify, code):
    g = make()
    assert give(g, MAIL)[0] == 250
    sealed = sink.wait(1)[0].content
    g.stop()
    g = make(verify)
    assert give(g, sealed, client=OTHER)[0] == code
    event = godwit.wait_for(lambda: g.events("verified"), "the log")[-1]
    assert event["dmarc"] == "fail" and event["arc"] == "pass"
    assert ("override" in event) == (code == 250)


def test_a_seal_that_says_fail_is_no_help(make, sink, keys):
    """The sealer is trusted, and says itself that the author was not proven."""
    g = make("arc_seal: our.test, dmarc_reject: note")
    assert give(g, MAIL, client=OTHER)[0] == 250
    sealed = sink.wait(1)[0].content
    assert chain(sealed, keys) == (b"pass", [1])
    g.stop()
    assert give(make("trusted_sealers: [our.test]"), sealed, client=OTHER)[0] == 550


@pytest.mark.parametrize("verify, word", [
    ("arc_seal: else.test", "'else.test' is not one of the domains that have keys (dkim)"),
    ("trusted_sealers: none", "is not a domain such as"),
])
def test_wrong_configuration(tmp_path, keys, verify, word):
    path = tmp_path / "godwit.yaml"
    path.write_text(CONFIG.format(dns="127.0.0.1:53", box=tmp_path / "box", ed=keys["ed"],
                                  key=keys["key"], sink="127.0.0.1:1", hop="", verify=verify))
    done = subprocess.run([godwit.PROGRAM, "config", "check", "--config", str(path)], capture_output=True,
                          text=True)
    assert done.returncode == 78 and word in done.stderr, done
