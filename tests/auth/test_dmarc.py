"""DMARC as `godwit check` tells it: published cases, and messages made to deceive."""
import json
import os
import subprocess

import pytest

from check_tool import batch, one
from godwit import TOP, VECTORS

CASES = os.path.join(VECTORS, "dmarc", "cases.json")
SPOOFS = os.path.join(VECTORS, "hostile", "espoofer.json")
RECORD_PROBE = os.environ.get("RECORD_PROBE",
                              os.path.join(TOP, "build", "probe_auth_dmarc_record"))


def zone_of(zone):
    """The cases' zones: a type with "!" in front fails with that error."""
    made = {}
    for name, kinds in zone.items():
        made[name] = {}
        for kind, records in kinds.items():
            if not kind.startswith("!"):
                made[name][kind] = records
            elif records not in ("ENODATA", "ENOTFOUND"):
                made[name][kind[1:]] = "TIMEOUT"
    return made


def identifier(given):
    return {"domain": given if isinstance(given, str) else given["domain"], "result": "pass"}


def entry_of(call):
    given = call["input"]
    entry = {"id": call["id"], "zone": zone_of(call["zone"]), "dkim": [],
             "header_from": given.get("headerFrom", given.get("domain"))}
    entry["dkim"] = [identifier(d) for d in given.get("dkimDomains", [])]
    for domain in given.get("spfDomains", []):
        entry["spf"] = identifier(domain)
    return entry


def tags_of(record):
    """What our reader of records takes out of it; "-" of what is no tag."""
    done = subprocess.run([RECORD_PROBE], input=record.encode(), capture_output=True, check=True)
    tags = {}
    for line in done.stdout.decode().splitlines():
        name, value = line.split("\t", 1)
        tags.setdefault(name.lower(), []).append(value)
    return tags


def number(text):
    return int(text) if text.isdigit() else 0


def said(path, answer, call):
    """What our answer says where the cases look for something of their library's."""
    dmarc = answer["dmarc"]
    given = call["input"]
    author = given.get("headerFrom", given.get("domain"))
    author = author if isinstance(author, str) else author[0]
    author = author.rpartition("@")[2]
    if path == "":
        return False if dmarc["result"] in ("none", "permerror") else {}
    if path == "error":
        return any("could not be looked up" in reason for reason in dmarc["reason"]) \
            and "DNS timeout"
    if path == "isOrgRecord":
        return dmarc["policy_domain"] != author
    names = {"status.result": "result", "policy": "policy", "rr": "record",
             "domain": "policy_domain", "status.header.d": "policy_domain"}
    if path in names:
        return dmarc[names[path]]
    if path == "status.header.from":
        return author
    if path.startswith("alignment."):
        _, method, what = path.split(".")
        if what == "strict":
            return tags_of(dmarc["record"]).get("a" + method, ["r"])[0] == "s"
        if what == "result":
            return identifier(given[method + "Domains"][0])["domain"] \
                if dmarc["aligned"][method] else None
        return None
    tags = tags_of(dmarc["record"])
    if path in ("tagonly", "false"):  # no tags at all, the library's way
        wanted = "tagonly" if path == "tagonly" else "=value"
        assert tags["-"] == [wanted]
        return False if path == "tagonly" else wanted
    value = tags[path][0]
    return number(value) if path in ("pct", "ri") else value


# What is asked of the library that holds the cases, and of nobody else: its texts, its
# notes on "l=" of signatures.
ITS_OWN = ("status.comment", "info", "alignment.dkim.underSized")


def holds(wanted, value):
    operation = wanted["op"]
    if operation == "equal":
        return value == wanted["value"]
    if operation == "an":
        return isinstance(value, dict)
    assert operation in ("not ok", "undefined"), operation
    return not value


def check_case(case, answers):
    """How many of the case's expectations were compared; fails where one is not met."""
    compared = 0
    calls = {call["id"]: call for call in case["calls"]}
    for wanted in case["expect"]:
        if wanted.get("value") == ["_dmarc.localhost", "_dmarc.192.0.2.1"]:
            asked = [reason.split('"')[1] for call in calls
                     for reason in answers[call]["dmarc"]["reason"] if "has no record" in reason]
            assert asked == wanted["value"]
            compared += 1
        elif wanted.get("value") == "ETIMEOUT":
            assert answers[case["calls"][0]["id"]]["dmarc"]["result"] == "temperror"
            compared += 1
        elif "call" in wanted and wanted["path"] not in ITS_OWN:
            call = calls[wanted["call"]]
            value = said(wanted["path"], answers[wanted["call"]], call)
            assert holds(wanted, value), (case["title"], wanted, answers[wanted["call"]])
            compared += 1
    return compared


def test_the_published_cases():
    if not os.path.exists(CASES):
        pytest.skip("the shared vectors are not here")
    with open(CASES) as f:
        cases = json.load(f)
    entries = [entry_of(call) for case in cases for call in case["calls"]]
    answers = {answer["id"]: answer for answer in batch(entries)}
    assert all("dmarc" in answer for answer in answers.values())
    compared = [check_case(case, answers) for case in cases]
    assert len(cases) == 59
    # Two cases ask for the library's own texts alone, one for its notes on signatures.
    without = [case["title"] for case, count in zip(cases, compared) if count == 0]
    assert len(without) == 3, without
    for case in cases:
        if case["title"] in without:
            assert answers[case["calls"][0]["id"]]["dmarc"]["result"] == "pass"


# ---- messages made to deceive

# What must be said of each: its author's domain, or None: there is no one author.
SPOOFED = {"server_a3": "legitimate.com", "server_a5": "legitimate.com", "server_a8": None,
           "server_a9": None, "server_a15": None, "server_a17": None,
           "client_a2": "example.com"}
PROTECTED = {f"_dmarc.{domain}": {"TXT": ["v=DMARC1; p=reject"]}
             for domain in ("legitimate.com", "example.com")}


def test_spoofed_authors():
    if not os.path.exists(SPOOFS):
        pytest.skip("the shared vectors are not here")
    with open(SPOOFS) as f:
        spoofs = json.load(f)
    entries = [{"id": s["id"], "ip": "192.0.2.66", "helo": s["helo"],
                "mail_from": s["mail_from"], "zone": PROTECTED,
                "message": s["from_header"] + s["other_header"] + "To: v@victim.com\r\n\r\nx\r\n"}
               for s in spoofs]
    assert sorted(SPOOFED) == sorted(s["id"] for s in spoofs)
    for answer in batch(entries):
        dmarc, author = answer["dmarc"], SPOOFED[answer["id"]]
        if author is None:
            assert (dmarc["result"], dmarc["disposition"]) == ("permerror", "reject"), answer
        else:
            assert (dmarc["result"], dmarc["policy_domain"]) == ("fail", author), answer
            assert dmarc["disposition"] == "reject"


# ---- a message, from a file and in a batch

ZONE = {"ex.test": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]},
        "_dmarc.ex.test": {"TXT": [["v=DMARC1; ", "p=reject"]]}}


def test_a_message_passes():
    answer = one({"id": "m", "ip": "192.0.2.1", "helo": "mail.ex.test",
                  "mail_from": "a@ex.test", "zone": ZONE,
                  "message": "From: Anna <anna@Ex.test>\nSubject: x\n\nbody\n"})
    assert answer["spf"]["result"] == "pass"
    assert answer["dmarc"]["result"] == "pass"
    assert answer["dmarc"]["aligned"] == {"spf": True, "dkim": False}
    assert answer["dmarc"]["disposition"] == "none"
    assert answer["headers"] == [
        "Authentication-Results: localhost; spf=pass smtp.mailfrom=a@ex.test; "
        "dmarc=pass header.from=ex.test policy.dmarc=none"]


def test_no_header_out_of_a_sender():
    """What the client said ends neither the field nor its result (HOSTILE 88)."""
    answer = one({"ip": "192.0.2.1", "helo": "h", "zone": ZONE,
                  "mail_from": "any@ex.test(;dkim=pass\r\nX: y",
                  "message": "From: a@ex.test\r\n\r\n"})
    assert answer["spf"]["result"] == "none"
    assert answer["headers"] == [
        'Authentication-Results: localhost; spf=none smtp.mailfrom="any@ex.test(;dkim=pass??X: y"; '
        "dmarc=fail header.from=ex.test policy.dmarc=reject"]


def test_a_sender_that_does_not_exist():
    """HOSTILE 87: SPF knows nothing of it, "np" speaks."""
    zone = {"_dmarc.ex.test": {"TXT": ["v=DMARC1; p=none; sp=quarantine; np=reject"]},
            "ex.test": {"A": ["192.0.2.1"]}}
    answer = one({"ip": "192.0.2.1", "helo": "h", "mail_from": "any@nx.ex.test", "zone": zone,
                  "message": "From: a@nx.ex.test\r\n\r\n"})
    assert answer["spf"]["result"] == "none"
    assert answer["dmarc"]["result"] == "fail" and answer["dmarc"]["disposition"] == "reject"


def test_without_a_client_there_is_no_spf():
    answer = one({"message": "From: a@ex.test\r\n\r\n", "zone": ZONE})
    assert "spf" not in answer and answer["dmarc"]["result"] == "fail"


def test_dmarc_alone_weighs_what_it_is_told():
    entry = {"header_from": "A <a@ex.test>", "zone": ZONE,
             "spf": {"domain": "ex.test", "result": "temperror"},
             "dkim": [{"domain": "ex.test", "result": "fail"}]}
    assert one(entry)["dmarc"]["result"] == "temperror"
    entry["spf"]["result"] = "softfail"
    assert one(entry)["dmarc"]["result"] == "fail"
    entry["dkim"].append({"domain": "mail.ex.test", "result": "pass"})
    assert one(entry)["dmarc"]["aligned"] == {"spf": False, "dkim": True}
