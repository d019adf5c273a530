"""What the DNS promises of certificates: RFC 7672, over a signed zone of the tests' own
(HOSTILE 122). Never clear text, never TLS with anybody, where a usable record stands."""
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import certificates
import godwit
from godwit import server_context
from signed import SignedServer
from test_routing import A1, A2, Port25, submit

MX = "mx.signed.test"
TO = ("b@signed.test",)


@pytest.fixture
def pair(tmp_path):
    """A certificate for another host, expired: with usage 3 neither counts."""
    return certificates.make(tmp_path, "some.where.else", days=-1)


def certificate(pair):
    with open(pair[0], "rb") as f:
        return x509.load_pem_x509_certificate(f.read())


def tlsa(pair, usage=3, selector=1, matching=1, spoil=False):
    c = certificate(pair)
    data = c.public_bytes(serialization.Encoding.DER) if selector == 0 else \
        c.public_key().public_bytes(serialization.Encoding.DER,
                                    serialization.PublicFormat.SubjectPublicKeyInfo)
    data = {0: data, 1: hashlib.sha256(data).digest(),
            2: hashlib.sha512(data).digest()}.get(matching, data[:32])
    if spoil:
        data = data[:-1] + bytes([data[-1] ^ 1])
    return f"{usage} {selector} {matching} {data.hex()}"


def zone(records, base=MX, **more):
    found = {("signed.test", "MX"): [f"10 {MX}."], (MX, "A"): [A1], (MX, "AAAA"): []}
    if records is not None:
        found[f"_25._tcp.{base}", "TLSA"] = records
    found.update({tuple(key.split()): value for key, value in more.items()})
    return found


def start(data, tmp_path, server, more="routes: [{ deliver: mx }]\n"):
    (tmp_path / "anchor").write_text(server.anchor())
    return godwit.Godwit(data, config=(
        f"dns: {{ servers: ['{server.config}'], trust_anchor: '{tmp_path}/anchor', "
        "timeout: 10s }\nqueue: { retry_first: 1h }\n" + more))


def host(pair, address=A1, **more):
    return Port25(address, tls=None if pair is None else server_context(*pair), **more)


def delivered(g):
    event, = godwit.wait_for(lambda: g.events("relayed"), "it in the log")
    return event


def deferred(g, *hosts):
    """Nothing was said of the message, and it waits."""
    event = godwit.wait_for(lambda: g.events("site-failed"), "the site to fail")[0]
    assert event["status"].startswith("4."), event
    assert not g.events("failed") and not g.events("relayed")
    row, = g.queue()
    assert row["recipient"]["state"] == "queued"
    for h in hosts:
        assert not h.messages and not any(c.startswith("MAIL") for c in h.commands)
    return event


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_a_certificate_that_the_dns_vouches_for(network, tmp_path, data, pair, selector, matching):
    records = [tlsa(pair, 3, selector, matching)]
    with SignedServer(zone(records)) as names, host(pair) as h, start(data, tmp_path, names) as g:
        submit(g, TO)
        event = delivered(g)
        assert event["tls_verified"] is True and event["tls_promise"] == "dane"
        assert event["tls_wanted"] == "verified" and event["tls_wanted_by"] == "DANE"
        assert "tls_failure" not in event
        assert h.handshakes[0]["name"] == MX


def test_one_good_record_of_several(network, tmp_path, data, pair):
    """A key that is about to be changed; records of no use between them."""
    records = [tlsa(pair, spoil=True), tlsa(pair, usage=1), tlsa(pair, matching=3), tlsa(pair)]
    with SignedServer(zone(records)) as names, host(pair) as h, start(data, tmp_path, names) as g:
        submit(g, TO)
        assert delivered(g)["tls_verified"] is True
        assert len(h.messages) == 1


@pytest.mark.parametrize("records", [
    lambda pair: [tlsa(pair, spoil=True)],
    lambda pair: [tlsa(pair, usage=1), tlsa(pair, spoil=True)],
    lambda pair: [tlsa(pair, usage=2)]], ids=["digest", "beside-unusable", "issuer-expired"])
def test_122_a_certificate_that_is_another(network, tmp_path, data, pair, records):
    with SignedServer(zone(records(pair))) as names, host(pair) as h, \
            start(data, tmp_path, names) as g:
        submit(g, TO)
        event = deferred(g, h)
        assert event["status"] == "4.7.5" and event["tls_promise"] == "dane"
        assert event["tls_wanted_by"] == "DANE"
        assert event["tls_failure"] in ("certificate-not-trusted", "certificate-expired")
        assert h.sessions == 1                      # not once more in clear


def test_122_no_starttls_is_offered(network, tmp_path, data, pair):
    """Taken away on the way, say."""
    with SignedServer(zone([tlsa(pair)])) as names, host(None) as h, \
            start(data, tmp_path, names) as g:
        submit(g, TO)
        event = deferred(g, h)
        assert event["status"] == "4.7.4" and event["tls_promise"] == "dane"
        assert event["tls_failure"] == "starttls-not-supported"


@pytest.mark.parametrize("offers", [True, False])
def test_122_records_of_no_use_ask_for_tls_with_anybody(network, tmp_path, data, pair, offers):
    records = [tlsa(pair, usage=0), tlsa(pair, usage=1, spoil=True), tlsa(pair, matching=7)]
    with SignedServer(zone(records)) as names, host(pair if offers else None) as h, \
            start(data, tmp_path, names) as g:
        submit(g, TO)
        if offers:
            event = delivered(g)
            assert event["tls_promise"] == "dane-unusable" and event["tls_verified"] is False
            assert event["tls_wanted"] == "required" and event["tls_wanted_by"] == "DANE"
            assert event["tls_failure"] == "tlsa-invalid"
        else:
            assert deferred(g, h)["status"] == "4.7.4"


@pytest.mark.parametrize("answer", ["SERVFAIL", "REFUSED", "bogus"])
def test_122_records_that_cannot_be_looked_up(network, tmp_path, data, pair, answer):
    """The host is not even connected to."""
    records = zone(answer if answer != "bogus" else [tlsa(pair)],
                   base=MX if answer != "bogus" else "broken.signed.test")
    if answer == "bogus":
        records["signed.test", "MX"] = ["10 mx.signed.test."]
        records[f"_25._tcp.{MX}", "CNAME"] = ["_25._tcp.broken.signed.test."]
    with SignedServer(records) as names, host(pair) as h, start(data, tmp_path, names) as g:
        submit(g, TO)
        event = deferred(g)
        assert h.sessions == 0
        assert event["status"] == "4.4.3" and event["reply"].startswith("DANE: its TLSA records")
        assert event["tls_promise"] == "dane" and MX in event["peer"]
        assert event["tls_failure"] == "dnssec-invalid"


def test_122_the_next_host_takes_it(network, tmp_path, data, pair):
    records = zone("SERVFAIL", **{"mx2.signed.test A": [A2], "mx2.signed.test AAAA": [],
                                  "signed.test MX": [f"10 {MX}.", "20 mx2.signed.test."]})
    records["_25._tcp.mx2.signed.test", "TLSA"] = [tlsa(pair)]
    with SignedServer(records) as names, host(pair) as first, host(pair, A2) as second, \
            start(data, tmp_path, names) as g:
        submit(g, TO)
        second.wait(1)
        assert first.sessions == 0
        assert delivered(g)["tls_verified"] is True


@pytest.mark.parametrize("at", ["canonical", "alias"])
@pytest.mark.parametrize("spoil", [False, True])
def test_122_a_mail_host_that_is_a_secure_alias(network, tmp_path, data, pair, at, spoil):
    base = {"canonical": "real.signed.test", "alias": MX}[at]
    records = {("signed.test", "MX"): [f"10 {MX}."], (MX, "CNAME"): ["real.signed.test."],
               ("real.signed.test", "A"): [A1], ("real.signed.test", "AAAA"): [],
               (f"_25._tcp.{base}", "TLSA"): [tlsa(pair, spoil=spoil)]}
    with SignedServer(records) as names, host(pair) as h, start(data, tmp_path, names) as g:
        submit(g, TO)
        if spoil:
            assert deferred(g, h)["status"] == "4.7.5"
        else:
            assert delivered(g)["tls_verified"] is True
        assert h.handshakes == [] or h.handshakes[0]["name"] == base


def test_122_of_an_alias_what_it_leads_to_comes_first(network, tmp_path, data, pair):
    records = {("signed.test", "MX"): [f"10 {MX}."], (MX, "CNAME"): ["real.signed.test."],
               ("real.signed.test", "A"): [A1], ("real.signed.test", "AAAA"): [],
               ("_25._tcp.real.signed.test", "TLSA"): [tlsa(pair)],
               (f"_25._tcp.{MX}", "TLSA"): [tlsa(pair, spoil=True)]}
    with SignedServer(records) as names, host(pair) as h, start(data, tmp_path, names) as g:
        submit(g, TO)
        assert delivered(g)["tls_verified"] is True
        assert h.handshakes[0]["name"] == "real.signed.test"


def test_a_secure_alias_of_an_insecure_host(network, tmp_path, data, pair):
    """The alias is signed, where it leads is not: its own name is asked for."""
    records = {("signed.test", "MX"): [f"10 {MX}."], (MX, "CNAME"): ["mx.other."],
               ("mx.other", "A"): [A1], ("mx.other", "AAAA"): [],
               (f"_25._tcp.{MX}", "TLSA"): [tlsa(pair, spoil=True)]}
    with SignedServer(records) as names, host(pair) as h, start(data, tmp_path, names) as g:
        submit(g, TO)
        assert deferred(g, h)["tls_promise"] == "dane"


@pytest.mark.parametrize("records", [
    {("other.test", "MX"): [f"10 {MX}."]},                          # insecure MX
    {("signed.test", "MX"): ["10 mx.other."]},                      # insecure addresses
    {("signed.test", "MX"): [f"10 {MX}."]}], ids=["mx", "addresses", "dane-off"])
def test_what_is_not_signed_promises_nothing(network, tmp_path, data, pair, records, request):
    """A record that fits nobody would keep the mail, were it heeded."""
    wrong = [tlsa(pair, spoil=True)]
    base = {(MX, "A"): [A1], (MX, "AAAA"): [], (f"_25._tcp.{MX}", "TLSA"): wrong,
            ("mx.other", "A"): [A1], ("mx.other", "AAAA"): [], ("_25._tcp.mx.other", "TLSA"): wrong}
    is_off = request.node.callspec.id == "dane-off"
    more = "routes: [{ deliver: mx }]\n" + (
        "sites: { default: { dane: false } }\n" if is_off else "")
    to = "b@other.test" if ("other.test", "MX") in records else TO[0]
    with SignedServer({**base, **records}) as names, host(pair), \
            start(data, tmp_path, names, more) as g:
        submit(g, (to,))
        event = delivered(g)
        assert event["tls_wanted"] == "opportunistic" and "tls_promise" not in event
        assert not any(kind == "TLSA" for _, kind in names.asked)


def test_signed_and_nothing_published(network, tmp_path, data, pair):
    with SignedServer(zone(None)) as names, host(None), start(data, tmp_path, names) as g:
        submit(g, TO)
        event = delivered(g)
        assert event["tls"] == "none" and "tls_promise" not in event


# ---- usage 2: an issuer, and names ----

def issue(tmp_path, *names):
    """A chain: a certificate for these names, and its issuer, which the server sends, too."""
    import datetime
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
    now = datetime.datetime.utcnow()
    def builder(subject, issuer, key):
        def name(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        return (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=9)))
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = builder("Issuer", "Issuer", ca_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        ca_key, hashes.SHA256())
    leaf = builder("leaf", "Issuer", key).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False).sign(
        ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (tmp_path / "ca.pem").write_bytes(ca.public_bytes(pem))
    (tmp_path / "chain.pem").write_bytes(leaf.public_bytes(pem) + ca.public_bytes(pem))
    (tmp_path / "leaf.key").write_bytes(key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return (str(tmp_path / "chain.pem"), str(tmp_path / "leaf.key")), (str(tmp_path / "ca.pem"), "")


@pytest.mark.parametrize("name, good", [
    (MX, True), ("signed.test", True), ("*.signed.test", True), ("other.test", False),
    ("x.mx.signed.test", False)])
def test_an_issuer_and_the_names_that_count(network, tmp_path, data, name, good):
    """RFC 7672 3.2.2: the host and the domain."""
    pair, ca = issue(tmp_path, name)
    with SignedServer(zone([tlsa(ca, usage=2, selector=0)])) as names, host(pair) as h, \
            start(data, tmp_path, names) as g:
        submit(g, TO)
        if good:
            assert delivered(g)["tls_verified"] is True
        else:
            event = deferred(g, h)
            assert event["status"] == "4.7.5" and "hostname mismatch" in event["reply"]
            assert event["tls_failure"] == "certificate-host-mismatch"


@pytest.mark.parametrize("name", ["far.signed.test", "signed.test", MX])
def test_the_domain_may_be_an_alias(network, tmp_path, data, name):
    """Its own name counts, and what it leads to."""
    pair, ca = issue(tmp_path, name)
    records = zone([tlsa(ca, usage=2, selector=0)])
    records["far.signed.test", "CNAME"] = ["signed.test."]
    with SignedServer(records) as names, host(pair), start(data, tmp_path, names) as g:
        submit(g, ("b@far.signed.test",))
        assert delivered(g)["tls_verified"] is True


# ---- a hop that the operator has named ----

@pytest.mark.parametrize("spoil", [False, True])
@pytest.mark.parametrize("level", ["opportunistic", "required", "verified"])
def test_a_hop_that_is_named(network, tmp_path, data, pair, spoil, level):
    """By the port that is named, too."""
    records = {(MX, "A"): ["127.0.0.1"], (MX, "AAAA"): []}
    with godwit.Sink(tls=server_context(*pair)) as h:
        records[f"_{h.port}._tcp.{MX}", "TLSA"] = [tlsa(pair, spoil=spoil)]
        more = f"routes: [{{ deliver: {{ smtp: '{MX}:{h.port}', tls: {level} }} }}]\n"
        with SignedServer(records) as names, start(data, tmp_path, names, more) as g:
            submit(g, ("b@any.test",))
            if spoil:
                assert deferred(g, h)["tls_promise"] == "dane"
            else:
                assert delivered(g)["tls_verified"] is True


@pytest.mark.parametrize("tls", ["none", "verified, ca: {ca}, name: some.where.else"])
def test_what_the_operator_says_for_himself_is_left_alone(network, tmp_path, data, tls):
    pair = certificates.make(tmp_path, "some.where.else")
    records = {(MX, "A"): ["127.0.0.1"], (MX, "AAAA"): []}
    with godwit.Sink(tls=server_context(*pair)) as h:
        records[f"_{h.port}._tcp.{MX}", "TLSA"] = [tlsa(pair, spoil=True)]
        more = (f"routes: [{{ deliver: {{ smtp: '{MX}:{h.port}', "
                f"tls: {tls.format(ca=pair[0])} }} }}]\n")
        with SignedServer(records) as names, start(data, tmp_path, names, more) as g:
            submit(g, ("b@any.test",))
            assert "tls_promise" not in delivered(g)
            assert not any(kind == "TLSA" for _, kind in names.asked)


def test_two_domains_one_host_one_signed(network, tmp_path, data, pair):
    """A connection that was made for the one without a promise is not used for the other."""
    records = {**zone([tlsa(pair, spoil=True)]), ("other.test", "MX"): [f"10 {MX}."]}
    with SignedServer(records) as names, host(pair) as h, start(data, tmp_path, names) as g:
        submit(g, ("b@other.test",))
        delivered(g)
        submit(g, TO)
        event = godwit.wait_for(lambda: g.events("site-failed"), "the site to fail")[0]
        assert event["tls_promise"] == "dane"
        assert [m.recipients for m in h.messages] == [["b@other.test"]]
