"""HOSTILE D at a real MX: what would have one domain taken for another. The DNS is the test's
own, far.test publishes p=reject, and what comes from elsewhere without its signature is
refused."""
import base64
import os

import dkim as dkimpy
import pytest

from test_mx_auth import (CONFIG, GOOD, MAIL, OTHER, box, delivered, give, key, make,  # noqa: F401
                          quoted, results, signed, zone)
import godwit

REST = b"To: ann@our.test\r\nSubject: x\r\n\r\nx\r\n"


def refused(answer):
    return answer[0] == 550 and answer[1].startswith(("5.7.1", "5.6.0"))


# ---- 80 to 86: who the author is ----

@pytest.mark.parametrize("start", [
    b"From: <a@attack.test>\r\nFrom: <ceo@far.test>\r\n",                   # 80
    b" From: <a@attack.test>\r\nFrom: <ceo@far.test>\r\n",                  # 81
    b"From: <a@attack.test>\r\nFrom : <ceo@far.test>\r\n",                  # 82
    b"From: <a@attack.test>\r\nFrom\r\n : <ceo@far.test>\r\n",
    b"From: <a@attack.test>, <ceo@far.test>\r\n",                           # 84
    b"From: ceo@far.test,<b@attack.test>\r\n",
    b"From: <ceo@far.test>\\,<b@attack.test>\r\n",
    b"From: <@attack.test,@x.test:ceo@far.test>\r\n",                       # 86
    b"From: <a@attack.test>ceo@far.test\r\n",
    b"From: ceo@far.test\0@attack.test\r\n",
    b"From: <ceo@far.test> <a@attack.test>\r\n",
    b"From: group: ceo@far.test, a@attack.test;\r\n",
    b"From: =?utf-8?Q?ceo=40far.test?= <a@attack.test>, x\r\n",
])
def test_80_to_86_an_author_who_cannot_be_told_is_refused(make, start):
    g = make()
    assert refused(give(g, start + REST, client=OTHER, sender="a@attack.test"))
    assert g.queue() == []


@pytest.mark.parametrize("start, author", [
    (b"From: \"ceo@far.test\" <a@attack.test>\r\n", "attack.test"),
    (b"From: ceo@far.test (x) <a@attack.test>\r\n", None),
    (b"From: <a@ATTACK.test>\r\n", "attack.test"),
])
def test_86_the_address_counts_not_the_name_beside_it(make, box, start, author):
    g = make()
    answer = give(g, start + REST, client=OTHER, sender="a@attack.test")
    if author is None:
        assert refused(answer)
        return
    assert answer[0] == 250
    assert f"header.from={author}" in results(delivered(box))[-1]


# ---- 87, 88: the envelope ----

def test_87_a_subdomain_that_does_not_exist(make, zone):
    g = make()
    mail = MAIL.replace(b"ann@far.test", b"ceo@nx.far.test")
    assert refused(give(g, mail, client=OTHER, sender="any@nx.far.test"))
    event = godwit.wait_for(lambda: g.events("verified"), "the log")[0]
    assert (event["spf"], event["dmarc"], event["author_domain"]) == ("none", "fail", "nx.far.test")


@pytest.mark.parametrize("path", [
    "<(any@far.test>", "<any@far.test(.attack.test>", "<any@far.test'@a.attack.test>",
    "<@far.test,@x.test:'any@attack.test>", "<any@far.test\\@attack.test>", "<any@@far.test>",
])
def test_88_senders_that_are_no_addresses(make, path):
    """Or those that are, of a domain that is not far.test."""
    g = make()
    with godwit.Client(g.port, channel="clear") as c:
        assert c.code(f"XCLIENT ADDR={OTHER}") == 220
        assert c.code("EHLO a.attack.test") == 250
        code = c.code(f"MAIL FROM:{path}")
    assert code in (501, 553) or path == "<@far.test,@x.test:'any@attack.test>" and code == 250


def test_88_a_quoted_sender_ends_no_result(make, box):
    g = make()
    sender = '"x; dmarc=pass header.from=far.test"@soft.test'
    assert give(g, MAIL.replace(b"far.test", b"soft.test"), client=OTHER, sender=sender)[0] == 250
    header = delivered(box).split(b"\n\n")[0].replace(b"\n\t", b" ").replace(b"\n ", b" ")
    ours = [line for line in header.split(b"\n") if line.startswith(b"Authentication-Results: mx")]
    assert b'smtp.mailfrom="x; dmarc=pass header.from=far.test"@soft.test' in ours[0] \
        or b'smtp.mailfrom=soft.test' in ours[0] or b'smtp.mailfrom="\\"x; dmarc' in ours[0]
    assert b"; dmarc=pass header.from=far.test" not in ours[0].split(b"mailfrom=")[0]


# ---- 90 to 95: signatures and chains ----

def test_90_a_forged_chain_is_none(make, box):
    forged = (b"ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d=far.test; s=s1; b=AAAA\r\n"
              b"ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=far.test; s=s1;\r\n"
              b" h=From; bh=AAAA; b=AAAA\r\n"
              b"ARC-Authentication-Results: i=1; mx.godwit.test; dmarc=pass\r\n")
    assert give(make(), forged + MAIL)[0] == 250
    told = results(delivered(box))
    assert "arc=fail" in told and told[-1].startswith("dmarc=pass")  # by SPF
    g = make("trusted_sealers: [far.test]")
    assert refused(give(g, forged + MAIL, client=OTHER))


def with_length(key, content):
    with open(key[0], "rb") as f:
        private = f.read()
    return dkimpy.sign(content, b"s1", b"far.test", private, length=True,
                       include_headers=[b"From", b"To", b"Subject"]) + content


def test_91_what_stands_behind_the_length_is_nobodys(make, box, key):
    g = make()
    honest = with_length(key, MAIL)
    assert give(g, honest, client=OTHER)[0] == 250
    assert any(r.startswith("dkim=pass") for r in results(delivered(box)))
    assert refused(give(g, honest + b"and a phish\r\n", client=OTHER))
    event = godwit.wait_for(lambda: g.events("verified")[1:], "the log")[0]
    assert (event["dkim"], event["dmarc"]) == ("policy", "fail")


def test_91_ours_never_leaves_room(key, tmp_path):
    ours = signed(key, MAIL, tmp_path)
    field = ours.split(b"\r\nFrom:")[0].replace(b"\r\n", b"")
    tags = dict(tag.strip().split(b"=", 1) for tag in field.split(b":", 1)[1].split(b";") if b"=" in tag)
    assert b"l" not in tags
    names = [n.strip().lower() for n in tags[b"h"].split(b":")]
    for name in (b"from", b"subject", b"to", b"date", b"content-type", b"mime-version"):
        assert names.count(name) == (MAIL.lower().count(b"\r\n" + name + b":")
                                     + MAIL.lower().startswith(name + b":")) + 1, name


def test_92_a_signature_of_the_future(make, key, tmp_path):
    path = tmp_path / "m"
    path.write_bytes(MAIL)
    import subprocess
    import time
    late = subprocess.run([godwit.PROGRAM, "sign", "--key", key[0], "--domain", "far.test",
                           "--selector", "s1", "--time", str(int(time.time()) + 86400), str(path)],
                          check=True, capture_output=True).stdout
    g = make()
    assert refused(give(g, late, client=OTHER))
    assert godwit.wait_for(lambda: g.events("verified"), "the log")[0]["dkim"] == "policy"


def test_92_a_signature_that_has_expired(make, key):
    with open(key[0], "rb") as f:
        private = f.read()
    signer = dkimpy.DKIM(MAIL)
    made = signer.sign(b"s1", b"far.test", private, include_headers=[b"From"])
    # x= is covered by the signature: added behind it only breaks it, so the field says it all
    expired = made.replace(b"; t=", b"; x=1000000000; t=", 1)
    assert refused(give(make(), expired + MAIL, client=OTHER))


def junk_rsa(bits):
    """A public key of that size that nobody has the other half of."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    n = int.from_bytes(os.urandom(bits // 8), "big") | 1 << (bits - 1) | 1
    public = rsa.RSAPublicNumbers(65537, n).public_key()
    return base64.b64encode(public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).decode()


def signature(more=b"", names=b"From", selector=b"s9", canonical=b"relaxed/relaxed"):
    return (b"DKIM-Signature: v=1; a=rsa-sha256; c=" + canonical + b"; d=far.test; s=" + selector
            + b";" + more + b"\r\n h=" + names + b"; bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"
            b"\r\n b=AAAA\r\n")


@pytest.mark.parametrize("record", [
    "v=DKIM1; p=" + junk_rsa(1024), "v=DKIM1; p=" + junk_rsa(16384), "v=DKIM1; p=%%%%",
    "v=DKIM1; k=ed25519; p=AAAA", "v=DKIM1; p=", "v=DKIM1; p=AAAA", "\xff\xfe",
], ids=["another key", "16384 bits", "no base64", "a short ed25519", "revoked", "no key", "no text"])
def test_93_keys_that_are_none(make, zone, record):
    zone[("s9._domainkey.far.test", "TXT")] = [quoted(record.encode("unicode_escape").decode())]
    assert refused(give(make(), signature() + MAIL, client=OTHER))


@pytest.mark.parametrize("fields", [
    signature() * 1000, signature(names=b"From:" + b":".join([b"x%d" % i for i in range(10000)])[:30000]),
    signature(canonical=b"junk/junk"), signature(more=b" l=99999999999999999999;"),
], ids=["1000 fields", "10000 names", "junk forms", "a length of 20 digits"])
def test_93_fields_that_mean_harm(make, zone, fields, data):
    """No more than ten are looked at, and none costs a question twice."""
    g = make()
    assert refused(give(g, fields + MAIL, client=OTHER))
    event = godwit.wait_for(lambda: g.events("verified"), "the log")[0]
    assert event["dmarc"] == "fail"


def arc_set(i, cv=b"none"):
    return (b"ARC-Seal: i=%d; a=rsa-sha256; t=1; cv=%s; d=far.test; s=s1; b=AAAA\r\n"
            b"ARC-Message-Signature: i=%d; a=rsa-sha256; c=relaxed/relaxed; d=far.test; s=s1;\r\n"
            b" h=From; bh=AAAA; b=AAAA\r\n"
            b"ARC-Authentication-Results: i=%d; x.test; dmarc=pass\r\n" % (i, cv, i, i))


@pytest.mark.parametrize("sets", [
    arc_set(51), arc_set(1) + arc_set(3), arc_set(0), arc_set(1) * 2, arc_set(1, b"pass"),
    b"".join(arc_set(i, b"pass" if i > 1 else b"none") for i in range(1, 52)),
    arc_set(1).split(b"\r\nARC-Message")[0] + b"\r\n",
], ids=["51", "a gap", "0", "twice", "cv=pass at first", "51 sets", "a seal alone"])
def test_95_chains_that_are_none(make, box, sets):
    assert give(make("trusted_sealers: [far.test]"), sets + MAIL)[0] == 250
    assert "arc=fail" in results(delivered(box))


# ---- 96 to 99: records ----

@pytest.mark.parametrize("records, more", [
    (["v=spf1 " + " ".join(f"a:a{i}.far.test" for i in range(11)) + " -all"], {}),
    (["v=spf1 a:v1.far.test a:v2.far.test a:v3.far.test ip4:192.0.2.0/24"], {}),
    (["v=spf1 include:bad.test -all"], {}),
    (["v=spf1 redirect=bad.test"], {}),
    (["v=spf1 " + " ".join(f"a:b{i}.test" for i in range(1000))], {}),
    (["v=spf1 mx ip4:192.0.2.0/24"],
     {("bad.test", "MX"): [f"10 m{i}.bad.test." for i in range(200)]}),
    (["v=spf1 -all", "v=spf1 +all"], {}),
    (["v=spf1 " + "ip4:192.0.2.0/24 " * 3600], {}),
    (["\\255\\254v\\000=\\000s\\000p\\000f\\0001"], {}),
    ([f"v=spf1 ip4:192.0.2.{i}" for i in range(5)], {}),
], ids=["11 terms", "3 void", "includes itself", "redirects to itself", "1000 terms",
        "200 mail hosts", "two records", "64 KiB", "UTF-16", "5 records"])
def test_96_and_98_records_without_end(make, box, zone, records, more):
    zone[("bad.test", "TXT")] = [quoted(r) if "\\" not in r else f'"{r}"' for r in records]
    zone.update(more)
    for i in range(11):
        zone[(f"a{i}.far.test", "A")] = ["203.0.113.9"]
    g = make()
    mail = MAIL.replace(b"far.test", b"bad.test")
    assert give(g, mail, sender="x@bad.test")[0] == 250
    spf = [r for r in results(delivered(box)) if r.startswith("spf=")][0]
    expected = "none" if "\\255" in records[0] else "permerror"
    if "ip4:192.0.2.0/24 ip4" in records[0]:
        assert spf.startswith(("spf=pass", "spf=permerror"))
    else:
        assert spf.startswith("spf=" + expected), spf


def test_96_ptr_with_5000_names(make, box, zone):
    zone[("bad.test", "TXT")] = ['"v=spf1 ptr:bad.test -all"']
    zone[("1.2.0.192.in-addr.arpa", "PTR")] = [f"n{i}.bad.test." for i in range(2500)]
    dns_of = []
    g = make(dns_of=dns_of)
    assert give(g, MAIL.replace(b"far.test", b"bad.test"), sender="x@bad.test")[0] == 250
    assert any(r.startswith("spf=fail") for r in results(delivered(box)))
    names = [name for name, kind in dns_of[0].asked if kind == "A" and name.startswith("n")]
    assert len(names) <= 15  # ten of SPF, five of iprev


def test_98_a_split_string_is_one_record(make, box, zone):
    zone[("bad.test", "TXT")] = ['"v=spf1 ip4:192" ".0.2.0/24 " "-all"']
    assert give(make(), MAIL.replace(b"far.test", b"bad.test"), sender="x@bad.test")[0] == 250
    assert any(r.startswith("spf=pass") for r in results(delivered(box)))


def test_99_a_walk_over_120_labels_is_short(make, box, zone):
    deep = ".".join(["a"] * 100 + ["deep", "test"])
    zone[("_dmarc.deep.test", "TXT")] = ['"v=DMARC1; p=reject"']
    dns_of = []
    g = make(dns_of=dns_of)
    mail = MAIL.replace(b"ann@far.test", b"ann@" + deep.encode())
    assert refused(give(g, mail, client=OTHER, sender="x@attack.test"))
    walked = [name for name, kind in dns_of[0].asked if name.startswith("_dmarc.")]
    assert len(set(walked)) <= 8


@pytest.mark.parametrize("record, code", [
    ("v=DMARC1; p=frobnicate", 250), ("v=DMARC1; p=frobnicate; rua=mailto:x@bad.test", 250),
    ("v=DMARC1; psd=y; p=reject", 550), ("v=DMARC1;p=reject;rua=" + ",".join(
        f"mailto:r{i}@other.test" for i in range(2000)), 550),
], ids=["p unknown", "p unknown with rua", "psd", "2000 addresses"])
def test_99_policies_that_are_odd(make, zone, record, code):
    zone[("_dmarc.bad.test", "TXT")] = [quoted(record)]
    mail = MAIL.replace(b"far.test", b"bad.test")
    assert give(make(), mail, client=OTHER, sender="x@attack.test")[0] == code
