"""MTA-STS (RFC 8461), with policy hosts of the tests' own: HOSTILE 123. A policy that cannot
be fetched changes nothing; one that is enforced defers what it does not allow."""
import os

import pytest

import certificates
import godwit
from godwit import server_context
from nameserver import NameServer
from policy_host import PolicyHost, answer, drip, flood
from signed import SignedServer
from test_dane import deferred, delivered, tlsa
from test_routing import A1, A2, A3, Port25, submit

POLICY_HOST = "mta-sts.far.test"


class World:
    """Certificates for the policy host and the mail hosts, and who is believed."""

    def __init__(self, tmp_path, data):
        self.tmp_path, self.data = tmp_path, data
        self.web = certificates.make(tmp_path, POLICY_HOST)
        self.mx = certificates.make(tmp_path, "mx1.far.test")
        self.mx2 = certificates.make(tmp_path, "mx2.far.test")
        self.believe(self.web, self.mx, self.mx2)

    def believe(self, *pairs):
        with open(self.tmp_path / "issuers", "wb") as f:
            for pair in pairs:
                f.write(open(pair[0], "rb").read())

    def host(self, address=A1, pair=None, **more):
        return Port25(address, tls=server_context(*(pair or self.mx)), **more)

    def policy(self, reply, pair=None):
        return PolicyHost(pair or self.web, reply, host=A3, port=443)

    def start(self, names, more="routes: [{ deliver: mx }]\n", retry="1h", **options):
        anchor = self.tmp_path / "anchor"
        anchor.write_text(names.anchor() if hasattr(names, "anchor")
                          else "anchor.invalid. IN DS 1 13 2 " + "0" * 64 + "\n")
        return godwit.Godwit(self.data, environment={"SSL_CERT_FILE": str(self.tmp_path / "issuers")},
                             config=(f"dns: {{ servers: ['{names.config}'], trust_anchor: '{anchor}', "
                                     f"timeout: 3s }}\nqueue: {{ retry_first: {retry}, "
                                     "retry_jitter_percent: 0 }\ntimeouts: { connect: 2s }\n" + more),
                             **options)


@pytest.fixture
def world(network, tmp_path, data):
    return World(tmp_path, data)


def zone(record='"v=STSv1; id=1;"', **more):
    found = {("far.test", "MX"): ["10 mx1.far.test."], ("mx1.far.test", "A"): [A1],
             ("mx1.far.test", "AAAA"): [], (POLICY_HOST, "A"): [A3], (POLICY_HOST, "AAAA"): []}
    if record is not None:
        found["_mta-sts.far.test", "TXT"] = [record]
    found.update({tuple(key.split()): value for key, value in more.items()})
    return found


def text(mode="enforce", mx=("mx1.far.test",), age=86400):
    return "".join(["version: STSv1\r\n", f"mode: {mode}\r\n", f"max_age: {age}\r\n",
                    *[f"mx: {m}\r\n" for m in mx]]).encode()


@pytest.mark.parametrize("mx", [("mx1.far.test",), ("*.far.test",), ("other.test", "MX1.Far.Test")])
def test_a_host_of_the_policy(world, mx):
    with NameServer(zone()) as names, world.policy(answer(text(mx=mx))) as web, world.host() as h, \
            world.start(names) as g:
        submit(g)
        event = delivered(g)
        assert event["tls_verified"] is True and event["tls_promise"] == "sts"
        assert event["tls_wanted"] == "verified" and event["tls_wanted_by"] == "MTA-STS"
        assert h.handshakes[0]["name"] == "mx1.far.test"
        head, = web.requests
        assert head.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n")
        assert b"Host: mta-sts.far.test\r\n" in head
        submit(g)                                    # known by now
        godwit.wait_for(lambda: len(g.events("relayed")) == 2, "the second")
        assert len(web.requests) == 1


def test_123_a_host_that_is_not_of_the_policy(world):
    with NameServer(zone()) as names, world.policy(answer(text(mx=["*.else.test"]))), \
            world.host() as h, world.start(names) as g:
        submit(g)
        event = deferred(g, h)
        assert h.sessions == 0 and event["status"] == "4.7.5"
        assert event["reply"].startswith("MTA-STS: the host is not one of those")
        assert event["tls_promise"] == "sts" and event["tls_wanted"] == "verified"
        assert event["tls_failure"] == "validation-failure"


def test_123_the_next_host_is_one_of_the_policy(world):
    records = zone(**{"far.test MX": ["10 mx1.far.test.", "20 mx2.far.test."],
                      "mx2.far.test A": [A2], "mx2.far.test AAAA": []})
    with NameServer(records) as names, world.policy(answer(text(mx=["mx2.far.test"]))), \
            world.host() as first, world.host(A2, world.mx2) as second, world.start(names) as g:
        submit(g)
        second.wait(1)
        assert first.sessions == 0 and delivered(g)["tls_verified"] is True


def broken_hosts(world):
    make = certificates.make
    return {
        "name": make(world.tmp_path, "mx.else.test"),
        "domain": make(world.tmp_path, "far.test", stem="domain"),
        "expired": make(world.tmp_path, "mx1.far.test", days=-1, stem="expired"),
        "unknown": make(world.tmp_path, "mx1.far.test", stem="unknown"),
    }


@pytest.mark.parametrize("how", ["name", "domain", "expired", "unknown", "no-tls", "refused"])
def test_123_a_host_that_does_not_keep_the_policy(world, how):
    pairs = broken_hosts(world)
    world.believe(world.web, *[p for kind, p in pairs.items() if kind != "unknown"])
    script = (lambda verb, argument, count: b"454 4.7.0 no\r\n" if verb == "STARTTLS" else None) \
        if how == "refused" else None
    with NameServer(zone()) as names, world.policy(answer(text())), \
            (Port25(A1) if how == "no-tls" else
             world.host(pair=pairs.get(how), script=script)) as h, world.start(names) as g:
        submit(g)
        event = deferred(g, h)
        assert event["status"] == ("4.7.4" if how in ("no-tls", "refused") else "4.7.5")
        assert event["tls_promise"] == "sts" and h.sessions == 1
        assert event["tls_failure"] == {
            "name": "certificate-host-mismatch", "domain": "certificate-host-mismatch",
            "expired": "certificate-expired", "unknown": "certificate-not-trusted"}.get(
                how, "starttls-not-supported")


@pytest.mark.parametrize("how", ["name", "no-tls", "not-listed"])
def test_testing_is_told_and_delivers(world, how):
    mx = ["other.test"] if how == "not-listed" else ["mx1.far.test"]
    pair = broken_hosts(world)["name"] if how == "name" else world.mx
    world.believe(world.web, pair)
    with NameServer(zone()) as names, world.policy(answer(text("testing", mx))), \
            (Port25(A1) if how == "no-tls" else world.host(pair=pair)), world.start(names) as g:
        submit(g)
        event = delivered(g)
        assert event["tls_promise"] == "sts-testing" and event["tls_wanted"] == "opportunistic"
        assert event["tls_trouble"] == {
            "name": "hostname mismatch", "no-tls": "STARTTLS was not offered",
            "not-listed": "the host is not one of those of the domain's MTA-STS policy"}[how]
        assert event["tls_failure"] == {
            "name": "certificate-host-mismatch", "no-tls": "starttls-not-supported",
            "not-listed": "validation-failure"}[how]


def redirect(connection):
    connection.sendall(answer(b"", b"302 Found", None, b"Location: https://mta-sts.far.test/x\r\n"))


FETCHES = {
    "404": answer(text(), b"404 Not Found"),
    "redirect": redirect,
    "type": answer(text(), kind=b"text/html"),
    "no-type": answer(text(), kind=None),
    "oversized": answer(text() + b"x: " + b"y" * (1 << 20) + b"\r\n"),
    "endless": flood,
    "no-policy": answer(b"<html>nothing</html>"),
    "no-mx": answer(text(mx=[])),
    "cut": answer(text())[:-5],
    "certificate": None, "expired": None, "gone": None, "loopback": None, "no-address": None,
}


def bad_policy(world, how):
    make = certificates.make
    if how == "certificate":
        return world.policy(answer(text()), make(world.tmp_path, "else.test"))
    if how == "expired":
        pair = make(world.tmp_path, POLICY_HOST, days=-1, stem="old")
        world.believe(pair)
        return world.policy(answer(text()), pair)
    if how == "loopback":
        return PolicyHost(world.web, answer(text()), port=443)
    return world.policy(FETCHES[how] or answer(text()))


@pytest.mark.parametrize("how", FETCHES)
def test_123_a_policy_that_cannot_be_fetched(world, how):
    """Nothing is known of the domain: mail goes as if it had no policy, and it is told."""
    more = {"loopback": {f"{POLICY_HOST} A": ["127.0.0.1"]}, "gone": {f"{POLICY_HOST} A": [A2]},
            "no-address": {f"{POLICY_HOST} A": []}}.get(how, {})
    with NameServer(zone(**more)) as names, bad_policy(world, how) as web, Port25(A1) as h, \
            world.start(names) as g:
        submit(g)
        event = delivered(g)
        assert event["tls"] == "none" and "tls_promise" not in event
        warning, = godwit.wait_for(lambda: g.events("mta-sts"), "a warning")
        assert warning["domain"] == "far.test" and warning["text"]
        assert warning["result"] == {
            "certificate": "sts-webpki-invalid", "expired": "sts-webpki-invalid",
            "type": "sts-policy-invalid", "no-type": "sts-policy-invalid",
            "no-policy": "sts-policy-invalid", "no-mx": "sts-policy-invalid"}.get(
                how, "sts-policy-fetch-error")
        if how in ("certificate", "expired", "gone", "loopback", "no-address"):
            assert web.requests == []
        else:
            assert len(web.requests) == 1
        submit(g)                               # for five minutes it is not tried again
        h.wait(2)
        assert len(web.requests) <= 1


@pytest.mark.parametrize("how", FETCHES)
def test_123_what_is_cached_holds_though_the_policy_cannot_be_fetched(world, how):
    more = {"loopback": {f"{POLICY_HOST} A": ["127.0.0.1"]}, "gone": {f"{POLICY_HOST} A": [A2]},
            "no-address": {f"{POLICY_HOST} A": []}}.get(how, {})
    with NameServer(zone()) as names, world.host():
        with world.policy(answer(text())), world.start(names) as g:
            submit(g)
            assert delivered(g)["tls_promise"] == "sts"
            assert g.stop() == 0
    world.believe(world.web)                    # the host's certificate is good no more
    with NameServer(zone('"v=STSv1; id=2;"', **more)) as names, world.host() as h, \
            bad_policy(world, how), world.start(names) as g:
        submit(g)
        event = deferred(g, h)
        assert event["tls_promise"] == "sts"
        assert godwit.wait_for(lambda: g.events("mta-sts"), "a warning")


@pytest.mark.parametrize("record", [None, "SERVFAIL", '"v=STSv1; id=1; id"', '"v=spf1 -all"'])
def test_123_what_is_cached_holds_without_a_record(world, record):
    with NameServer(zone()) as names, world.host(), world.policy(answer(text())), \
            world.start(names) as g:
        submit(g)
        delivered(g)
        assert g.stop() == 0
    records = zone(record)
    if record == "SERVFAIL":
        records["_mta-sts.far.test", "TXT"] = record
    with NameServer(records) as names, Port25(A1) as h, world.start(names) as g:
        submit(g)
        assert deferred(g, h)["status"] == "4.7.4"


def test_it_survives_being_killed_and_is_not_fetched_again(world):
    with NameServer(zone()) as names, world.host() as h, world.policy(answer(text())) as web:
        with world.start(names) as g:
            submit(g)
            delivered(g)
            submit(g)                           # behind it the note is on the disk
            h.wait(2)
        with world.start(names) as g:
            submit(g)
            # what was under way when it was killed may be tried again
            told = godwit.wait_for(lambda: g.events("relayed"), "it in the log")
            assert {event["tls_promise"] for event in told} == {"sts"}
            assert len(web.requests) == 1


def test_a_new_record_brings_a_new_policy(world):
    with NameServer(zone()) as names, world.host(), world.policy(answer(text())), \
            world.start(names) as g:
        submit(g)
        assert delivered(g)["tls_promise"] == "sts"
        assert g.stop() == 0
    with NameServer(zone('"v=STSv1; id=2"')) as names, Port25(A1), \
            world.policy(answer(text("none", mx=[]))) as web, world.start(names) as g:
        submit(g)
        assert "tls_promise" not in delivered(g) and len(web.requests) == 1


@pytest.mark.parametrize("good", [True, False])
def test_123_a_policy_of_no_age_is_for_who_waited(world, good):
    with NameServer(zone()) as names, world.policy(answer(text(age=0))), \
            (world.host() if good else Port25(A1)) as h, world.start(names) as g:
        submit(g)
        if good:
            assert delivered(g)["tls_promise"] == "sts"
        else:
            assert deferred(g, h)["tls_promise"] == "sts"


def test_123_a_policy_of_no_age_takes_the_place_of_a_cached_one(world):
    with NameServer(zone()) as names, world.host(), world.policy(answer(text())), \
            world.start(names) as g:
        submit(g)
        delivered(g)
        assert g.stop() == 0
    with NameServer(zone('"v=STSv1; id=2"')) as names, Port25(A1), \
            world.policy(answer(text("testing", age=0))), world.start(names) as g:
        submit(g)
        assert delivered(g)["tls_promise"] == "sts-testing"


def test_123_a_slow_policy_host_keeps_no_other_mail(world):
    records = zone(**{"other.test MX": ["10 mx1.far.test."]})
    with NameServer(records) as names, world.policy(drip), world.host() as h, \
            world.start(names) as g:
        submit(g)
        submit(g, ("b@other.test",))
        h.wait(1)
        assert h.messages[0].recipients == ["b@other.test"]


def test_two_domains_one_host_one_policy(world):
    """What fails for the one defers none of the other's, and a connection in its way is not
    used for it."""
    records = zone(**{"other.test MX": ["10 mx1.far.test."]})
    with NameServer(records) as names, world.policy(answer(text())), \
            world.host(pair=broken_hosts(world)["name"]) as h, world.start(names) as g:
        submit(g, ("b@other.test",))
        h.wait(1)
        submit(g)
        event = godwit.wait_for(lambda: g.events("site-failed"), "the site to fail")[0]
        assert event["tls_promise"] == "sts"
        submit(g, ("c@other.test",))
        h.wait(2)
        assert [m.recipients for m in h.messages] == [["b@other.test"], ["c@other.test"]]


def test_no_policy_is_asked_for_where_it_is_not_heeded(world):
    with NameServer(zone()) as names, world.policy(answer(text())) as web, Port25(A1), \
            world.start(names, "sites: { default: { mta_sts: false } }\n") as g:
        submit(g)
        assert "tls_promise" not in delivered(g)
        assert web.requests == [] and ("_mta-sts.far.test", "TXT") not in names.asked


@pytest.mark.parametrize("spoil", [True, False])
def test_123_dane_comes_before_mta_sts(world, spoil):
    """A record that fits delivers where the policy would not, and the other way round."""
    name = "mta-sts.signed.test"
    web = certificates.make(world.tmp_path, name)
    mx = certificates.make(world.tmp_path, "mx1.far.test", stem="dane")
    listed = "mx.signed.test" if spoil else "else.test"
    world.believe(web, mx)
    records = {("signed.test", "MX"): ["10 mx.signed.test."], ("mx.signed.test", "A"): [A1],
               ("mx.signed.test", "AAAA"): [], (name, "A"): [A3], (name, "AAAA"): [],
               ("_mta-sts.signed.test", "TXT"): ['"v=STSv1; id=1"'],
               ("_25._tcp.mx.signed.test", "TLSA"): [tlsa(mx, spoil=spoil)]}
    with SignedServer(records) as names, world.policy(answer(text(mx=[listed])), web), \
            world.host(pair=mx) as h, world.start(names) as g:
        submit(g, ("b@signed.test",))
        if spoil:
            assert deferred(g, h)["tls_promise"] == "dane"
        else:
            assert delivered(g)["tls_promise"] == "dane"


def test_a_hop_that_is_named_is_a_domain_of_its_own(world):
    """RFC 8461 3.4."""
    records = {("mx1.far.test", "A"): [A1], ("mx1.far.test", "AAAA"): [],
               ("_mta-sts.mx1.far.test", "TXT"): ['"v=STSv1; id=1"'],
               ("mta-sts.mx1.far.test", "A"): [A3], ("mta-sts.mx1.far.test", "AAAA"): []}
    web = certificates.make(world.tmp_path, "mta-sts.mx1.far.test")
    world.believe(web, world.mx)
    with NameServer(records) as names, world.policy(answer(text()), web), world.host(), \
            world.start(names, "routes: [{ deliver: { smtp: mx1.far.test } }]\n") as g:
        submit(g, ("b@any.test",))
        assert delivered(g)["tls_promise"] == "sts"
        assert ("_mta-sts.any.test", "TXT") not in names.asked
