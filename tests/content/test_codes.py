"""One-time codes: the bars over our own corpus, and mails of others that hold none."""
import glob
import json
import os
import subprocess
import sys

import pytest

import godwit

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
VECTORS = os.path.join(TOP, "..", "shared", "vectors")
sys.path.insert(0, os.path.join(HERE, "codes"))
import corpus  # noqa: E402


def ask(messages):
    """The answers for messages as octets."""
    answers = []
    for octets in messages:
        done = subprocess.run([godwit.PROGRAM, "parse", "codes", "-"], input=octets, capture_output=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    return answers


@pytest.mark.parametrize("half", ["first", "second", "kinds"])
def test_codes(half):
    mails = getattr(corpus, half)()
    answers = ask(octets for _, _, octets in mails)
    wrong = [(name, code, a["code"]) for (name, code, _), a in zip(mails, answers)
             if a["code"] != code]
    with_code = sum(code is not None for _, code, _ in mails)
    without = len(mails) - with_code
    missed = sum(code is not None for _, code, _ in wrong)
    false = len(wrong) - missed
    print(f"{half}: {with_code - missed}/{with_code} codes, {without - false}/{without} without",
          *wrong, sep="\n  ")
    assert missed <= with_code * 0.10
    assert false <= without * 0.05


@pytest.mark.skipif(not os.path.isdir(VECTORS), reason="no vectors beside the checkout")
def test_mails_of_others_hold_none():
    files = [f for pattern in ("bounce/**/*", "dkim/**/*", "mime/**/*", "templates/**/*.html")
             for f in glob.glob(os.path.join(VECTORS, pattern), recursive=True)
             if os.path.isfile(f) and os.path.getsize(f) < 300000]
    messages = []
    for path in files:
        with open(path, "rb") as f:
            octets = f.read()
        messages.append(b"Content-Type: text/html\n\n" + octets if path.endswith(".html") else octets)
    found = [(os.path.basename(f), a["code"]) for f, a in zip(files, ask(messages)) if a["found"]]
    print(len(files), "mails", *found, sep="\n  ")
    assert len(found) <= len(files) * 0.02
