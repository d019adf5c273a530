"""SPF beside pyspf and Mail::SPF: the same records, the same zone, no network."""
import collections
import json
import os
import subprocess

import pytest

import spf_records
from godwit import PROGRAM

RECORDS = 2000
SEED = 7208
FOLDER = os.path.dirname(os.path.abspath(__file__))


def ours(entries):
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    done = subprocess.run([PROGRAM, "check", "--batch"], input=lines, capture_output=True,
                          text=True, timeout=300, check=True)
    return [json.loads(line)["spf"] for line in done.stdout.splitlines()]


def of_mail_spf(entries):
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    done = subprocess.run(["perl", os.path.join(FOLDER, "mail_spf.pl")], input=lines,
                          capture_output=True, text=True, timeout=300, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def of_pyspf(pyspf, entry):
    zone = {name.lower(): records for name, records in entry["zone"].items()}

    def lookup(name, kind, strict=True, timeout=20):
        records = zone.get(name.lower(), {})
        if isinstance(records, str):
            raise pyspf.TempError("DNS " + records)
        made = []
        for record in records.get(kind, []):
            if kind in ("TXT", "SPF"):
                parts = record if isinstance(record, list) else [record]
                record = [part.encode() for part in parts]
            made.append(((name, kind), tuple(record) if kind == "MX" else record))
        return made

    pyspf.DNSLookup = lookup
    query = pyspf.query(i=entry["ip"], s=entry["mail_from"], h=entry["helo"], strict=True)
    query.set_default_explanation("")
    result, _, explanation = query.check()
    return {"result": result, "explanation": explanation if result == "fail" else ""}


@pytest.fixture(scope="module")
def compared():
    pyspf = pytest.importorskip("spf", reason="python3-spf is not installed")
    if subprocess.run(["perl", "-MMail::SPF", "-e", "1"], capture_output=True).returncode != 0:
        pytest.skip("libmail-spf-perl is not installed")
    entries = spf_records.entries(RECORDS, SEED)
    return list(zip(entries, ours(entries), [of_pyspf(pyspf, e) for e in entries],
                    of_mail_spf(entries)))


def show(entry, *answers):
    own = entry["mail_from"].rpartition("@")[2] or entry["helo"]
    number = entry["id"]
    return "\n".join([f"{entry['ip']} {entry['mail_from']}"]
                     + [f"  {name}: {entry['zone'].get(name)}"
                        for name in (own, f"i{number}.test", f"j{number}.test")]
                     + [f"  {answer}" for answer in answers])


def test_every_result_is_reached(compared):
    reached = collections.Counter(mine["result"] for _, mine, _, _ in compared)
    assert set(reached) == {"none", "neutral", "pass", "fail", "softfail", "temperror",
                            "permerror"}, reached
    assert min(reached.values()) >= 10, reached


def test_where_they_agree_so_do_we(compared):
    wrong = [show(e, mine, theirs, others) for e, mine, theirs, others in compared
             if theirs["result"] == others["result"] != mine["result"]]
    agreed = sum(theirs["result"] == others["result"] for _, _, theirs, others in compared)
    assert not wrong, f"{len(wrong)} of {agreed}:\n" + "\n".join(wrong[:10])
    assert agreed >= RECORDS * 0.9


def test_we_are_never_alone(compared):
    alone = [show(e, mine, theirs, others) for e, mine, theirs, others in compared
             if mine["result"] not in (theirs["result"], others["result"])]
    assert not alone, f"{len(alone)}:\n" + "\n".join(alone[:10])


def test_the_same_explanations(compared):
    """pyspf's, since Mail::SPF puts words of its own in the place of none."""
    fails = [(e, mine, theirs) for e, mine, theirs, _ in compared
             if mine["result"] == theirs["result"] == "fail"]
    assert len({theirs["explanation"] for _, _, theirs in fails}) > 3
    wrong = [show(e, mine, theirs) for e, mine, theirs in fails
             if mine["explanation"] != theirs["explanation"]]
    assert not wrong, "\n".join(wrong[:10])
