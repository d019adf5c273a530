"""Signed, unsigned and spoilt answers (RFC 4033 section 5; HOSTILE 118): what the resolver
says of them, and what that does to mail."""
import os
import subprocess

import pytest

import godwit
from godwit import wait_for
from signed import SignedServer
from test_routing import A1, Port25, outcome, submit

PROBE = os.path.join(godwit.TOP, "build", "probe_dns_secure")
TYPES = {"A": 1, "MX": 15, "TXT": 16, "AAAA": 28}

ZONE = {
    ("signed.test", "MX"): ["10 mx.signed.test."],
    ("mx.signed.test", "A"): [A1],
    ("alias.signed.test", "CNAME"): ["mx.signed.test."],
    ("away.signed.test", "CNAME"): ["plain.other."],
    ("plain.other", "A"): [A1],
    ("plain.other", "MX"): ["10 mx.signed.test."],
    ("sub.child.signed.test", "A"): [A1],
    ("sub.child.signed.test", "MX"): ["10 mx.signed.test."],
    **{(f"{how}.signed.test", kind): value for how in ("broken", "expired", "future", "stripped")
       for kind, value in (("MX", ["10 mx.signed.test."]), ("A", [A1]))},
}

CASES = [
    ("signed.test", "MX", "ok secure"),
    ("mx.signed.test", "A", "ok secure"),
    ("mx.signed.test", "AAAA", "nodata secure"),
    ("absent.signed.test", "MX", "nxdomain secure"),
    ("alias.signed.test", "A", "ok secure"),
    ("away.signed.test", "A", "ok insecure"),
    ("plain.other", "MX", "ok insecure"),
    ("absent.other", "MX", "nxdomain insecure"),
    ("sub.child.signed.test", "A", "ok insecure"),
    ("broken.signed.test", "MX", "bogus insecure"),
    ("expired.signed.test", "MX", "bogus insecure"),
    ("future.signed.test", "A", "bogus insecure"),
    ("stripped.signed.test", "MX", "bogus insecure"),
]


@pytest.fixture
def server(tmp_path):
    with SignedServer(ZONE, delegated=["child.signed.test"]) as s:
        (tmp_path / "anchor").write_text(s.anchor())
        yield s


def test_secure_insecure_and_bogus_are_told_apart(server, tmp_path):
    asked = [word for name, kind, _ in CASES for word in (name, str(TYPES[kind]))]
    done = subprocess.run([PROBE, f"127.0.0.1:{server.port}", str(tmp_path / "anchor"), *asked],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = [f"{name} {kind} {line.split(' ', 1)[1]}"
            for (name, kind, _), line in zip(CASES, done.stdout.splitlines())]
    assert said == [f"{name} {kind} {want}" for name, kind, want in CASES]


def test_an_anchor_that_fits_no_key_makes_all_of_it_bogus(server, tmp_path):
    (tmp_path / "wrong").write_text("signed.test. IN DS 1 13 2 " + "0" * 64 + "\n")
    done = subprocess.run([PROBE, f"127.0.0.1:{server.port}", str(tmp_path / "wrong"),
                           "signed.test", "15", "plain.other", "15"],
                          capture_output=True, text=True, timeout=120)
    assert done.stdout == "signed.test bogus insecure\nplain.other ok insecure\n"


def start(data, tmp_path, server):
    config = (f"dns: {{ servers: ['{server.config}'], trust_anchor: '{tmp_path}/anchor', "
              "timeout: 10s }\nqueue: { retry_first: 1h }\n")
    return godwit.Godwit(data, config=config)


def test_mail_to_signed_and_unsigned_domains_arrives(network, server, tmp_path, data):
    with Port25(A1) as host, start(data, tmp_path, server) as g:
        submit(g, ["b@signed.test", "b@plain.other", "b@sub.child.signed.test"], sender="")
        wait_for(lambda: sorted(r for m in host.messages for r in m.recipients) ==
                 ["b@plain.other", "b@signed.test", "b@sub.child.signed.test"], "all three")


@pytest.mark.parametrize("how", ["broken", "expired", "future", "stripped"])
def test_mail_to_a_domain_with_spoilt_signatures_waits(network, server, tmp_path, data, how):
    with Port25(A1) as host, start(data, tmp_path, server) as g:
        submit(g, [f"b@{how}.signed.test"])
        event = outcome(g)
        assert event["event"] == "site-failed" and event["status"] == "4.4.3"
        assert host.sessions == 0 and not g.events("failed")
        row, = g.queue()
        assert row["recipient"]["state"] == "queued"
