"""ARC held against the others': chains that dkimpy, Mail::DKIM and we seal in turn, each of
which all three find whole, or broken."""
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization

import godwit

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "auth"))
from test_dkim import Keys, make_message, perl  # noqa: E402
from verifiers import arc as validate_ours  # noqa: E402

dkimpy = pytest.importorskip("dkim", reason="python3-dkim is not installed")
PROBE = os.path.join(godwit.TOP, "build", "probe_auth_arc_validate")
NOW = 1764000000
RESULTS = "mx.example.com; spf=pass smtp.mailfrom=example.com; arc=none"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(str(tmp_path_factory.mktemp("keys")))


def write(folder, message):
    path = os.path.join(folder, "sealing.eml")
    with open(path, "wb") as f:
        f.write(message)
    return path


def by_ours(keys, folder, message):
    done = subprocess.run([PROBE, str(NOW), keys.zone_file, write(folder, message),
                           keys.files["rsa"], "example.com", "rsa", RESULTS],
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + message


def by_dkimpy(keys, folder, message):
    private = keys.rsa.private_bytes(serialization.Encoding.PEM,
                                     serialization.PrivateFormat.TraditionalOpenSSL,
                                     serialization.NoEncryption())
    chain = dkimpy.ARC(message).verify(dnsfunc=keys.find)[0]
    found = (b"Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=example.com; arc="
             + chain + b"\r\n")
    fields = dkimpy.ARC(found + message).sign(b"rsa", b"example.com", private, b"mx.example.com")
    assert len(fields) == 3
    return b"".join(fields) + message


def by_mail_dkim(keys, folder, message):
    chain = perl(keys, "arc-verify", write(folder, message))[0].split(" ")[0]
    found = f"Authentication-Results: mx.example.com; spf=pass; arc={chain}\r\n".encode()
    fields = perl(keys, "arc-seal", keys.files["rsa"], "example.com", "rsa", "mx.example.com",
                  write(folder, found + message))
    assert len(fields) == 3
    return b"".join(field.replace("\\n", "\r\n").encode() + b"\r\n" for field in fields) + message


SEALERS = {"ours": by_ours, "dkimpy": by_dkimpy, "Mail::DKIM": by_mail_dkim}


def validate_all(keys, folder, message):
    """What each says, by name."""
    ours = validate_ours(folder, message, keys.zone, NOW)
    return {"ours": ours[0], "dkimpy": dkimpy.ARC(message).verify(dnsfunc=keys.find)[0].decode(),
            "Mail::DKIM": perl(keys, "arc-verify", write(folder, message))[0].split(" ")[0]}


@pytest.mark.parametrize("turns", [
    ["ours"], ["dkimpy"], ["Mail::DKIM"], ["ours"] * 4, ["dkimpy", "ours", "dkimpy"],
    ["Mail::DKIM", "ours", "Mail::DKIM", "ours"], ["ours", "Mail::DKIM", "dkimpy", "ours"]],
    ids="-".join)
@pytest.mark.parametrize("seed", range(4))
def test_a_chain_of_several_hands(keys, turns, seed, tmp_path):
    message = make_message(seed)
    for turn in turns:
        message = SEALERS[turn](keys, str(tmp_path), message)
        assert set(validate_all(keys, str(tmp_path), message).values()) == {"pass"}, message
    changed = message.replace(b"bert@", b"berx@", 1)
    assert set(validate_all(keys, str(tmp_path), changed).values()) == {"fail"}
    _, sets, oldest, _ = validate_ours(str(tmp_path), message, keys.zone, NOW)
    assert (sets, oldest) == (len(turns), 0)
