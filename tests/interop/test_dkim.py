"""DKIM held against the others': what we sign dkimpy, Mail::DKIM and OpenDKIM verify, and
what they sign we do."""
import base64
import glob
import os
import random
import shutil
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

import godwit
import peers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "auth"))
from verifiers import dkim as verify_ours  # noqa: E402

dkimpy = pytest.importorskip("dkim", reason="python3-dkim is not installed")

LATER = 2 ** 33
FORMS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]
COUNT, EACH = 200, 25
HERE = os.path.dirname(os.path.abspath(__file__))


class Keys:
    """An RSA and an Ed25519 key for example.com, their files and their zone."""

    def __init__(self, folder):
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ed25519 = ed25519.Ed25519PrivateKey.generate()
        self.files = {}
        for name, key, form in (("rsa", self.rsa, serialization.PrivateFormat.TraditionalOpenSSL),
                                ("ed", self.ed25519, serialization.PrivateFormat.PKCS8)):
            self.files[name] = os.path.join(folder, name + ".pem")
            with open(self.files[name], "wb") as f:
                f.write(key.private_bytes(serialization.Encoding.PEM, form,
                                          serialization.NoEncryption()))
        spki = self.rsa.public_key().public_bytes(serialization.Encoding.DER,
                                                  serialization.PublicFormat.SubjectPublicKeyInfo)
        raw = self.ed25519.public_key().public_bytes(serialization.Encoding.Raw,
                                                     serialization.PublicFormat.Raw)
        self.zone = {
            "rsa._domainkey.example.com": "v=DKIM1; k=rsa; p=" + encoded(spki),
            "ed._domainkey.example.com": "v=DKIM1; k=ed25519; p=" + encoded(raw),
        }
        self.zone_file = os.path.join(folder, "zone")
        with open(self.zone_file, "w") as f:
            f.writelines(f"{name} {record}\n" for name, record in self.zone.items())

    def find(self, name, timeout=5):
        record = self.zone.get(name.decode().rstrip(".").lower())
        return None if record is None else record.encode()


def encoded(octets):
    return base64.b64encode(octets).decode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(str(tmp_path_factory.mktemp("keys")))


# ---- messages with all that goes wrong in such programs

SUBJECTS = [b"plain", b"two  spaces and\ttabs", b"folded\r\n once", b"folded\r\n\t \r\n twice",
            b"", b" ", b"=?utf-8?q?=C3=A4?=", "ä ö".encode(), b"trailing \t ", b"a:b;c=d"]
BODIES = [b"", b"\r\n", b"\r\n\r\n\r\n", b"one line\r\n", b"ends in blanks  \t\r\n",
          b"  starts\r\n\tin blanks\r\n", b"empty\r\n\r\n\r\nlines\r\n\r\n\r\n",
          b" \r\n\t\r\n", "ä € ü\r\n".encode(), b"\xe4\xff 8 bit\r\n", b"x" * 997 + b"\r\n",
          b"blanks \r\n \r\n \r\n", b".\r\n..\r\n.dot\r\n", b"tab\tand  many   spaces\r\n"]


def make_message(seed):
    r = random.Random(seed)
    fields = [b"From: Anna <anna@example.com>", b"To:" + r.choice([b" ", b"", b"\t", b"\r\n "])
              + b"bert@example.net" + r.choice([b"", b",\r\n\tcarl@example.net", b" "]),
              b"Subject:" + r.choice([b" ", b""]) + r.choice(SUBJECTS),
              b"Date: Mon, 02 Mar 2026 10:00:00 +0000", b"Message-ID: <%d@example.com>" % seed]
    if r.random() < 0.5:
        fields += [b"MIME-Version: 1.0", b"Content-Type: text/plain;\r\n charset=utf-8"]
    if r.random() < 0.3:
        fields += [b"References: <1@x>\r\n <2@x>\r\n <3@x>", b"Cc: dora@example.net"]
    if r.random() < 0.3:
        fields += [b"Received: from a by b; Mon, 02 Mar 2026 10:00:00 +0000"] * 2
    r.shuffle(fields)
    body = b"".join(r.choice(BODIES) for _ in range(r.randint(0, 4)))
    return b"\r\n".join(fields) + b"\r\n\r\n" + body


def sign(keys, seed, folder):
    """The message as `godwit sign` prints it, and the name of the key."""
    key = ("rsa", "ed")[seed % 2]
    path = os.path.join(folder, f"{seed}.plain")
    with open(path, "wb") as f:
        f.write(make_message(seed))
    done = subprocess.run(
        [godwit.PROGRAM, "sign", "--key", keys.files[key], "--domain", "example.com",
         "--selector", key, "--canonicalization", FORMS[seed // 2 % 4], path],
        capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(make_message(seed)), seed
    return done.stdout, key


@pytest.fixture(scope="module")
def signed(keys, tmp_path_factory):
    """[(message, name of the key, file)]"""
    folder = str(tmp_path_factory.mktemp("signed"))
    made = []
    for seed in range(COUNT):
        message, key = sign(keys, seed, folder)
        path = os.path.join(folder, f"{seed}.eml")
        with open(path, "wb") as f:
            f.write(message)
        made.append((message, key, path))
    return made


def test_ours_by_ourselves(keys, signed, tmp_path):
    for message, key, path in signed:
        whole, verdicts = verify_ours(tmp_path, message, keys.zone, LATER)
        assert whole == "pass", (path, verdicts)
        assert verdicts[0].selector == key


def test_ours_by_dkimpy(keys, signed):
    for message, _, path in signed:
        assert dkimpy.DKIM(message).verify(dnsfunc=keys.find), path


def perl(keys, *arguments):
    if shutil.which("perl") is None or subprocess.run(
            ["perl", "-MMail::DKIM", "-e", "1"], capture_output=True).returncode != 0:
        pytest.skip("libmail-dkim-perl is not installed")
    done = subprocess.run(["perl", os.path.join(HERE, "maildkim.pl"), keys.zone_file, *arguments],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_ours_by_mail_dkim(keys, signed):
    """Debian's Mail::DKIM knows no Ed25519."""
    mails = [path for _, key, path in signed if key == "rsa"]
    results = perl(keys, "verify", *mails)
    assert [(path, result) for path, result in zip(mails, results)
            if not result.startswith("pass")] == []
    assert len(results) == COUNT // 2


def opendkim(keys, *arguments):
    trouble = peers.take("libopendkim11")
    if trouble is not None:
        pytest.skip(f"cannot take libopendkim11: {trouble}")
    library = glob.glob(os.path.join(peers.ROOT, "usr/lib/*/libopendkim.so.11"))[0]
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "libopendkim.py"), library, keys.zone_file, *arguments],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "LD_LIBRARY_PATH": peers.LIBRARIES})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_ours_by_opendkim(keys, signed):
    paths = [path for _, _, path in signed]
    results = opendkim(keys, "verify", *paths)
    assert [(path, status) for path, status in zip(paths, results) if status != "0"] == []
    assert len(results) == COUNT


# ---- theirs by us

def write_messages(folder):
    paths = []
    for seed in range(EACH):
        paths.append(str(folder / f"{seed}.eml"))
        with open(paths[-1], "wb") as f:
            f.write(make_message(seed))
    return paths


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", ["rsa", "ed"])
def test_dkimpys_by_ours(keys, key, form, tmp_path):
    if key == "rsa":
        with open(keys.files["rsa"], "rb") as f:
            private, algorithm = f.read(), b"rsa-sha256"
    else:
        private = encoded(keys.ed25519.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
            serialization.NoEncryption())).encode()
        algorithm = b"ed25519-sha256"
    for seed in range(EACH):
        message = make_message(seed)
        field = dkimpy.sign(message, key.encode(), b"example.com", private,
                            canonicalize=tuple(form.encode().split(b"/")),
                            signature_algorithm=algorithm)
        whole, verdicts = verify_ours(tmp_path, field + message, keys.zone, LATER)
        assert whole == "pass", (seed, verdicts)


@pytest.mark.parametrize("form", FORMS)
def test_mail_dkims_by_ours(keys, form, tmp_path):
    paths = write_messages(tmp_path)
    fields = perl(keys, "sign", keys.files["rsa"], "example.com", "rsa", form, *paths)
    for seed, field in enumerate(fields):
        message = field.replace("\\n", "\r\n").encode() + b"\r\n" + make_message(seed)
        whole, verdicts = verify_ours(tmp_path, message, keys.zone, LATER)
        assert whole == "pass", (seed, verdicts)
    assert len(fields) == EACH


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key, algorithm", [("rsa", "rsa-sha256"), ("ed", "ed25519-sha256")])
def test_opendkims_by_ours(keys, key, algorithm, form, tmp_path):
    """Most of its Ed25519 signatures with the header in simple form are wrong: it refuses
    them itself, and so do we."""
    paths = write_messages(tmp_path)
    fields = opendkim(keys, "sign", keys.files[key], "example.com", key, algorithm, form, *paths)
    signed = [field.replace("\\n", "\r\n").encode() + b"\r\n" + make_message(seed)
              for seed, field in enumerate(fields)]
    for path, message in zip(paths, signed):
        with open(path, "wb") as f:
            f.write(message)
    good = opendkim(keys, "verify", *paths)
    for message, status in zip(signed, good):
        whole, verdicts = verify_ours(tmp_path, message, keys.zone, LATER)
        assert whole == ("pass" if status == "0" else "fail"), (verdicts, message)
    if key == "rsa" or form.startswith("relaxed"):
        assert good == ["0"] * EACH
