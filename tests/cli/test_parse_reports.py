"""`godwit classify` and `godwit parse`: reports that real servers wrote, held against what
others read in them."""
import csv
import glob
import gzip
import io
import json
import os
import re
import resource
import struct
import subprocess
import zipfile
import zlib

import pytest

from godwit import PROGRAM, TOP, VECTORS

SISIMAI = os.path.join(VECTORS, "bounce", "sisimai")
KUMOMTA = os.path.join(VECTORS, "bounce", "kumomta", "rfc3464")
ARF = os.path.join(VECTORS, "reports", "arf")
DMARC_REPORTS = os.path.join(VECTORS, "reports", "dmarc")
TLS_REPORTS = os.path.join(VECTORS, "reports", "tlsrpt")
ISEMAIL = os.path.join(VECTORS, "address", "isemail-tests-3.05.xml")
HARD = {"userunknown", "hostunknown", "hasmoved", "notaccept"}


def needs(path):
    return pytest.mark.skipif(not os.path.exists(path),
                              reason=f"{path} is not there: see ../shared/vectors")


def batch(words, entries):
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    done = subprocess.run([PROGRAM, *words, "--json", "--batch"], input=lines.encode(),
                          capture_output=True, timeout=120)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode in (0, 65), done.stderr
    assert [a.get("id") for a in answers] == [e.get("id") for e in entries]
    return answers


def expectations():
    """File to its recipients: status, code, reason, hard."""
    expected = {}
    with open(os.path.join(SISIMAI, "EXPECTED.tsv")) as f:
        for row in csv.reader(f, delimiter="\t"):
            if not row[0].startswith("#"):
                expected.setdefault(row[0], []).append(tuple(row[2:6]))
    return expected


def shown(recipient):
    return (recipient["status"] or "", str(recipient["reply_code"] or ""),
            recipient["reason"], str(int(recipient["hard"])))


@needs(SISIMAI)
def test_real_bounces_get_their_reasons():
    expected = expectations()
    answers = batch(["classify", "bounce"], [{"id": name, "file": os.path.join(SISIMAI, name)}
                                             for name in expected])
    reasons = statuses = total = 0
    for answer in answers:
        wanted = expected[answer["id"]]
        got = [shown(r) for r in answer["recipients"]]
        assert len(got) == len(wanted), answer["id"]
        total += len(wanted)
        reasons += sum(g[2:] == w[2:] for g, w in zip(got, wanted))
        statuses += sum(g[:2] == w[:2] for g, w in zip(got, wanted))
        kinds = {"feedback": "complaint", "vacation": "auto-reply"}
        assert answer["kind"] == kinds.get(wanted[0][2], "bounce"), answer["id"]
    print(f"{reasons} of {total} reasons, {statuses} of {total} statuses with their codes")
    assert total == 299
    assert reasons >= 0.95 * total
    assert statuses >= 0.92 * total


@needs(SISIMAI)
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_make_no_difference(tmp_path, end):
    paths = sorted(glob.glob(os.path.join(SISIMAI, "maildir", "bsd", "*.eml")))
    entries, plain = [], []
    for path in paths:
        with open(path, "rb") as f:
            content = f.read().replace(b"\r\n", b"\n")
        for kind, ends in ((plain, b"\n"), (entries, end.encode())):
            kind.append({"id": path, "file": str(tmp_path / f"{len(kind)}{ends!r}")})
            with open(kind[-1]["file"], "wb") as f:
                f.write(content.replace(b"\n", ends))
    told = [[(a["kind"], [shown(r) for r in a["recipients"]])
             for a in batch(["classify", "bounce"], e)] for e in (plain, entries)]
    assert len(told[0]) > 300 and told[0] == told[1]


@needs(os.path.join(VECTORS, "mime"))
def test_ordinary_mail_is_none():
    paths = sorted(glob.glob(os.path.join(VECTORS, "mime", "mimetools", "*.msg")) +
                   glob.glob(os.path.join(VECTORS, "mime", "stalwart", "eml", "*", "*.eml")) +
                   glob.glob(os.path.join(VECTORS, "reports", "dmarc", "*.eml")))
    answers = batch(["classify", "bounce"], [{"id": p, "file": p} for p in paths])
    assert len(answers) > 80
    assert [a["id"] for a in answers if a["kind"] != "none"] == []


def test_replies():
    answers = batch(["classify", "bounce"], [
        {"reply": "550 5.1.1 No such user", "address": "a@b.test"},
        {"reply": "452 4.2.2 Mailbox full"},
        {"reply": "550 Unknown user (in reply to end of DATA command)",
         "host": "mfsmax.docomo.ne.jp"},
        {"nothing": 1},
    ])
    assert answers[0] == {"kind": "bounce", "recipients": [
        {"address": "a@b.test", "status": "5.1.1", "reply_code": 550, "reason": "userunknown",
         "hard": True, "text": "550 5.1.1 No such user"}]}
    assert [a["recipients"][0]["reason"] for a in answers[1:3]] == ["mailboxfull", "rejected"]
    assert "error" in answers[3]


def test_rules_can_be_read():
    done = subprocess.run([PROGRAM, "classify", "rules"], capture_output=True, text=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    assert done.returncode == 0 and len(rows) > 100
    assert all(len(row) == 6 for row in rows)
    assert HARD < {row[0] for row in rows}


@needs(KUMOMTA)
def test_delivery_reports_field_by_field():
    paths = sorted(glob.glob(os.path.join(KUMOMTA, "*.eml")))
    reports = {os.path.basename(p): a for p, a in
               zip(paths, batch(["parse", "bounce"], [{"file": p} for p in paths]))}
    assert len(reports) == 7 and not any("error" in r for r in reports.values())
    many = reports["2.eml"]
    assert many["per_message"]["reporting_mta"] == {"mta_type": "dns", "name": "cs.utk.edu"}
    assert [(r["final_recipient"]["recipient"], r["action"], r["status"])
            for r in many["per_recipient"]] == [
        ("arathib@vnet.ibm.com", "failed", "5.0.0"),
        ("johnh@hpnjld.njd.hp.com", "delayed", "4.0.0"),
        ("wsnell@sdcc13.ucsd.edu", "failed", "5.0.0")]
    assert many["per_recipient"][1]["status_comment"].startswith("(hpnjld.njd.jp.com")
    assert reports["5.eml"]["per_recipient"][0]["diagnostic_code"] == {
        "diagnostic_type": "smtp", "diagnostic": "552 <recipient@domain.com> rejected: over quota"}


@needs(ARF)
def test_feedback_as_others_read_it():
    checked = 0
    for path in sorted(glob.glob(os.path.join(ARF, "*.eml"))):
        done = subprocess.run([PROGRAM, "parse", "arf", path], capture_output=True)
        with open(path[:-3] + "json") as f:
            expected = json.load(f)
        got = json.loads(done.stdout)
        assert {k: got.get(k) for k in expected} == expected
        checked += 1
    assert checked == 5


@needs(ISEMAIL)
def test_addresses_of_isemail():
    """What RFC 5321 allows is a mailbox, what RFC 5322 forbids is none."""
    import xml.etree.ElementTree as tree
    cases = [("".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2420 else c
                      for c in test.findtext("address") or ""), test.findtext("category"))
             for test in tree.parse(ISEMAIL).getroot().iter("test")]
    answers = batch(["parse", "address"], [{"address": address} for address, _ in cases])
    valid = [category for (_, category), a in zip(cases, answers) if a["valid"]]
    assert valid.count("ISEMAIL_VALID_CATEGORY") == 14
    assert valid.count("ISEMAIL_RFC5321") == 17
    assert valid.count("ISEMAIL_DNSWARN") == 8
    assert valid.count("ISEMAIL_CFWS") == valid.count("ISEMAIL_DEPREC") == 0
    for (address, category), answer in zip(cases, answers):
        if category == "ISEMAIL_ERR" and answer["valid"]:
            # taken on purpose: a domain of one label, "_" in one, a local part over 64 octets,
            # and UTF-8 where RFC 6531 has it
            assert not address.isascii() or answer["mailbox"]["domain"].count(".") == 0 or "_" in address \
                or len(answer["mailbox"]["local"]) > 64 or "xn--" in address, address


def test_headers():
    answer = batch(["parse", "headers"], [{"header": "From : A <a@b.test>\nDate: Tue, 1 Jul "
                                           "2003 10:52:37 +0200\nX-Y: a\n b\nnonsense\n"
                                           "Message-ID: <x@y>\n\nbody"}])[0]
    assert answer["fields"][0]["gap"] is True
    assert answer["fields"][0]["addresses"][0]["address"] == "a@b.test"
    assert answer["fields"][1]["date"] == {"unix": 1057049557, "zone_minutes": 120}
    assert answer["fields"][2] == {"name": "X-Y", "value": "a b"}
    assert answer["fields"][3]["ids"] == ["x@y"]
    assert answer["malformed"] == ["nonsense\r\n"] and answer["cut"] is False


def test_too_many_fields_are_cut():
    fields = "".join(f"X: {i}\n" for i in range(2001))
    answers = batch(["parse", "headers"], [{"header": fields}, {"header": fields[5:]}])
    assert [len(a["fields"]) for a in answers] == [2000, 2000]
    assert [a["cut"] for a in answers] == [True, False]


@pytest.mark.parametrize("word", ["bounce", "arf"])
def test_what_is_no_report_is_said_to_be_none(word):
    path = os.path.join(TOP, "README.md")
    done = subprocess.run([PROGRAM, "parse", word, path], capture_output=True)
    assert done.returncode == 65 and "error" in json.loads(done.stdout)
    done = subprocess.run([PROGRAM, "parse", word, "/nonexistent"], capture_output=True)
    assert done.returncode == 66


def parts_of(text):
    """The parts that a .ref of MIME-tools expects: "1_2" to its properties."""
    found = {}
    for name, body in re.findall(r'"?(Msg|Part_[\d_]+)"?\s*=>\s*\{(.*?)\n\s*\}', text, re.S):
        found[name] = {k: v for k, _, v in re.findall(
            r'"(\w+)"\s*=>\s*(qq)?["{]?(.*?)["}]?,?\s*$', body, re.M)}
    return found


def numbered(part, name, found):
    for i, below in enumerate(part.get("parts", []), 1):
        at = f"{name}_{i}"
        found[at] = below
        numbered(below, at, found)
    return found


@needs(os.path.join(VECTORS, "mime", "mimetools"))
def test_trees_as_mime_tools_has_them():
    compared = different = 0
    for ref in sorted(glob.glob(os.path.join(VECTORS, "mime", "mimetools", "*.ref"))):
        path = ref[:-4] + ".msg"
        if not os.path.exists(path):
            continue
        with open(ref, encoding="latin-1") as f:
            wanted = parts_of(f.read())
        body = batch(["parse", "message"], [{"file": path}])[0]["body"]
        got = numbered(body, "Part", {"Msg": body})
        for name, properties in wanted.items():
            part = got.get(name, {})
            for key, ours in (("Type", "type"), ("Charset", "charset"), ("Size", "size")):
                if key not in properties or (name == "Msg" and key == "Size"):
                    continue
                compared += 1
                different += str(part.get(ours)).lower() != properties[key].lower()
    print(f"{compared - different} of {compared} properties")
    assert compared > 100
    assert different <= 0.1 * compared


def test_hostile_structures_are_opaque():
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(10000))
    wide = "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 200000
    for message, why in ((deep, "too deep"), (wide, "too many parts"),
                         ("Subject: " + "=?utf-8?q?a?= " * 100000 + "\n\nx", "header too large")):
        answer = batch(["parse", "message"], [{"message": message}])[0]
        assert answer["opaque"] == why
        assert "parts" not in answer["body"] and answer["body"]["size"] == len(message)


def differences(wanted, got, at=""):
    """What is wanted and not there; what is there beyond it is not looked at."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return [d for key in wanted
                for d in differences(wanted[key], got.get(key, "nothing"), f"{at}/{key}")]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [d for i, w in enumerate(wanted) for d in differences(w, got[i], f"{at}/{i}")]
    if isinstance(wanted, float) and abs(wanted - got) < 1e-6:
        return []
    return [] if wanted == got else [f"{at}: {got!r} in place of {wanted!r}"]


def report_samples(folder):
    return sorted(path for path in glob.glob(os.path.join(folder, "*"))
                  if path.endswith((".eml", ".xml")))


@needs(DMARC_REPORTS)
@pytest.mark.parametrize("word, folder, count", [("dmarc-report", DMARC_REPORTS, 10),
                                                 ("tls-report", TLS_REPORTS, 2)])
def test_reports_are_read_field_by_field(word, folder, count):
    samples = report_samples(folder)
    answers = batch(["parse", word], [{"id": path, "file": path} for path in samples])
    assert len(answers) == count
    for path, answer in zip(samples, answers):
        with open(path[:-3] + "json") as f:
            assert differences(json.load(f), answer) == [], path


@needs(TLS_REPORTS)
def test_a_tls_report_without_a_mail_around_it():
    for path in sorted(glob.glob(os.path.join(TLS_REPORTS, "*.json"))):
        with open(path) as f:
            assert differences(json.load(f), parse_one("tls-report", path)) == [], path


def parse_one(word, path):
    done = subprocess.run([PROGRAM, "parse", word, path], capture_output=True, timeout=60)
    assert done.returncode in (0, 65), done.stderr
    return json.loads(done.stdout)


def zipped(*members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members:
            z.writestr(name, content)
    return out.getvalue()


XML = b"<feedback><record><row><count>7</count></row></record></feedback>"
LARGE = b" " * (64 << 20)


def lying_zip():
    """Its directory and its header tell of ten octets."""
    packed = zipped(("a.xml", XML + LARGE))
    size = (len(XML) + len(LARGE)).to_bytes(4, "little")
    assert packed.count(size) == 2
    return packed.replace(size, (10).to_bytes(4, "little"))


def bomb_to_pass_over():
    """No table of contents, and a file before the report whose size is told behind it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(LARGE) + packer.flush()
    head = struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, 8, 8, 0, 0, 0, 0, 0, 5, 0) + b"a.txt"
    behind = struct.pack("<IIII", 0x08074b50, zlib.crc32(LARGE), len(bomb), len(LARGE))
    report = struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, 0, 0, 0, 0, zlib.crc32(XML), len(XML),
                         len(XML), 5, 0) + b"b.xml" + XML
    return head + bomb + behind + report


PACKED = {
    "gzip": (gzip.compress(XML), 7),
    "gzip of two": (gzip.compress(XML[:30]) + gzip.compress(XML[30:]), 7),
    "zip": (zipped(("readme.txt", b"no"), ("A.XML", XML)), 7),
    "zip in gzip": (gzip.compress(zipped(("a.xml", XML))), "broken XML"),
    "gzip in gzip": (gzip.compress(gzip.compress(XML)), "broken XML"),
    "zip in zip": (zipped(("a.zip", zipped(("a.xml", XML)))), "an archive without such a file"),
    "many members": (zipped(*[(str(i), b"") for i in range(17)], ("a.xml", XML)),
                     "an archive of more than 16 files"),
    "gzip bomb": (gzip.compress(XML + LARGE), "unpacks to more than 200 times its size"),
    "zip bomb": (zipped(("a.xml", XML + LARGE)), "unpacks to more than 200 times its size"),
    "large": (gzip.compress(os.urandom(26 << 20), 1), "more than 25 MiB when unpacked"),
    "cut gzip": (gzip.compress(XML)[:-12], "a broken archive"),
    "bomb to pass over": (bomb_to_pass_over(), "a broken archive"),
    "lying zip": (lying_zip(), "unpacks to more than 200 times its size"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_archives_are_unpacked_within_limits(tmp_path, kind):
    packed, wanted = PACKED[kind]
    path = tmp_path / "report"
    path.write_bytes(packed)
    answer = parse_one("dmarc-report", str(path))
    if wanted == 7:
        assert answer["record"][0]["row"]["count"] == 7
    else:
        assert answer["error"] == wanted


def test_a_deep_or_wide_report_takes_no_memory_to_speak_of(tmp_path):
    path = tmp_path / "report.xml"
    path.write_bytes(b"<feedback>" + b"<record/>" * 2500000 + b"</feedback>")

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    done = subprocess.run([PROGRAM, "parse", "dmarc-report", str(path)], capture_output=True,
                          timeout=60, preexec_fn=limit)
    assert json.loads(done.stdout) == {"error": "too many records"}


@pytest.mark.parametrize("word, report, error", [
    ("dmarc-report", "<feedback " + " ".join(f'a{i}="1"' for i in range(50000)) + "/>",
     "an XML element with too many attributes"),
    ("tls-report", '{"date-range":{},"policies":[' + "{}," * 1000000 + "{}]}",
     "JSON of too many values"),
], ids=["attributes", "values"])
def test_112_width_is_bounded_too(tmp_path, word, report, error):
    path = tmp_path / "report"
    path.write_text(report)
    assert parse_one(word, str(path)) == {"error": error}
