"""The chains of the ARC test suite (RFC 8617), 84 of them."""
import os

import pytest
import yaml

import godwit
from verifiers import arc, crlf

PATH = os.path.join(godwit.VECTORS, "arc", "arc-validation-hand.yml")
NOW = 1764000000


def cases():
    """(message, zone, want); without a `want` any answer is right."""
    if not os.path.exists(PATH):
        return []
    with open(PATH) as f:
        for scenario in yaml.safe_load_all(f):
            for name, case in scenario["tests"].items():
                yield pytest.param(case["message"].encode(), scenario["txt-records"] or {},
                                   case["cv"].lower(), id=name)


CASES = list(cases())

if not CASES:
    pytest.skip("no vectors lie beside the checkout", allow_module_level=True)


@pytest.mark.parametrize("message, zone, want", CASES)
def test_arc(message, zone, want, tmp_path):
    result, sets, _, steps = arc(tmp_path, crlf(message), zone, NOW)
    assert want in ("", result), steps
    assert steps
    assert result != "none" or sets == 0


def test_all_are_there():
    assert len(CASES) == 84
