"""godwit dkim: keys made, told, checked against the DNS, and changed for others."""
import os
import re
import resource
import signal
import stat
import subprocess
import sys

import pytest

import godwit

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
NameServer = pytest.importorskip("nameserver", reason="python3-dnspython is not installed").NameServer
dkimpy = pytest.importorskip("dkim", reason="python3-dkim is not installed")

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_CANTCREAT, EX_IOERR = 64, 65, 66, 73, 74
EX_TEMPFAIL, EX_CONFIG = 75, 78


def dkim(*arguments):
    return subprocess.run([godwit.PROGRAM, "dkim", *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL)


def made(path, *arguments):
    """The record of a new key."""
    done = dkim("keygen", path, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def read_zone(text):
    """{name: [string, ...]} of what is printed for a zone file."""
    found = {}
    for name, strings in re.findall(r"^(\S+)\. IN TXT \(([^)]*)\)$", text, re.M):
        found[name] = re.findall(r'"([^"]*)"', strings)
    return found


class Place:
    """A configuration with keys."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "godwit.yaml"
        self.zone = {}

    def write(self, *keys, more=""):
        listed = ", ".join(f"{{ selector: {s}, key: '{self.folder / name}' }}" for s, name in keys)
        self.path.write_text(f"hostname: mx.home.test\ndata: {self.folder}/data\n{more}"
                             f"domains:\n  home.test: {{ relay: true, dkim: [{listed}] }}\n")

    def serve(self, selector, *strings):
        self.zone[f"{selector}._domainkey.home.test", "TXT"] = [
            " ".join(f'"{s}"' for s in strings)]

    def ask(self, dns, *arguments):
        return dkim(*arguments, "--config", self.path, "--dns", dns)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def dns(place):
    with NameServer(place.zone) as server:
        yield server.config


@pytest.mark.parametrize("arguments, kind, bits", [
    ([], "rsa", 2048), (["--algorithm", "rsa", "--bits", "1024"], "rsa", 1024),
    (["--bits", "3072"], "rsa", 3072), (["--algorithm", "ed25519"], "ed25519", 256),
])
def test_a_key_is_made_that_others_can_use(tmp_path, arguments, kind, bits):
    path = tmp_path / "key.pem"
    record = made(path, *arguments)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    shown = subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-text"],
                           capture_output=True, text=True).stdout
    assert f"({bits} bit" in shown if kind == "rsa" else "ED25519" in shown
    assert record.startswith(f"v=DKIM1; k={kind}; p=")
    signed = subprocess.run([godwit.PROGRAM, "sign", "--key", path, "--domain", "home.test",
                             "--selector", "s"], input=b"From: a@home.test\r\n\r\nx\r\n",
                            capture_output=True, timeout=60).stdout
    assert dkimpy.verify(signed, dnsfunc=lambda name, timeout=5: record.encode(), minkey=1024)


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "key.pem"
    made(path, "--algorithm", "ed25519")
    before = path.read_bytes()
    done = dkim("keygen", path)
    assert done.returncode == EX_CANTCREAT and "is kept" in done.stderr
    assert path.read_bytes() == before
    (tmp_path / "link.pem").symlink_to(tmp_path / "elsewhere.pem")
    assert dkim("keygen", tmp_path / "link.pem").returncode == EX_CANTCREAT
    assert not (tmp_path / "elsewhere.pem").exists()
    assert dkim("keygen", tmp_path / "no" / "key.pem").returncode == EX_CANTCREAT


@pytest.mark.parametrize("arguments", [
    ["--algorithm", "dsa"], ["--bits", "x"], ["--bits", "1023"], ["--bits", "8192"],
    ["--algorithm", "ed25519", "--bits", "2048"], ["--domain", "home.test"], ["--selector", "s"],
    ["--domain", "no domain", "--selector", "s"], ["--domain", "home.test", "--selector", "s."],
    ["--domain", "[192.0.2.1]", "--selector", "s"], ["another"],
])
def test_what_is_no_key_is_not_made(tmp_path, arguments):
    done = dkim("keygen", tmp_path / "key.pem", *arguments)
    assert done.returncode == EX_USAGE and done.stderr
    assert os.listdir(tmp_path) == []


def test_a_key_is_not_made_on_standard_output(tmp_path):
    done = subprocess.run([godwit.PROGRAM, "dkim", "keygen", "-"], cwd=tmp_path, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == EX_USAGE and os.listdir(tmp_path) == []


def test_a_key_that_was_cut_is_removed_and_told(tmp_path):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    done = subprocess.run([godwit.PROGRAM, "dkim", "keygen", tmp_path / "key.pem"], timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          restore_signals=False, preexec_fn=limit)
    assert done.returncode == EX_IOERR and "File too large" in done.stderr
    assert os.listdir(tmp_path) == []


def test_records_are_as_a_zone_has_them(place, tmp_path):
    long = made(tmp_path / "long.pem", "--bits", "4096")
    short = made(tmp_path / "short.pem", "--algorithm", "ed25519")
    place.write(("s1", "long.pem"), ("e1", "short.pem"))
    done = dkim("record", "--config", place.path)
    assert done.returncode == 0, done.stderr
    zone = read_zone(done.stdout)
    assert set(zone) == {"s1._domainkey.home.test", "e1._domainkey.home.test"}
    strings = zone["s1._domainkey.home.test"]
    assert "".join(strings) == long and len(strings) == 3
    assert all(len(s) <= 255 for s in strings)
    assert zone["e1._domainkey.home.test"] == [short]
    import dns.zone
    parsed = dns.zone.from_text("@ 60 IN SOA ns h 1 1 1 1 1\n@ 60 IN NS ns.home.test.\n" +
                                done.stdout.replace(" IN TXT", " 60 IN TXT"), origin="home.test.")
    text = parsed.get_rdataset("s1._domainkey", "TXT")[0]
    assert b"".join(text.strings).decode() == long


def test_a_key_by_its_file(tmp_path):
    record = made(tmp_path / "key.pem", "--algorithm", "ed25519")
    named = ("--key", tmp_path / "key.pem", "--domain", "B\u00fccher.TEST", "--selector", "S")
    done = dkim("record", *named)
    assert read_zone(done.stdout) == {"s._domainkey.xn--bcher-kva.test": [record]}
    assert dkim("record", *named[:4]).returncode == EX_USAGE
    assert dkim("record", *named[:2], "--domain", "a b", "--selector", "s").returncode == EX_USAGE
    assert dkim("record", "--key", tmp_path / "no.pem", *named[2:]).returncode == EX_NOINPUT
    (tmp_path / "bad.pem").write_text("no key")
    assert dkim("record", "--key", tmp_path / "bad.pem", *named[2:]).returncode == EX_DATAERR


def test_without_keys_there_is_nothing_to_tell(place):
    place.write()
    for word in ("record", "check"):
        done = dkim(word, "--config", place.path)
        assert done.returncode == EX_CONFIG and "names no such keys" in done.stderr


def test_what_the_dns_serves(place, dns, tmp_path):
    good = made(tmp_path / "key.pem")
    other = made(tmp_path / "other.pem", "--bits", "1024")
    curved = made(tmp_path / "curved.pem", "--algorithm", "ed25519")
    place.write(("s1", "key.pem"))

    def expect(code, words):
        done = place.ask(dns, "check", "home.test")
        assert done.returncode == code and words in done.stdout, done
        assert done.stdout.startswith("s1._domainkey.home.test: ")

    expect(EX_DATAERR, "has no record of it")
    for strings, code, words in [
        ((good[:255], good[255:]), 0, "the DNS serves it\n"),
        ([*map("".join, zip(*[iter(good)] * 1))], 0, "serves it"),      # a letter a string
        ((good[:255], good[255:] + " "), 0, "serves it"),
        ((good.replace("v=DKIM1;", "v=DKIM1; t=y;")[:200],
          good.replace("v=DKIM1;", "v=DKIM1; t=y;")[200:]), 0, "marked as a test"),
        ((other,), EX_DATAERR, "another key"), ((curved,), EX_DATAERR, "another key"),
        (("v=DKIM1; p=",), EX_DATAERR, "no good record"),
        (("v=DKIM1; k=rsa; p=!!!",), EX_DATAERR, "no good record"),
        (("v=spf1 -all",), EX_DATAERR, "no good record"),
    ]:
        place.serve("s1", *strings)
        expect(code, words)
    place.zone["s1._domainkey.home.test", "TXT"] = [f'"{other}"', f'"{curved}"']
    expect(EX_DATAERR, "several records")
    place.zone["s1._domainkey.home.test", "TXT"] = "SERVFAIL"
    expect(EX_TEMPFAIL, "did not answer")


def test_one_bad_key_does_not_hide_the_others(place, dns, tmp_path):
    good = made(tmp_path / "e.pem", "--algorithm", "ed25519")
    place.write(("s0", "absent.pem"), ("e1", "e.pem"))
    place.serve("e1", good)
    done = place.ask(dns, "check")
    assert done.returncode == EX_NOINPUT and "absent.pem" in done.stderr
    assert "e1._domainkey.home.test: the DNS serves it" in done.stdout


def test_a_rotation_from_end_to_end(place, dns, tmp_path):
    old = made(tmp_path / "home-s2026.pem", "--bits", "1024")
    place.write(("s2026", "home-s2026.pem"), more="queue: { lifetime: 3d, report_lifetime: 1d }\n"
                "limits: { future_release: 2d }\n")
    place.serve("s2026", old)
    before = place.path.read_text()
    new = tmp_path / "home-s2027.pem"

    first = place.ask(dns, "rotate", "home.test")
    assert first.returncode == EX_TEMPFAIL and f"{new} is new" in first.stdout, first
    assert stat.S_IMODE(os.stat(new).st_mode) == 0o600
    key = new.read_bytes()
    record = read_zone(first.stdout)["s2027._domainkey.home.test"]

    again = place.ask(dns, "rotate", "home.test")           # nothing is made twice
    assert again.returncode == EX_TEMPFAIL and "is new" not in again.stdout
    assert read_zone(again.stdout)["s2027._domainkey.home.test"] == record
    assert new.read_bytes() == key

    place.serve("s2027", old)                               # not what was to be published
    wrong = place.ask(dns, "rotate", "home.test")
    assert wrong.returncode == EX_TEMPFAIL and "another key" in wrong.stdout

    place.serve("s2027", *record)
    done = place.ask(dns, "rotate", "home.test")
    assert done.returncode == 0, done
    assert f'dkim: [{{ selector: s2027, key: "{new}" }}]' in done.stdout
    assert "needed 12d" in done.stdout and "s2026" in done.stdout
    assert place.path.read_text() == before                 # nobody edits it

    place.write(("s2026", "home-s2026.pem"), ("s2027", "home-s2027.pem"))
    both = place.ask(dns, "rotate", "home.test")            # both sign: the old may leave
    assert both.returncode == 0 and f'dkim: [{{ selector: s2027, key: "{new}" }}]' in both.stdout
    assert sorted(p.name for p in tmp_path.glob("*.pem")) == ["home-s2026.pem", "home-s2027.pem"]


@pytest.mark.parametrize("old, following", [
    ("s1", "s2"), ("s9", "s10"), ("s099", "s100"), ("mail", "mail2"), ("2026", "2027"),
    ("s2026.a", "s2026.a2"), ("x199", "x200"), ("999", "1000"),
])
def test_the_next_selector(place, dns, tmp_path, old, following):
    made(tmp_path / "key.pem", "--algorithm", "ed25519")
    place.write((old, "key.pem"))
    done = place.ask(dns, "rotate", "home.test")
    assert done.returncode == EX_TEMPFAIL
    assert f"{following}._domainkey.home.test" in read_zone(done.stdout)
    assert (tmp_path / f"home.test.{following}.pem").exists()
    assert "k=ed25519" in done.stdout                       # of the same kind


def test_a_rotation_as_it_is_said(place, dns, tmp_path):
    made(tmp_path / "r.pem", "--bits", "1024")
    made(tmp_path / "e.pem", "--algorithm", "ed25519")
    place.write(("r1", "r.pem"), ("e1", "e.pem"))
    several = place.ask(dns, "rotate", "home.test")
    assert several.returncode == EX_USAGE and "--selector" in several.stderr
    done = place.ask(dns, "rotate", "home.test", "--selector", "r1", "--next", "X2027",
                     "--algorithm", "ed25519")
    assert done.returncode == EX_TEMPFAIL and "k=ed25519" in done.stdout
    record = read_zone(done.stdout)["x2027._domainkey.home.test"]
    place.serve("x2027", *record)
    done = place.ask(dns, "rotate", "home.test", "--selector", "r1", "--next", "x2027")
    assert done.returncode == 0
    assert re.search(r"dkim: \[\{ selector: x2027, .*\},\n +\{ selector: e1, ", done.stdout)


@pytest.mark.parametrize("arguments, code", [
    (["other.test"], EX_CONFIG), (["home.test", "--selector", "no"], EX_USAGE),
    (["home.test", "--next", "a b"], EX_USAGE), (["home.test", "--next", "s1"], EX_USAGE),
    (["home.test", "--dns", "nowhere"], EX_USAGE), ([], EX_USAGE),
])
def test_a_rotation_that_is_none(place, tmp_path, arguments, code):
    made(tmp_path / "key.pem", "--algorithm", "ed25519")
    place.write(("s1", "key.pem"))
    done = dkim("rotate", *arguments, "--config", place.path)
    assert done.returncode == code and done.stderr
    assert [p.name for p in tmp_path.glob("*.pem")] == ["key.pem"]


def test_config_check_looks_at_keys(place, tmp_path):
    made(tmp_path / "key.pem", "--algorithm", "ed25519")
    (tmp_path / "bad.pem").write_text("no key")
    for name, code, words in (("key.pem", 0, ""), ("absent.pem", EX_CONFIG, "No such file"),
                              ("bad.pem", EX_CONFIG, "no private key")):
        place.write(("s1", name))
        done = subprocess.run([godwit.PROGRAM, "config", "check", "--config", place.path],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == code and words in done.stderr, done
        assert ("good" in done.stdout) == (code == 0)
