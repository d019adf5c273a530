"""`godwit tls-policy`: it says what a delivery does, and asks what it asks."""
import json
import subprocess

import certificates
import pytest
from godwit import PROGRAM
from nameserver import NameServer
from policy_host import answer
from signed import SignedServer
from test_dane import MX, tlsa, zone as dane_zone
from test_mtasts import World, text, zone as sts_zone
from test_routing import A1

EX_NOHOST, EX_TEMPFAIL = 68, 75


def ask(tmp_path, names, domain, *more, config="", issuers=None, code=0):
    anchor = tmp_path / "anchor"
    anchor.write_text(names.anchor() if hasattr(names, "anchor")
                      else "anchor.invalid. IN DS 1 13 2 " + "0" * 64 + "\n")
    path = tmp_path / "policy.yaml"
    path.write_text(f"dns: {{ trust_anchor: '{anchor}' }}\n" + config)
    environment = {"SSL_CERT_FILE": str(issuers)} if issuers else {}
    done = subprocess.run([PROGRAM, "tls-policy", domain, "--config", str(path), "--dns",
                           names.config, *more], capture_output=True, text=True, timeout=60,
                          env=environment)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout


def as_json(*arguments, **more):
    return json.loads(ask(*arguments, "--json", **more))


@pytest.fixture
def pair(tmp_path):
    return certificates.make(tmp_path, "some.where.else")


@pytest.mark.parametrize("records, state, promise, level, refused", [
    (lambda p: [tlsa(p)], "usable", "dane", "verified", False),
    (lambda p: [tlsa(p, usage=1)], "unusable", "dane-unusable", "required", False),
    (lambda p: "SERVFAIL", "failed", "dane", "verified", True),
    (lambda p: None, "absent", "", "opportunistic", False)])
def test_dane(tmp_path, pair, records, state, promise, level, refused):
    with SignedServer(dane_zone(records(pair))) as names:
        said = as_json(tmp_path, names, "Signed.Test")
        people = ask(tmp_path, names, "signed.test")
    assert said["domain"] == "signed.test" and said["way"] == "mx" and said["secure"] is True
    host, = said["hosts"]
    assert host["name"] == MX and host["addresses"] == [A1] and host["secure"] is True
    assert host["tlsa"]["state"] == state
    assert (host["promise"], host["tls"], "refused" in host) == (promise, level, refused)
    assert said["mta_sts"] == {"id": ""}
    assert "the MX records are signed" in people and MX in people
    assert ("not to this host" if refused else f"TLS {level}") in people


def test_what_is_not_signed(tmp_path, pair):
    with NameServer(sts_zone(None)) as names:
        host, = as_json(tmp_path, names, "far.test")["hosts"]
        people = ask(tmp_path, names, "far.test")
    assert host["tlsa"] is None and host["tls"] == "opportunistic" and host["by"] == "the route"
    assert "the MX records are not signed" in people and "none is published" in people


@pytest.mark.parametrize("mode, mx, level, refused, doubt", [
    ("enforce", "mx1.far.test", "verified", False, False),
    ("enforce", "else.test", "verified", True, False),
    ("testing", "else.test", "opportunistic", False, True),
    ("none", "else.test", "opportunistic", False, False)])
def test_mta_sts(network, tmp_path, data, mode, mx, level, refused, doubt):
    world = World(tmp_path, data)
    with NameServer(sts_zone()) as names, world.policy(answer(text(mode, [mx]))):
        said = as_json(tmp_path, names, "far.test", issuers=tmp_path / "issuers")
        people = ask(tmp_path, names, "far.test", issuers=tmp_path / "issuers")
    assert said["mta_sts"] == {"id": "1", "mode": mode, "max_age": 86400, "mx": [mx]}
    host, = said["hosts"]
    assert (host["tls"], "refused" in host, "doubt" in host) == (level, refused, doubt)
    assert f"{mode}, for 1d: {mx}" in people


def test_a_policy_that_cannot_be_fetched(network, tmp_path, data):
    world = World(tmp_path, data)
    with NameServer(sts_zone()) as names, world.policy(answer(b"", b"404 No")):
        said = as_json(tmp_path, names, "far.test", issuers=tmp_path / "issuers")
        people = ask(tmp_path, names, "far.test", issuers=tmp_path / "issuers")
    assert said["mta_sts"] == {"id": "1", "trouble": "the policy host answers with 404"}
    assert "no policy can be had: the policy host answers with 404" in people


@pytest.mark.parametrize("records, code", [
    ({}, EX_NOHOST), ({("far.test", "MX"): "SERVFAIL"}, EX_TEMPFAIL),
    ({("far.test", "MX"): ["0 ."]}, EX_NOHOST)])
def test_no_host(tmp_path, records, code):
    with NameServer(records) as names:
        said = as_json(tmp_path, names, "far.test", code=code)
        assert said["hosts"] == [] and said["error"]
        assert said["error"] in ask(tmp_path, names, "far.test", code=code)


def test_routes_and_sites_of_the_configuration(tmp_path, pair):
    with SignedServer(dane_zone([tlsa(pair)])) as names:
        off = as_json(tmp_path, names, "signed.test",
                      config="sites: { default: { dane: false, mta_sts: false } }\n")
        assert off["hosts"][0]["tlsa"] is None and off["mta_sts"] is None
        named = as_json(tmp_path, names, "any.test",
                        config=f"routes: [{{ deliver: {{ smtp: '{MX}:25', tls: required }} }}]\n")
        assert named["way"] == "smtp" and named["hosts"][0]["promise"] == "dane"
        assert named["hosts"][0]["tls"] == "verified" and named["route_tls"] == "required"
        clear = as_json(tmp_path, names, "signed.test",
                        config="routes: [{ deliver: { mx: true, tls: none } }]\n")
        assert clear["hosts"][0]["tls"] == "none" and clear["hosts"][0]["tlsa"] is None
        away = ask(tmp_path, names, "signed.test", config="routes: [{ deliver: discard }]\n")
        assert "by a route that leaves nothing" in away


@pytest.mark.parametrize("arguments", [[], ["a.test", "b.test"], ["a b"], ["a.test", "--dns", "x"]])
def test_wrong_arguments(arguments):
    done = subprocess.run([PROGRAM, "tls-policy", *arguments], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 64 and done.stderr.startswith("godwit: ")
