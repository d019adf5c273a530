"""`godwit parse`: what the parsers say of records and policies."""
import json

import pytest

from test_cli import run

EX_DATAERR = 65


def parse(kind, text):
    done = run("parse", kind, "--json", input=text)
    assert done.returncode in (0, EX_DATAERR), done.stderr
    said = json.loads(done.stdout)
    assert ("error" in said) == (done.returncode == EX_DATAERR)
    return said


@pytest.mark.parametrize("text, usable", [
    ("3 1 1 " + "ab" * 32, True), ("2 0 2 " + "AB" * 64 + "\n", True),
    ("3 1 1 " + "ab" * 16 + "\n  " + "ab" * 16, True), ("1 1 1 " + "ab" * 32, False),
    ("3 1 1 " + "ab" * 31, False), ("3 2 1 " + "ab" * 32, False), ("3 1 0 ab", False)])
def test_tlsa(text, usable):
    said = parse("tlsa", text)
    assert said["usable"] is usable
    assert [said["usage"], said["selector"], said["matching"]] == [int(t) for t in text.split()[:3]]
    assert said["octets"] == len("".join(text.split()[3:])) // 2


@pytest.mark.parametrize("text", ["", "3 1 1", "3 1 1 ", "3 1 ab", "3 1 1 abc", "3 1 1 xy",
                                  "256 1 1 ab", "3,1,1 ab"])
def test_no_tlsa(text):
    assert parse("tlsa", text) == {"error": "this is no TLSA record"}


def test_mta_sts():
    assert parse("mta-sts", "v=STSv1; id=a1\n") == {"policy_id": "a1"}
    assert "error" in parse("mta-sts", "v=STSv1; id=a-1")
    policy = "version: STSv1\nmode: enforce\nmax_age: 5\nmx: *.A.test\n"
    assert parse("mta-sts", policy) == {"mode": "enforce", "max_age": 5, "mx": ["*.a.test"]}
    assert parse("mta-sts", "mode: none") == {"error": "the policy names no version"}


def test_batch():
    policy = "version: STSv1\nmode: testing\nmax_age: 5\nmx: *.a.test\n"
    entries = [{"id": 1, "record": "v=STSv1; id=x"}, {"id": 2, "policy": policy, "host": "b.a.test"},
               {"id": 3, "policy": policy, "host": "a.test"}, {"id": 4, "record": ["", "v=STSv1;id=y"]},
               {"id": 5}, {"id": 6, "policy": "\u0000"}, {"id": 7, "record": [1, None]}]
    done = run("parse", "mta-sts", "--batch",
               input="".join(json.dumps(e) + "\n" for e in entries) + "[]\n")
    assert done.returncode == EX_DATAERR
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said[0] == {"policy_id": "x", "id": 1} and said[3] == {"policy_id": "y", "id": 4}
    assert [s.get("matches") for s in said[1:3]] == [True, False]
    assert ["error" in s for s in said] == [False, False, False, False, True, True, True, True]
    done = run("parse", "tlsa", "--batch", input='{"id":"a","record":"3 1 1 ab"}\n')
    assert json.loads(done.stdout)["id"] == "a" and done.returncode == 0


def test_files(tmp_path):
    (tmp_path / "policy").write_text("version: STSv1\nmode: none\nmax_age: 1\n")
    assert json.loads(run("parse", "mta-sts", str(tmp_path / "policy")).stdout)["mode"] == "none"
    assert run("parse", "mta-sts", str(tmp_path / "nothing")).returncode == 66
    assert run("parse", "tlsa", "a", "b").returncode == 64
    assert run("parse").returncode == 64 and run("parse", "spf").returncode == 64


def test_a_header_that_is_cut_is_said_to_be():
    field = "X-Long: " + "y" * 1000 + "\r\n"
    long = parse("headers", field * 1500 + "\r\nbody\r\n")
    assert long["cut"] is True and len(long["fields"]) < 1500
    short = parse("headers", field + "\r\n" + "body\r\n" * 300000)
    assert short["cut"] is False and len(short["fields"]) == 1
