"""What an MX says of strangers' mail: SPF, DKIM, ARC, DMARC (RFC 7208, 6376, 8617, 9989),
Authentication-Results (RFC 8601), HOSTILE D. The DNS is a server of the test's own."""
import glob
import json
import os
import subprocess

import pytest

import godwit
from nameserver import NameServer

CONFIG = """
listen: [{{ address: "127.0.0.1:0" }}]
relay_clients: []
xclient_from: 127.0.0.1
dns: {{ servers: ["{dns}"], timeout: 2s, trust_anchor: /dev/null }}
domains: {{ our.test: {{ users: [ann], deliver: {{ maildir: "{box}" }} }} }}
verify: {{ {verify} }}
"""
GOOD, OTHER = "192.0.2.1", "198.51.100.1"


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("key") / "key.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024",
                    "-out", path], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                            check=True, capture_output=True).stdout
    import base64
    return path, base64.b64encode(public).decode()


def quoted(text):
    return " ".join(f'"{text[i:i + 200]}"' for i in range(0, len(text), 200))


@pytest.fixture
def zone(key):
    return {
        ("far.test", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
        ("_dmarc.far.test", "TXT"): ['"v=DMARC1; p=reject"'],
        ("s1._domainkey.far.test", "TXT"): [quoted(f"v=DKIM1; p={key[1]}")],
        ("soft.test", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
        ("_dmarc.soft.test", "TXT"): ['"v=DMARC1; p=quarantine"'],
        ("late.test", "TXT"): "silence",
        ("1.2.0.192.in-addr.arpa", "PTR"): ["mx.far.test."],
        ("mx.far.test", "A"): ["192.0.2.1"],
    }


@pytest.fixture
def box(tmp_path):
    return str(tmp_path / "box")


@pytest.fixture
def make(data, box, zone):
    def server(verify="", dns_of=None):
        while opened:
            opened.pop(0).__exit__(None, None, None)
        dns = NameServer(zone)
        dns.__enter__()
        if dns_of is not None:
            dns_of.append(dns)
        g = godwit.Godwit(data, listen=(), config=CONFIG.format(dns=dns.config, box=box,
                                                                verify=verify))
        opened.extend((g, dns))
        return g
    opened = []
    yield server
    for thing in opened:
        thing.__exit__(None, None, None)


def give(g, content, client=GOOD, sender="x@far.test", helo="mx.far.test"):
    with godwit.Client(g.port, channel="clear") as c:
        assert c.code(f"XCLIENT ADDR={client}") == 220
        assert c.code(f"EHLO {helo}") == 250
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        assert c.code("RCPT TO:<ann@our.test>") == 250
        assert c.code("DATA") == 354
        return c.ask(content.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")


def delivered(box):
    path = godwit.wait_for(lambda: glob.glob(os.path.join(box, "new", "*")), "the mail")[0]
    with open(path, "rb") as f:
        content = f.read().replace(b"\r\n", b"\n")
    os.unlink(path)
    return content


def results(content, name=b"mx.godwit.test"):
    """The first field of our name, on one line."""
    header = content.split(b"\n\n")[0].replace(b"\n ", b" ").replace(b"\n\t", b" ")
    ours = [line for line in header.split(b"\n")
            if line.lower().startswith(b"authentication-results: " + name)]
    assert len(ours) == 1, header
    return ours[0].decode().split("; ")[1:]


def signed(key, content, tmp_path, domain="far.test"):
    path = str(tmp_path / "message")
    with open(path, "wb") as f:
        f.write(content)
    return subprocess.run([godwit.PROGRAM, "sign", "--key", key[0], "--domain", domain,
                           "--selector", "s1", path], check=True, capture_output=True).stdout


MAIL = (b"From: Ann <ann@far.test>\r\nTo: ann@our.test\r\nSubject: x\r\n"
        b"Date: Thu, 26 Nov 2026 01:02:03 +0000\r\nMessage-ID: <1@far.test>\r\n\r\n.body\r\n")


def test_spf_passes(make, box):
    assert give(make(), MAIL)[0] == 250
    assert results(delivered(box)) == [
        "iprev=pass policy.iprev=192.0.2.1 (mx.far.test)",
        "spf=pass smtp.mailfrom=x@far.test", "dkim=none",
        "dmarc=pass header.from=far.test policy.dmarc=none"]


def test_a_signature_passes_from_anywhere(make, box, key, tmp_path):
    g = make()
    assert give(g, signed(key, MAIL, tmp_path), client=OTHER)[0] == 250
    iprev, spf, dkim, dmarc = results(delivered(box))
    assert iprev == "iprev=permerror policy.iprev=198.51.100.1"
    assert spf.startswith("spf=fail") and dkim.startswith("dkim=pass header.d=far.test")
    assert "header.s=s1" in dkim and dmarc.startswith("dmarc=pass")
    godwit.wait_for(lambda: g.events("verified"), "the log")
    event = g.events("verified")[0]
    assert (event["spf"], event["dkim"], event["dmarc"], event["action"]) \
        == ("fail", "pass", "pass", "note")


def test_a_broken_signature_is_no_help(make, box, key, tmp_path):
    g = make()
    broken = signed(key, MAIL, tmp_path).replace(b".body", b".Body")
    code, text = give(g, broken, client=OTHER)
    assert (code, text[:5]) == (550, "5.7.1")
    godwit.wait_for(lambda: g.events("refused"), "the log")
    assert g.queue() == [] and not glob.glob(os.path.join(box, "new", "*"))


@pytest.mark.parametrize("verify,code", [
    ("", 550), ("dmarc_reject: note", 250), ("dmarc_reject: hold", 250), ("check: false", 250),
])
def test_policy_of_reject(make, box, verify, code):
    g = make(verify)
    assert give(g, MAIL, client=OTHER)[0] == code
    if "hold" in verify:
        godwit.wait_for(lambda: [r for r in g.queue() if r["recipient"]["state"] == "held"], "it held")
    elif code == 250:
        content = delivered(box)
        assert (b"dmarc=fail" in content) == ("check" not in verify)


@pytest.mark.parametrize("verify,held", [("", False), ("dmarc_quarantine: hold", True)])
def test_policy_of_quarantine(make, box, verify, held):
    g = make(verify)
    soft = MAIL.replace(b"far.test", b"soft.test")
    assert give(g, soft, client=OTHER, sender="x@soft.test")[0] == 250
    if held:
        godwit.wait_for(lambda: [r for r in g.queue() if r["recipient"]["state"] == "held"], "it held")
    else:
        assert "policy.dmarc=quarantine" in results(delivered(box))[-1]


@pytest.mark.parametrize("verify,code", [("", 250), ("require_dkim: true", 550)])
def test_100_a_shared_pool_of_addresses_proves_no_author(make, box, verify, code):
    """Everybody who may send from the service passes SPF for everybody else who uses it."""
    assert give(make(verify), MAIL)[0] == code


def test_require_dkim_is_content_with_a_signature(make, box, key, tmp_path):
    assert give(make("require_dkim: true"), signed(key, MAIL, tmp_path))[0] == 250
    assert results(delivered(box))[-1].startswith("dmarc=pass")


def test_received_spf_is_written_beside(make, box):
    assert give(make("iprev: false"), MAIL)[0] == 250
    content = delivered(box)
    assert content.index(b"\nReceived-SPF: pass\n") < content.index(b"\nAuthentication-Results:")
    assert b"iprev" not in content


def test_received_spf_may_be_left_out(make, box):
    assert give(make("received_spf: false"), MAIL)[0] == 250
    assert b"Received-SPF" not in delivered(box)


def test_spf_fail_may_refuse(make):
    g = make("spf_fail: reject, dmarc_reject: note")
    code, text = give(g, MAIL, client=OTHER)
    assert (code, text[:6]) == (550, "5.7.23")


def test_forged_results_are_taken_out(make, box):
    forged = (b"Authentication-Results: mx.godwit.test; dmarc=pass\r\n"
              b"authentication-results:\r\n (x) MX.Godwit.Test 1;\r\n spf=pass\r\n"
              b"Authentication-Results: other.test; dkim=pass\r\n")
    assert give(make(), forged + MAIL)[0] == 250
    content = delivered(box)
    assert results(content)[1].startswith("spf=pass smtp.mailfrom")
    assert content.lower().count(b"authentication-results:") == 2
    assert b"other.test; dkim=pass" in content and content.endswith(b"\n\n.body\n\n")


@pytest.mark.parametrize("start", [
    b"From: a@attack.test\r\nFrom: ceo@far.test\r\n", b"From: a@attack.test, ceo@far.test\r\n",
    b" From: a@attack.test\r\nFrom: ceo@far.test\r\n", b"From: a@attack.test\r\nFrom : ceo@far.test\r\n",
    b"From: \"a@far.test\" <>\r\n",
])
def test_an_author_that_cannot_be_told(make, start):
    code, text = give(make(), start + b"To: ann@our.test\r\n\r\nx")
    assert (code, text[:5]) == (550, "5.7.1")


def test_without_any_author_nobody_is_taken_for_another(make, box):
    assert give(make(), b"Subject: nobody\r\n\r\nx")[0] == 250
    assert results(delivered(box))[-1].startswith("dmarc=permerror")


def test_a_silent_dns_costs_nothing_but_time(make, box):
    g = make()
    late = MAIL.replace(b"far.test", b"late.test")
    assert give(g, late, sender="x@late.test")[0] == 250
    assert any(r.startswith("spf=temperror") for r in results(delivered(box)))


def test_a_client_may_go_while_it_is_checked(make, box):
    g = make()
    late = MAIL.replace(b"far.test", b"late.test")
    for _ in range(5):
        with godwit.Client(g.port, channel="clear") as c:
            c.send(b"EHLO a.test\r\nMAIL FROM:<x@late.test>\r\nRCPT TO:<ann@our.test>\r\nDATA\r\n")
            for _ in range(4):
                c.reply()
            c.send(late + b"\r\n.\r\n")
    assert give(g, MAIL)[0] == 250
    delivered(box)
    assert g.stop() == 0


def test_who_is_trusted_or_logged_in_is_not_asked(data, box, zone):
    with NameServer(zone) as dns:
        config = CONFIG.format(dns=dns.config, box=box, verify="").replace(
            "relay_clients: []", "relay_clients: 127.0.0.1")
        with godwit.Godwit(data, listen=(), config=config) as g:
            with godwit.Client(g.port, channel="clear") as c:
                assert c.code("EHLO a.test") == 250
                for command in ("MAIL FROM:<x@far.test>", "RCPT TO:<ann@our.test>", "DATA"):
                    c.ask(command)
                assert c.ask(MAIL + b"\r\n.\r\n")[0] == 250
            assert b"Authentication-Results" not in delivered(box)
        assert [name for name, _ in dns.asked if "far.test" in name] == []


def test_a_slow_dns_of_the_senders_own_does_not_hide_the_authors_policy(make, zone):
    """The names of the client never answer, until there is no patience for SPF any more; the
    key of the author is asked for behind that, and so is the policy."""
    slow = [f"n{i}.slow.test" for i in range(11)]
    zone["9.2.0.192.in-addr.arpa", "PTR"] = [name + "." for name in slow]
    zone["slow.test", "TXT"] = ['"v=spf1 ptr -all"']
    for name in slow:
        zone[name, "A"] = "silence"
    forged = (b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=far.test; s=none; h=from;\r\n"
              b" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
              b"From: ceo@far.test\r\n\r\n")
    with make() as g:
        assert give(g, forged, client="192.0.2.9", sender="x@slow.test")[0] == 550


@pytest.mark.parametrize("verify", ["", "dmarc_reject: note"])
def test_a_first_line_that_is_a_fold_does_not_go_on_in_our_results(make, verify):
    """It would stand at the end of our own Authentication-Results field."""
    start = b"\t; dkim=pass header.d=bank.test; dmarc=pass header.from=bank.test\r\n"
    code, text = give(make(verify), start + b"To: ann@our.test\r\n\r\nx")
    assert (code, text[:5]) == (550, "5.7.1")
