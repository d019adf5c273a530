"""DKIM verdicts on messages that others have published: RFC 6376, RFC 8463, RFC 8301."""
import glob
import json
import os
import re

import pytest

import godwit
from verifiers import crlf, dkim

VECTORS = os.path.join(godwit.VECTORS, "dkim")
NOW = 1764000000
FAILED = {"fail", "policy", "neutral", "permerror"}

if not os.path.isdir(VECTORS):
    pytest.skip("no vectors lie beside the checkout", allow_module_level=True)


def read(*names):
    with open(os.path.join(VECTORS, *names), "rb") as f:
        return f.read()


# ---- chasquid: NN.msg, NN.dns, NN.result

CHASQUID = sorted(os.path.basename(path)[:-4]
                  for path in glob.glob(os.path.join(VECTORS, "chasquid", "*.msg")))


def chasquid(name, ending):
    """A file may hold nothing but the name of another one."""
    content = read("chasquid", f"{name}.{ending}")
    if re.fullmatch(rb"[\w.-]+", content.strip()):
        content = read("chasquid", content.strip().decode())
    return content


def chasquid_zone(name):
    zone = {}
    if not os.path.exists(os.path.join(VECTORS, "chasquid", name + ".dns")):
        return zone
    text = chasquid(name, "dns").decode().replace("\\\n", "")
    for line in text.splitlines():
        if ": " in line:
            key, record = line.split(": ", 1)
            record = {"TEMPERROR": "!failed", "PERMERROR": "!nodata"}.get(
                record.strip(), record.strip())
            zone.setdefault(key, []).append(record)
    return zone


# A body that goes on behind l= does not pass here unless somebody asks for it.
STRICTER = {("09-limited_body", 0): "policy"}


@pytest.mark.parametrize("name", CHASQUID)
def test_chasquid(name, tmp_path):
    whole, verdicts = dkim(tmp_path, crlf(chasquid(name, "msg")), chasquid_zone(name), NOW)
    if name == "03-bad_message":
        assert (whole, verdicts) == ("none", [])
        return
    want = json.loads(chasquid(name, "result"))
    assert len(verdicts) >= want["Found"]
    for i, result in enumerate(want["Results"]):
        got = verdicts[i]
        if (name, i) in STRICTER:
            assert got.result == STRICTER[name, i], got
        elif result["State"] == "SUCCESS":
            assert got.result == "pass", got
        elif result["State"] == "TEMPFAIL":
            assert got.result == "temperror", got
        else:
            assert got.result in FAILED, got
        if result["Domain"]:
            assert (got.domain, got.selector) == (result["Domain"], result["Selector"])
        assert got.steps
    assert len(CHASQUID) == 11


# ---- Stalwart: key records, an empty line, the message

@pytest.mark.parametrize("name", sorted(
    os.path.basename(path) for path in glob.glob(os.path.join(VECTORS, "stalwart", "0*.txt"))))
def test_stalwart(name, tmp_path):
    records, message = read("stalwart", name).replace(b"\r\n", b"\n").split(b"\n\n", 1)
    zone = dict(line.split(" ", 1) for line in records.decode().splitlines())
    whole, verdicts = dkim(tmp_path, crlf(message), zone, NOW)
    assert whole == "pass"
    assert [v.result for v in verdicts] == ["pass"] * len(verdicts)


# ---- dkimpy: its messages, and its key records in all their forms

def record(name):
    return read("dkimpy", name).decode().strip()


RSA = "test._domainkey.football.example.com"
ED25519 = "brisbane._domainkey.football.example.com"
FOOTBALL = {RSA: record("test2.txt"),
            ED25519: "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}


@pytest.mark.parametrize("message, results", [
    ("rfc6376.signed.msg", ["pass", "pass"]),
    ("rfc6376.signed.rsa.msg", ["pass"]),
    # x= was added to a signature that was made without it
    ("rfc6376.signed.no_t.msg", ["fail"]),
    ("rfc6376.msg", []),
    ("test.message", []),
    ("test_nofrom.message", []),
    ("test.message.baddomain", None),
    ("rfc6376.w1258.msg", []),
])
def test_dkimpy(message, results, tmp_path):
    whole, verdicts = dkim(tmp_path, crlf(read("dkimpy", message)), FOOTBALL, NOW)
    if results is None:
        assert whole in FAILED
    else:
        assert [v.result for v in verdicts] == results
        assert whole == (results[0] if results else "none")


def test_dkimpy_ed25519_by_exim(tmp_path):
    message = crlf(read("dkimpy", "ed25519test2.msg"))
    zone = {"sed._domainkey.test.ex": record("eximtest.dns")}
    whole, verdicts = dkim(tmp_path, message, zone, NOW)
    assert whole == "pass", verdicts


@pytest.mark.parametrize("name, results", [
    ("test.txt", {"pass"}), ("test2.txt", {"pass"}),
    ("badversion.txt", {"permerror"}), ("badk.txt", {"permerror"}),
    ("test_bad.txt", {"permerror"}), ("test_tlsrpt.txt", {"permerror"}),
    # other keys: they are read, and are not the one that signed
    ("1024_testkey_wo_markers.pub.txt", {"fail"}),
    ("1024_testkey_wo_markers.pub.rsa.txt", {"fail"}),
    ("2048_testkey_wo_markers.pub.txt", {"fail"}),
    ("2048_testkey_wo_markers.pub.rsa.txt", {"fail"}),
    ("2048_testkey_PKCS8.key.pub.txt", {"fail"}),
    ("ed25519test.dns", {"permerror"}),
])
def test_dkimpy_key_records(name, results, tmp_path):
    message = crlf(read("dkimpy", "rfc6376.signed.rsa.msg"))
    whole, verdicts = dkim(tmp_path, message, {RSA: record(name)}, NOW)
    assert whole in results, verdicts
