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
        if spf["result"] not in wanted or spf["explanation"] != explained and \
                (spf["result"] == "fail" and "explanation" in test):
            wrong.append((answer, test))
        assert spf["reason"][-1] == "the result is " + spf["result"]
    assert not wrong
    assert len(tests) == 175
