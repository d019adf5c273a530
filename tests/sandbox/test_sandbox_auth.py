"""The test DNS of a workspace, and what SPF, DKIM, ARC and DMARC say by it of mail that was captured."""
import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import base64

import box

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).decode()
MAIL = b"From: Ann <ann@app.test>\r\nTo: you@else.test\r\nSubject: signed\r\nDate: Tue, 01 Dec 2026 10:00:00 +0000\r\nMessage-ID: <1@app.test>\r\n\r\nHello\r\n"
ZONE = {
    "app.test": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]},
    "s1._domainkey.app.test": {"TXT": [f"v=DKIM1; k=rsa; p={PUBLIC}"]},
    "_dmarc.app.test": {"TXT": ["v=DMARC1; p=reject"]},
}


@pytest.fixture
def inbox(sandbox, key):
    return sandbox.own("POST", "/inboxes", {}, key=key)


def captured(sandbox, key, inbox, octets, sender="bounce@app.test"):
    sandbox.deliver(octets, sender=sender, to=(inbox["address"],))
    return sandbox.wait(key=key, inbox=inbox["id"])["message"]["id"]


def signed(octets=MAIL):
    return dkim.sign(octets, b"s1", b"app.test", PEM, include_headers=[b"From", b"Subject"]).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + octets


def verdicts(sandbox, key, id, query="?client=192.0.2.7"):
    return sandbox.own("GET", f"/messages/{id}/auth{query}", key=key)


def test_all_is_well(sandbox, key, inbox):
    assert sandbox.own("PUT", "/dns", {"zone": ZONE}, key=key) == {"zone": ZONE}
    id = captured(sandbox, key, inbox, signed())
    said = verdicts(sandbox, key, id)
    assert said["spf"]["result"] == "pass" and said["spf"]["domain"] == "app.test"
    assert [(d["result"], d["domain"], d["selector"]) for d in said["dkim"]] == [("pass", "app.test", "s1")]
    assert said["dmarc"]["result"] == "pass" and said["dmarc"]["aligned"] == {"spf": True, "dkim": True}
    assert said["arc"]["result"] == "none"
    for part in ("spf=pass", "dkim=pass", "dmarc=pass"):
        assert part in said["authenticationResults"]
    assert any("ip4:192.0.2.0/24" in reason for reason in said["spf"]["reason"])
    answer = sandbox.ask("POST", f"{box.OWN}/assert", {"inbox": inbox["id"], "auth": {
        "spf": "pass", "dkim": "pass", "dmarc": "pass", "arc": "none", "client": "192.0.2.7"}}, key=key)
    assert answer.status == 200, answer.text


def test_what_is_wrong_is_told(sandbox, key, inbox):
    sandbox.own("PUT", "/dns", {"zone": ZONE}, key=key)
    id = captured(sandbox, key, inbox, signed().replace(b"Hello", b"Hallo"), sender="x@other.test")
    said = verdicts(sandbox, key, id, "?client=198.51.100.1&sender=ann@app.test")
    assert said["spf"]["result"] == "fail" and said["dkim"][0]["result"] == "fail" and said["dmarc"]["result"] == "fail"
    assert said["dmarc"]["disposition"] == "reject"
    assert "the body was changed" in " ".join(said["dkim"][0]["reason"])
    answer = sandbox.ask("POST", f"{box.OWN}/assert", {"inbox": inbox["id"], "auth": {"dkim": "pass", "spf": "none"}}, key=key)
    assert answer.status == 422
    assert {c["check"]: c["pass"] for c in answer.json["checks"]} == {"count": True, "auth.dkim": False, "auth.spf": True}
    assert verdicts(sandbox, key, id, "")["spf"]["result"] == "none", "the domain of the envelope has no record"


def test_by_the_records_of_now(sandbox, key, inbox):
    id = captured(sandbox, key, inbox, signed())
    assert verdicts(sandbox, key, id)["spf"]["result"] == "none"
    sandbox.own("PATCH", "/dns", {"zone": {"app.test": ZONE["app.test"]}}, key=key)
    assert verdicts(sandbox, key, id)["spf"]["result"] == "pass"
    sandbox.own("PATCH", "/dns", {"zone": {"app.test": "SERVFAIL"}}, key=key)
    assert verdicts(sandbox, key, id)["spf"]["result"] == "temperror"
    sandbox.own("PATCH", "/dns", {"zone": {"app.test": {"TXT": "TIMEOUT"}}}, key=key)
    assert verdicts(sandbox, key, id)["spf"]["result"] == "temperror"
    sandbox.own("PATCH", "/dns", {"zone": {"app.test": {"TXT": ["v=spf1 include:a.test -all"]},
                                           "a.test": {"CNAME": ["b.test"]}, "b.test": {"TXT": ["v=spf1 a:c.test ?all"]},
                                           "c.test": {"A": ["192.0.2.7"], "AAAA": ["2001:db8::7"], "MX": [[10, "c.test"]]}}}, key=key)
    assert verdicts(sandbox, key, id)["spf"]["result"] == "pass"
    assert verdicts(sandbox, key, id, "?client=2001:db8::7")["spf"]["result"] == "pass"
    sandbox.own("PATCH", "/dns", {"zone": {"app.test": None}}, key=key)
    assert verdicts(sandbox, key, id)["spf"]["result"] == "none"
    assert set(sandbox.own("GET", "/dns", key=key)["zone"]) == {"a.test", "b.test", "c.test"}
    assert sandbox.own("DELETE", "/dns", key=key) == {"zone": {}}


def test_a_workspace_has_its_own_and_what_all_have(key):
    with box.Sandbox() as s:
        said = s.own("PUT", "/dns", {"zone": {"APP.test.": {"TXT": ["v=spf1 +all"]}, "all.test": {"TXT": ["v=spf1 +all"]}}})
        assert set(said["zone"]) == {"app.test", "all.test"}
        s.own("PUT", "/dns", {"zone": {"app.test": {"TXT": ["v=spf1 -all"]}}}, key=key)
        inbox = s.own("POST", "/inboxes", {}, key=key)
        id = captured(s, key, inbox, MAIL)
        assert verdicts(s, key, id)["spf"]["result"] == "fail"
        assert verdicts(s, key, id, "?client=192.0.2.7&sender=x@all.test")["spf"]["result"] == "pass"
        assert s.own("GET", "/dns", key="another") == {"zone": {}}


@pytest.mark.parametrize("zone, word", [
    ({"a.test": {"A": ["999.1.1.1"]}}, "a.test"), ({"a.test": {"A": "192.0.2.1"}}, "a list"), ({"a.test": {"TXT": [1]}}, "a.test"),
    ({"a.test": {"MX": ["mx"]}}, "a.test"), ({"a.test": {"SRV": []}}, "types are"), ({"a.test": []}, "an object"),
    ({"a.test": "REFUSED"}, "SERVFAIL"), ({"a..test": {}}, "a..test"), ({"x" * 64 + ".test": {}}, "no name"),
    ({".".join(["x" * 60] * 5): {}}, "no name"), ({"a.test": {"CNAME": ["b", "c"]}}, "one name"), ({"a.test": None}, "a.test"),
    ({f"{n}.test": {} for n in range(10001)}, "too many")], ids=lambda v: str(v)[:30])
def test_a_zone_that_makes_no_sense_is_refused(sandbox, key, zone, word):
    answer = sandbox.ask("PUT", f"{box.OWN}/dns", {"zone": zone}, key=key)
    assert answer.status == 400 and word in answer.json["message"]
    assert sandbox.own("GET", "/dns", key=key) == {"zone": {}}


def test_questions_that_make_no_sense(sandbox, key, inbox):
    id = captured(sandbox, key, inbox, MAIL)
    for query in ("?client=nobody", "?colour=red", "?client=1.2.3"):
        assert sandbox.ask("GET", f"{box.OWN}/messages/{id}/auth{query}", key=key).status == 400
    assert sandbox.ask("GET", f"{box.OWN}/messages/none/auth", key=key).status == 404
    for body in ({}, {"zone": []}, {"zone": {}, "name": 1}):
        assert sandbox.ask("PUT", f"{box.OWN}/dns", body, key=key).status == 400
    for wish in ({"dkim": True}, {"spf": "pass", "from": "x"}, []):
        assert sandbox.ask("POST", f"{box.OWN}/assert", {"inbox": inbox["id"], "auth": wish}, key=key).status == 400


@pytest.mark.parametrize("octets", [b"", b"no header", b"From: a@b\r\n" * 300, b"DKIM-Signature: v=1\r\n" * 60 + MAIL,
                                    b"From: a@app.test\nbare\r\n\r\n\xff\xfe\x00", b"From: a@app.test, b@app.test\r\n\r\nx\r\n"],
                         ids=lambda o: repr(o[:20]))
def test_any_message_has_a_verdict(sandbox, key, inbox, octets):
    id = captured(sandbox, key, inbox, octets)
    assert {"spf", "dkim", "arc"} <= set(verdicts(sandbox, key, id))


# ---- lint ----

HTML = b"From: Ann <ann@app.test>\r\nTo: you@else.test\r\nSubject: s\r\nDate: Tue, 01 Dec 2026 10:00:00 +0000\r\n" \
       b"Message-ID: <1@app.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n"
BULK = MAIL.replace(b"Subject", b"List-Unsubscribe: <https://app.test/u>\r\nPrecedence: bulk\r\nSubject")


def lint(sandbox, key, inbox, octets, sender="bounce@app.test", query="?client=192.0.2.7"):
    id = captured(sandbox, key, inbox, octets, sender)
    found = sandbox.own("GET", f"/messages/{id}/lint{query}", key=key)
    return found, {r["rule"]: r for r in found["rules"]}


def test_nothing_is_held_against_a_good_one(sandbox, key, inbox):
    sandbox.own("PUT", "/dns", {"zone": ZONE}, key=key)
    found, rules = lint(sandbox, key, inbox, signed())
    assert found["score"] == 100 and found["errors"] == found["warnings"] == 0
    assert all(r["pass"] and r["message"] == "" for r in rules.values()) and len(rules) == 14
    answer = sandbox.ask("POST", f"{box.OWN}/assert", {"inbox": inbox["id"], "auth": {"client": "192.0.2.7"},
                                                      "lint": {"score": 100, "passes": ["dmarc", "leaks"]}}, key=key)
    assert answer.status == 200, answer.text


@pytest.mark.parametrize("rule, level, octets, word", [
    ("from", "error", MAIL.replace(b"Ann <ann@app.test>", b"a@app.test, b@else.test"), "From"),
    ("date", "error", MAIL.replace(b"Date: ", b"Date: soon, "), "Date"),
    ("message-id", "error", MAIL.replace(b"Message-ID", b"X-Message-ID"), "Message-ID"),
    ("lines", "error", MAIL + b"x" * 999 + b"\r\n", "998"),
    ("signed", "error", MAIL, "DKIM"),
    ("unsubscribe", "error", BULK, "one-click"),
    ("dkim", "error", signed().replace(b"Hello", b"Hallo"), "no signature is good: fail"),
    ("dmarc", "error", MAIL.replace(b"ann@app.test", b"ann@none.app.test"), "dmarc says fail"),
    ("subject", "warning", MAIL.replace(b"Subject: signed\r\n", b""), "Subject"),
    ("alternative", "warning", HTML + b"<p>x</p>\r\n", "no plain text"),
    ("clip", "warning", HTML + (b"<p>" + b"x" * 900 + b"</p>\r\n") * 120, "Gmail shows 102"),
    ("leaks", "error", MAIL.replace(b"Hello", b"Hello {{name}}"), "{{name}}"),
    ("links", "warning", HTML + b'<a href="https://evil.test/x">https://app.test/x</a>\r\n', "app.test and leads to evil.test")],
    ids=lambda v: v if isinstance(v, str) and " " not in v else "")
def test_each_rule_finds_its_fault(sandbox, key, inbox, rule, level, octets, word):
    sandbox.own("PUT", "/dns", {"zone": ZONE}, key=key)
    found, rules = lint(sandbox, key, inbox, octets, query="?client=198.51.100.1" if rule == "dmarc" else "?client=192.0.2.7")
    assert rules[rule]["level"] == level and not rules[rule]["pass"] and word in rules[rule]["message"], rules[rule]
    wrong = [r for r in rules.values() if not r["pass"]]
    assert found["errors"] + found["warnings"] == len(wrong)
    assert found["score"] == max(0, 100 - 20 * found["errors"] - 5 * found["warnings"])
    answer = sandbox.ask("POST", f"{box.OWN}/assert", {"inbox": inbox["id"], "lint": {"passes": [rule]}}, key=key)
    assert answer.status == 422


def test_spf_is_a_warning_and_bulk_that_is_well_passes(sandbox, key, inbox):
    sandbox.own("PUT", "/dns", {"zone": ZONE}, key=key)
    _, rules = lint(sandbox, key, inbox, MAIL, query="?client=198.51.100.1")
    assert rules["spf"] == {**rules["spf"], "level": "warning", "pass": False, "message": "spf says fail"}
    good = BULK.replace(b"Precedence", b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence")
    _, rules = lint(sandbox, key, inbox, good)
    assert rules["unsubscribe"]["pass"]
    for wish in ({"score": "high"}, {"passes": "dmarc"}, {"rules": []}):
        assert sandbox.ask("POST", f"{box.OWN}/assert", {"inbox": inbox["id"], "lint": wish}, key=key).status == 400


@pytest.mark.parametrize("href, text, passes", [
    ("https://app.test/x", "app.test", True), ("https://www.app.test/x", "https://app.test", True), ("https://app.test/x", "Click here", True),
    ("https://evil.test/@app.test", "www.app.test", False), ("https://app.test@evil.test/", "https://app.test/", False)])
def test_links_that_lead_elsewhere(sandbox, key, inbox, href, text, passes):
    _, rules = lint(sandbox, key, inbox, HTML + f'<a href="{href}">{text}</a>\r\n'.encode())
    assert rules["links"]["pass"] is passes


def test_in_mailslurps_words(sandbox, key, inbox):
    sandbox.own("PUT", "/dns", {"zone": ZONE}, key=key)
    good = captured(sandbox, key, inbox, signed(), sender="x@none.test")
    said = sandbox.ask("GET", f"/emails/{good}", key=key).json["analysis"]
    assert said == {**said, "spfVerdict": "GRAY", "dkimVerdict": "PASS", "dmarcVerdict": "PASS"}
    bad = sandbox.deliver(signed().replace(b"Hello", b"Hallo"), sender="x@app.test", to=(inbox["address"],))
    sandbox.wait(key=key, inbox=inbox["id"], count=2)
    said = sandbox.ask("GET", f"/emails/{bad}", key=key).json["analysis"]
    assert said == {**said, "spfVerdict": "FAIL", "dkimVerdict": "FAIL", "dmarcVerdict": "FAIL"}
