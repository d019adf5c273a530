"""OpenSSL's blocks of TLSA records and chains, as mail reads them: usages 0 and 1 are of no
use (RFC 7672 3.1.3), and usage 3 looks at no name (RFC 7672 3.2.1)."""
import os
import subprocess

import pytest

import godwit

PROBE = os.path.join(godwit.TOP, "build", "probe_crypto_dane")
FILE = os.path.join(godwit.VECTORS, "dane", "danetest-hand.in")


def blocks():
    if not os.path.exists(FILE):
        return []
    with open(FILE) as f:
        lines = [line for line in f if not line.startswith("#")]
    found, at = [], 0
    while at < len(lines):
        head = lines[at].split()
        at += 1
        if len(head) != 5:
            continue
        count = int(head[0])
        records, at = [line.strip() for line in lines[at:at + count]], at + count
        pem, certificates = "", 0
        while certificates < int(head[1]):
            pem += lines[at]
            certificates += lines[at].startswith("-----END")
            at += 1
        found.append((records, pem, int(head[3]), int(head[4])))
    return found


BLOCKS = blocks()


@pytest.mark.skipif(not BLOCKS, reason="no ../shared/vectors/dane beside the checkout")
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block(number):
    records, pem, result, depth = BLOCKS[number]
    done = subprocess.run([PROBE, "example.com"], input="\n".join(records) + "\n\n" + pem,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    usages = [record.split()[0] for record in records]
    if not {"2", "3"} & set(usages):
        assert done.stdout == "unusable\n"
    else:
        # What matched is not told of a chain that is no good.
        assert done.stdout == f"{result} {depth if result == 0 else -1}\n"


@pytest.mark.skipif(not BLOCKS, reason="no ../shared/vectors/dane beside the checkout")
def test_the_blocks_are_all_there():
    assert len(BLOCKS) >= 25
    assert sum("3" == r.split()[0] for b in BLOCKS for r in b[0]) >= 8
