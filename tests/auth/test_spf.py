"""SPF as `godwit check` tells it: the published test suite, and what it does not ask."""
import os

import pytest
import yaml

from check_tool import batch, one
from godwit import VECTORS

SUITE = os.path.join(VECTORS, "spf", "rfc7208-hand-175.yml")


def zone_of(data):
    """The suite's zones, where SPF stands for TXT unless the name has TXT, too."""
    zone = {}
    for name, records in data.items():
        found = zone.setdefault(name, {})
        kinds = [next(iter(record)) for record in records if isinstance(record, dict)]
        for record in records:
            if record == "TIMEOUT":
                for kind in ("TXT", "A", "AAAA", "MX", "PTR"):
                    found.setdefault(kind, "TIMEOUT")
                continue
            (kind, value), = record.items()
            if kind == "SPF":
                if "TXT" in kinds:
                    continue
                kind = "TXT"
            elif kind == "TXT" and value == "NONE":
                continue
            found.setdefault(kind, []).append(value)
    return zone


def cases():
    with open(SUITE, encoding="utf-8") as f:
        for scenario in yaml.safe_load_all(f):
            zone = zone_of(scenario["zonedata"])
            for name, test in scenario["tests"].items():
                yield {"id": name, "ip": test["host"], "helo": test["helo"],
                       "mail_from": test["mailfrom"], "zone": zone}, test


def test_the_published_suite():
    if not os.path.exists(SUITE):
        pytest.skip("the shared vectors are not here")
    entries, tests = zip(*cases())
    wrong = []
    for answer, test in zip(batch(entries), tests):
        wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
        explained = test.get("explanation", "DEFAULT").replace("DEFAULT", "")
        spf = answer["spf"]
        if spf["result"] not in wanted or ("explanation" in test
                                           and spf["explanation"] != explained):
            wrong.append((answer, test))
        assert spf["reason"][-1] == "the result is " + spf["result"]
    assert not wrong
    assert len(tests) == 175


# ---- what is made to exhaust (HOSTILE 96 and 98)

HOST = {"h.test": {"A": ["192.0.2.9"]}}
HOSTILE = {
    "a-thousand-hosts": ("v=spf1" + " a:h.test" * 1000 + " -all", "permerror"),
    "eleven-hosts": ("v=spf1" + " a:h.test" * 11 + " -all", "permerror"),
    "ten-hosts": ("v=spf1" + " a:h.test" * 10 + " -all", "fail"),
    "three-voids": ("v=spf1 a:1.gone.test a:2.gone.test a:3.gone.test -all", "permerror"),
    "two-voids": ("v=spf1 a:1.gone.test a:2.gone.test -all", "fail"),
    "include-of-itself": ("v=spf1 include:b.test -all", "permerror"),
    "redirect-to-itself": ("v=spf1 redirect=b.test", "permerror"),
    "two-hundred-mx": ("v=spf1 mx:many.test -all", "permerror"),
    "five-thousand-names": ("v=spf1 ptr:h.test -all", "fail"),
    "wide": ("v=spf1" + " ip4:198.51.100.1" * 3700 + " ip4:192.0.2.1 -all", "pass"),
    "utf-16": ("v=spf1 -all".encode("utf-16-le").decode(), "none"),
    "byte-order-mark": ("\ufeffv=spf1 -all", "none"),
    "many-macros": ("v=spf1 exists:" + "%{s}" * 5000 + ".test -all", "fail"),
}
FLOOD = {**HOST, "many.test": {"MX": [[n, "h.test"] for n in range(200)]},
         "1.2.0.192.in-addr.arpa": {"PTR": [f"n{n}.h.test" for n in range(5000)]},
         **{f"n{n}.h.test": {"A": ["192.0.2.1" if n > 9 else "192.0.2.8"]} for n in range(20)}}


def test_hostile_records():
    entries = [{"id": name, "ip": "192.0.2.1", "helo": "h", "mail_from": "a@b.test",
                "zone": {**FLOOD, "b.test": {"TXT": [record]}}}
               for name, (record, _) in HOSTILE.items()]
    for answer in batch(entries):
        spf = answer["spf"]
        assert spf["result"] == HOSTILE[answer["id"]][1], answer
        assert len(spf["reason"]) <= 64 and spf["reason"][-1] == "the result is " + spf["result"]
        assert all(len(reason.encode()) <= 240 for reason in spf["reason"])


def test_five_records():
    answer = one({"ip": "192.0.2.1", "helo": "h", "mail_from": "a@b.test",
                  "zone": {"b.test": {"TXT": [f"v=spf1 ip4:192.0.2.{n}" for n in range(5)]}}})
    assert answer["spf"]["result"] == "permerror"
    assert "the domain has more than one SPF record" in answer["spf"]["reason"]
