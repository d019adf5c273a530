"""`godwit check` as people and programs call it."""
import json
import subprocess

import pytest

from check_tool import batch, one
from godwit import PROGRAM
from nameserver import NameServer

EX_USAGE, EX_DATAERR, EX_NOINPUT = 64, 65, 66
MESSAGE = b"From: Anna <anna@ex.test>\nSubject: x\n\nbody\n"
ANSWERS = {("ex.test", "TXT"): ['"v=spf1 mx include:deep.ex.test -all exp=says.ex.test"'],
           ("ex.test", "MX"): ["10 mail.ex.test."],
           ("mail.ex.test", "A"): ["192.0.2.1"],
           ("deep.ex.test", "TXT"): ['"v=spf1 ip4:192.0.2." "64/26 ~all"'],
           ("says.ex.test", "TXT"): ['"%{i} is not ours"'],
           ("alias.ex.test", "CNAME"): ["ex.test."],
           ("broken.ex.test", "*"): "SERVFAIL",
           ("_dmarc.ex.test", "TXT"): ['"v=DMARC1; p=quarantine; np=reject"']}


def check(*arguments, input=b"", code=0):
    done = subprocess.run([PROGRAM, "check", *arguments], input=input, capture_output=True,
                          timeout=60)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def server():
    with NameServer(ANSWERS) as s:
        yield s


def ask(server, *arguments, message=MESSAGE):
    done = check("--json", "--dns", server.config, "--helo", "mail.ex.test", *arguments,
                 input=message)
    return json.loads(done.stdout)


@pytest.mark.parametrize("ip, result, explanation", [
    ("192.0.2.1", "pass", ""), ("192.0.2.70", "pass", ""),
    ("198.51.100.1", "fail", "198.51.100.1 is not ours")])
def test_the_dns_is_asked(server, ip, result, explanation):
    answer = ask(server, "--ip", ip, "--mail-from", "anna@ex.test")
    assert (answer["spf"]["result"], answer["spf"]["explanation"]) == (result, explanation)
    assert answer["spf"]["domain"] == "ex.test"
    assert answer["dmarc"]["result"] == ("pass" if result == "pass" else "fail")
    assert answer["dmarc"]["aligned"]["spf"] == (result == "pass")
    assert answer["dmarc"]["disposition"] == ("none" if result == "pass" else "quarantine")


def test_aliases_and_failures_of_the_dns(server):
    assert ask(server, "--ip", "192.0.2.1",
               "--mail-from", "<a@alias.ex.test>")["spf"]["result"] == "pass"
    assert ask(server, "--ip", "192.0.2.1",
               "--mail-from", "a@broken.ex.test")["spf"]["result"] == "temperror"
    assert ask(server, "--ip", "192.0.2.1",
               "--mail-from", "a@absent.ex.test")["spf"]["result"] == "none"
    # no name that could be asked for
    assert ask(server, "--ip", "192.0.2.1",
               "--mail-from", "a@b c.ex.test")["spf"]["result"] == "none"
    gone = ask(server, message=b"From: a@gone.ex.test\r\n\r\n")
    assert (gone["dmarc"]["policy"], gone["dmarc"]["disposition"]) == ("reject", "reject")


def test_a_null_sender_is_its_host(server):
    answer = ask(server, "--ip", "192.0.2.1", "--mail-from", "<>")
    assert answer["spf"]["identity"] == "helo"
    assert answer["spf"]["domain"] == "mail.ex.test"


def test_a_file_and_our_name(server, tmp_path):
    path = tmp_path / "message"
    path.write_bytes(MESSAGE.replace(b"\n", b"\r\n"))
    answer = ask(server, "--authserv-id", "mx.test", str(path), message=b"")
    assert answer["headers"] == ["Authentication-Results: mx.test; "
                                 "dkim=none; dmarc=fail header.from=ex.test policy.dmarc=quarantine"]
    entry = {"id": 7, "file": str(path), "zone": {}}
    assert one(entry)["dmarc"]["result"] == "none"


def test_a_header_that_ends_in_lf_is_not_mixed(tmp_path):
    """Where one line ends in CRLF, a lone LF ends none: it cannot hide a field."""
    entry = {"message": "Subject: a\nFrom: x@evil.test\r\nFrom: a@ex.test\r\n\r\n", "zone": {}}
    assert one(entry)["dmarc"]["org_domain"] == "ex.test"


def test_what_is_wrong_is_answered_in_its_place():
    lines = (b'{"id": 1, "ip": "192.0.2.1", "helo": "h", "mail_from": "a@b.test", "zone": {}}\n'
             b"no json\n"
             b'{"id": 3, "zone": {}}\n'
             b'{"id": 4, "ip": "192.0.2", "zone": {}}\n'
             b'{"id": 5, "ip": "192.0.2.1", "zone": []}\n'
             b'{"id": 6, "file": "/nowhere/at/all", "zone": {}}\n'
             b'{"id": [7], "header_from": "a@b.test", "zone": {"_DMARC.B.test.": {"TXT": '
             b'["v=DMARC1; p=none", 5, {}]}}}')
    done = check("--batch", "-", input=lines, code=EX_DATAERR)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers[0]["spf"]["result"] == "none" and answers[0]["id"] == 1
    for answer, number in zip(answers[1:6], (None, 3, 4, 5, 6)):
        assert answer["error"] and answer.get("id") == number
    assert answers[6]["id"] == [7] and answers[6]["dmarc"]["result"] == "fail"
    assert len(answers) == 7


def test_zones():
    spf = {"id": 1, "ip": "192.0.2.1", "helo": "h", "mail_from": "a@B.test"}
    long = "v=spf1" + " ip4:198.51.100.1" * 40 + " ip4:192.0.2.1 -all"
    zones = [({"b.TEST": {"TXT": [long]}}, "pass"),
             ({"b.test": {"TXT": [["v=spf1 +", "all"]]}}, "pass"),
             ({"b.test": "SERVFAIL"}, "temperror"), ({"b.test": "TIMEOUT"}, "temperror"),
             ({"b.test": {"TXT": "TIMEOUT"}}, "temperror"),
             ({"b.test": {"TXT": []}}, "none"),
             ({"b.test": {"CNAME": ["c.test."]}, "c.test": {"TXT": ["v=spf1 +all"]}}, "pass"),
             ({"b.test": {"CNAME": ["b.test"]}}, "temperror"),
             ({"b.test": {"CNAME": ["absent.test"]}}, "none"),
             ({"b.test": {"TXT": ["v=spf1 a -all"], "A": ["nonsense", "192.0.2.1"]}}, "pass"),
             ({"b.test": {"TXT": ["v=spf1 mx -all"], "MX": [[10, "m.b.test"], 5, [1]]},
               "m.b.test": {"A": ["192.0.2.1"]}}, "pass"),
             ({"b.test": {"TXT": ["v=spf1 ptr -all"]},
               "1.2.0.192.in-addr.arpa": {"PTR": ["x..y", "m.b.test."]},
               "m.b.test": {"A": ["192.0.2.1"]}}, "pass")]
    answers = batch([{**spf, "zone": zone} for zone, _ in zones])
    assert [a["spf"]["result"] for a in answers] == [result for _, result in zones]


@pytest.mark.parametrize("arguments, code, word", [
    (("--now", "soon"), EX_USAGE, b"--now"), (("--dns", "nowhere"), EX_USAGE, b"--dns"),
    (("a", "b"), EX_USAGE, b"'b'"), (("/nowhere/at/all",), EX_NOINPUT, b"/nowhere"),
    (("--batch", "/nowhere/at/all"), EX_NOINPUT, b"/nowhere"),
    (("--trust-store", "/nowhere/at/all"), EX_NOINPUT, b"--trust-store: /nowhere"),
    (("--trust-store", __file__), EX_DATAERR, b"--trust-store"),
    (("--batch", "/"), EX_NOINPUT, b"/: Is a directory"),
    (("--authserv-id", ""), EX_USAGE, b"--authserv-id"),
    (("--authserv-id", "a" * 256), EX_USAGE, b"--authserv-id"),
    (("--authserv-id", "a\rb"), EX_USAGE, b"--authserv-id"),
    (("--ip", "192.0.2", "--dns", "127.0.0.1:1"), EX_DATAERR, b"")])
def test_wrong_calls(arguments, code, word):
    assert word in check(*arguments, input=MESSAGE, code=code).stderr


def test_the_time_is_given(server):
    entry = {"ip": "192.0.2.1", "helo": "h", "mail_from": "a@b.test", "now": 1234567890,
             "zone": {"b.test": {"TXT": ["v=spf1 -all exp=e.test"]}, "e.test": {"TXT": ["%{t}"]}}}
    assert one(entry)["spf"]["explanation"] == "1234567890"
    del entry["now"]
    done = check("--batch", "--now", "42", input=json.dumps(entry).encode())
    assert json.loads(done.stdout)["spf"]["explanation"] == "42"


def test_what_is_wrong_with_an_entry_is_said():
    spf = {"ip": "192.0.2.1", "helo": "h", "mail_from": "a@b.test"}
    assert "now" in one({**spf, "now": "soon"})["error"]
    assert "now" in one({**spf, "now": 1e300, "zone": {}})["error"]
    assert "ip" in one({**spf, "ip": "192.0.2"})["error"]
    huge = "X: " + "a" * (2 << 20) + "\r\n\r\n"
    assert "header" in one({"message": huge})["error"]
    assert one({"message": "From: a@b.test\r\n\r\n" + "a" * (3 << 20), "zone": {}})["dkim"] == []
