"""TLS and authentication into other servers, and to mail hosts that the DNS names."""
import re

import pytest

import certificates
import godwit
import peers
from godwit import Client, server_context
from nameserver import NameServer
from signed import SignedServer
from test_next_hops import FAST, body_of
from test_routing import A1, A2, Port25, start, submit, zone

NAME = "peer.test"


@pytest.fixture
def pair(tmp_path):
    return certificates.make(tmp_path, NAME)


def config_for(where, more, way="smtp"):
    return FAST + f"routes: [{{ deliver: {{ {way}: '{where}', {more} }} }}]\n"


def deliver(data, content, config, sender="a@client.test"):
    g = godwit.Godwit(data, config=config)
    with Client(g.port) as c:
        code, _ = c.message(content, sender=sender, recipients=("anna@far.test",))
        assert code == 250
    return g


@pytest.mark.parametrize("level", ["opportunistic", "required", "verified", "implicit"])
@pytest.mark.parametrize("make", [peers.postfix, peers.exim])
def test_arrives_over_tls(tmp_path, data, content, pair, make, level):
    more = f"tls: {level}, ca: {pair[0]}, name: {NAME}"
    with make(str(tmp_path / "peer"), tls=pair, implicit=level == "implicit") as peer, \
            deliver(data, content, config_for(peer.address, more)) as g:
        mail, = godwit.wait_for(lambda: peer.mails("box", "anna"), "the mail")
        assert body_of(mail) == content
        assert re.search(rb"with (esmtps|ESMTPS)", mail), mail
        event, = godwit.wait_for(lambda: g.events("relayed"), "it in the log")
        assert event["tls"] == "TLSv1.3" and event["tls_verified"] is True


@pytest.mark.parametrize("make", [peers.postfix, peers.exim])
def test_who_is_not_the_one_gets_nothing(tmp_path, data, content, pair, make):
    with make(str(tmp_path / "peer"), tls=pair) as peer, \
            deliver(data, content, config_for(peer.address, f"tls: verified, ca: {pair[0]}, "
                                              "name: other.test")) as g:
        event = godwit.wait_for(lambda: g.events("site-failed"), "the refusal")[0]
        assert event["status"] == "4.7.5" and "hostname mismatch" in event["reply"]
        assert peer.mails("box", "anna") == []


def test_dovecot_by_lmtp_over_tls(tmp_path, data, content, pair):
    with peers.dovecot(str(tmp_path / "peer"), tls=pair) as peer, \
            deliver(data, content, config_for(peer.address, f"tls: verified, ca: {pair[0]}, "
                                              f"name: {NAME}", "lmtp")) as g:
        mail, = godwit.wait_for(lambda: peer.mails("box", "anna", "Maildir"), "the mail")
        assert body_of(mail) == content
        event, = godwit.wait_for(lambda: g.events("delivered"), "it in the log")
        assert event["tls_verified"] is True


@pytest.mark.parametrize("mechanism", ["any", "scram-sha-256", "scram-sha-1", "plain", "login"])
def test_authentication_by_dovecot_for_postfix(tmp_path, data, content, pair, mechanism):
    (tmp_path / "good").write_text("pen cil")
    (tmp_path / "bad").write_text("y")
    with peers.dovecot(str(tmp_path / "auth"), sasl=True) as auth, \
            peers.postfix(str(tmp_path / "peer"), tls=pair, sasl=auth.path("run", "sasl")) as peer:
        for word in ("good", "bad"):
            more = (f"tls: verified, ca: {pair[0]}, name: {NAME}, auth: {{ user: anna@far.test, "
                    f"password_file: {tmp_path}/{word}, mechanism: {mechanism} }}")
            # One wrong try is enough: Dovecot makes each further one wait longer.
            config = config_for(peer.address, more).replace("200ms", "1h").replace("1s", "1h")
            with deliver(data + word, content, config) as g:
                if word == "bad":
                    event = godwit.wait_for(lambda: g.events("site-failed"), "a refusal")[0]
                    assert event["status"] == "4.7.8", event
                mail, = godwit.wait_for(lambda: peer.mails("box", "anna"), "the mail")
                assert body_of(mail) == content
                assert b"ESMTPSA" in mail


# ---- mail hosts ----

def mx(level, more=""):
    return f"routes: [{{ deliver: {{ mx: true, tls: {level}{more} }} }}]\n"


def mail_host(address, pair):
    return Port25(address, tls=server_context(*pair))


@pytest.mark.parametrize("deliver", ["", mx("required")])
def test_mail_hosts_are_asked_for_by_name(network, tmp_path, data, deliver):
    pair = certificates.make(tmp_path, "some.where.else")
    with NameServer(zone()) as names, mail_host(A1, pair) as host, \
            start(data, tmp_path, names, deliver) as g:
        submit(g)
        event, = godwit.wait_for(lambda: g.events("relayed"), "it in the log")
        assert event["tls"] == "TLSv1.3" and event["tls_verified"] is False
        assert host.handshakes[0]["name"] == "mx1.far.test"
        assert len(host.messages) == 1


@pytest.mark.parametrize("names_of_it, good", [
    (["far.test"], True), (["mx7.far.test"], True), (["*.far.test"], True),
    (["mx.else.test"], False), (["notfar.test"], False)])
def test_verified_mail_hosts_have_a_name_that_the_dns_could_not_choose(
        network, tmp_path, data, names_of_it, good):
    """The names of hosts come from a DNS that nobody vouches for: they count for nothing."""
    pair = certificates.make(tmp_path, *names_of_it, stem="x")
    hosts = {("far.test", "MX"): ["10 mx.else.test."], ("mx.else.test", "A"): [A1],
             ("mx.else.test", "AAAA"): []}
    with NameServer(hosts) as names, mail_host(A1, pair) as host, \
            start(data, tmp_path, names, mx("verified", f", ca: {pair[0]}")) as g:
        submit(g)
        if good:
            event, = godwit.wait_for(lambda: g.events("relayed"), "it in the log")
            assert event["tls_verified"] is True
        else:
            event = godwit.wait_for(lambda: g.events("site-failed"), "the refusal")[0]
            assert event["status"] == "4.7.5" and "hostname mismatch" in event["reply"]
            assert not host.messages


def test_verified_mail_hosts_that_the_dns_vouches_for(network, tmp_path, data):
    pair = certificates.make(tmp_path, "mx.else.test")
    hosts = {("signed.test", "MX"): ["10 mx.else.test."], ("mx.else.test", "A"): [A1],
             ("mx.else.test", "AAAA"): []}
    with SignedServer(hosts) as names, mail_host(A1, pair) as host:
        (tmp_path / "signed").write_text(names.anchor())
        config = (f"dns: {{ servers: ['{names.config}'], trust_anchor: {tmp_path}/signed }}\n"
                  + mx("verified", f", ca: {pair[0]}"))
        with godwit.Godwit(data, config=config) as g:
            submit(g, ("b@signed.test",))
            host.wait(1)
            event, = godwit.wait_for(lambda: g.events("relayed"), "it in the log")
            assert event["tls_verified"] is True


def test_a_host_without_tls_leaves_the_mail_to_one_that_has_it(network, tmp_path, data):
    pair = certificates.make(tmp_path, "far.test")
    with NameServer(zone()) as names, Port25(A1) as first, mail_host(A2, pair) as second, \
            start(data, tmp_path, names, mx("verified", f", ca: {pair[0]}")) as g:
        submit(g)
        second.wait(1)
        assert first.commands and not any(c.startswith("MAIL") for c in first.commands)
        event, = godwit.wait_for(lambda: g.events("relayed"), "it in the log")
        assert event["peer"].startswith("mx2.far.test")
