"""`godwit check` says of signatures and chains what their verifiers say."""
import json
import subprocess

import pytest

import check_tool
import godwit
import test_arc_vectors
import test_dkim_vectors
from verifiers import arc, crlf, dkim

NOW = test_dkim_vectors.NOW


def zone_of(zone):
    made = {}
    for name, records in zone.items():
        records = [records] if isinstance(records, str) else records
        if records == ["!failed"]:
            made[name] = "TIMEOUT"
        else:
            made[name] = {"TXT": [r for r in records if r != "!nodata"]}
    return made


def ask(message, zone):
    return check_tool.one({"id": 1, "message": message.decode("latin-1"), "now": NOW,
                           "zone": zone_of(zone)})


@pytest.mark.parametrize("name", test_dkim_vectors.CHASQUID)
def test_chasquid(name, tmp_path):
    message = crlf(test_dkim_vectors.chasquid(name, "msg"))
    if not message.isascii():
        pytest.skip("its octets are no text for JSON")
    zone = test_dkim_vectors.chasquid_zone(name)
    _, verdicts = dkim(tmp_path, message, zone, NOW)
    found = ask(message, zone)["dkim"]
    assert [(f["result"], f["domain"], f["selector"], f["reason"]) for f in found] \
        == [(v.result, v.domain.replace("-", "", v.domain == "-"),
             v.selector.replace("-", "", v.selector == "-"), v.steps) for v in verdicts]


@pytest.mark.parametrize("message, zone, want", test_arc_vectors.CASES)
def test_arc(message, zone, want, tmp_path):
    if not message.isascii():
        pytest.skip("its octets are no text for JSON")
    result, sets, _, steps = arc(tmp_path, crlf(message), zone, NOW)
    found = ask(crlf(message), zone)
    assert (found["arc"]["result"], found["arc"]["instance"], found["arc"]["reason"]) \
        == (result, sets, steps)
    assert want in ("", found["arc"]["result"])
    assert (" arc=" in found["headers"][0]) == (result != "none")


@pytest.mark.parametrize("tags, result", [("t=1; x=2", "fail"), ("t=2000000000", "policy")])
def test_a_key_that_fails_to_be_looked_up_does_not_hide_a_wrong_time(tags, result):
    """Else whoever writes an old signature for a domain whose DNS is ill makes its policy
    undecided."""
    message = (f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=far.test; s=s; {tags};\r\n"
               " h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
               "From: ceo@far.test\r\n\r\n")
    entry = {"message": message, "now": 1800000000, "zone": {
        "s._domainkey.far.test": "SERVFAIL", "_dmarc.far.test": {"TXT": ["v=DMARC1; p=reject"]}}}
    got = json.loads(subprocess.run([godwit.PROGRAM, "check", "--json", "--batch"],
                                    input=json.dumps(entry) + "\n", text=True,
                                    capture_output=True, check=True).stdout)
    assert got["dkim"][0]["result"] == result
    assert (got["dmarc"]["result"], got["dmarc"]["disposition"]) == ("fail", "reject")
