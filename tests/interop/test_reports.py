"""Aggregate reports: gathered at the MX, written, authorised, sent (RFC 9990); of TLS
(RFC 8460); and what others send. The DNS is the test's own."""
import email
import gzip
import json
import os
import sqlite3
import subprocess

import dkim as dkimpy
import pytest

import godwit
from nameserver import NameServer
from test_arc_seal import keys  # noqa: F401
from test_mx_auth import MAIL, OTHER

CONFIG = """
listen: [{{ address: "127.0.0.1:0" }}]
relay_clients: []
xclient_from: 127.0.0.1
dns: {{ servers: ["{dns}"], timeout: 2s, trust_anchor: /dev/null, allow_private: true }}
domains:
  our.test:
    users: [ann, reports]
    deliver: {{ maildir: "{box}" }}
    dkim: [{{ selector: s1, key: "{key}" }}]
  gone.test: {{ users: [reports], deliver: discard }}
routes: [{{ deliver: {{ smtp: "{sink}" }} }}]
verify: {{ {verify} }}
reports: {{ {reports} }}
"""
FROM = "from: reports@our.test, organization: 'Us & Co'"


@pytest.fixture
def zone(keys):
    record = keys["record"]
    return {
        ("far.test", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
        ("_dmarc.far.test", "TXT"): [
            '"v=DMARC1; p=reject; sp=none; adkim=s; rua=mailto:in@far.test, mailto:in@else.test,'
            'mailto:x@third.test!1k,ftp://far.test/"'],
        ("far.test._report._dmarc.else.test", "TXT"): ['"v=DMARC1; rua=mailto:other@else.test"'],
        ("quiet.test", "TXT"): ['"v=spf1 +all"'],
        ("_dmarc.quiet.test", "TXT"): ['"v=DMARC1; p=none"'],
        ("alien.test", "TXT"): ['"v=spf1 +all"'],
        ("_dmarc.alien.test", "TXT"): ['"v=DMARC1; p=none; rua=mailto:in@victim.test"'],
        ("s1._domainkey.our.test", "TXT"): [" ".join(f'"{record[i:i + 200]}"'
                                                     for i in range(0, len(record), 200))],
    }


@pytest.fixture
def make(data, tmp_path, sink, keys, zone):
    opened = []

    def server(reports=FROM, verify=""):
        dns = NameServer(zone)
        dns.__enter__()
        g = godwit.Godwit(data, listen=(), config=CONFIG.format(
            dns=dns.config, box=tmp_path / "box", key=keys["key"], sink=sink.address,
            verify=verify, reports=reports))
        opened.extend((g, dns))
        return g
    yield server
    for thing in opened:
        thing.__exit__(None, None, None)


def give(g, content=MAIL, client="192.0.2.1", sender="x@far.test"):
    with godwit.Client(g.port, channel="clear") as c:
        assert c.code(f"XCLIENT ADDR={client}") == 220
        assert c.code("EHLO mx.far.test") == 250
        assert c.code(f"MAIL FROM:<{sender}>") == 250
        assert c.code("RCPT TO:<ann@our.test>") == 250
        assert c.code("DATA") == 354
        return c.ask(content.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")[0]


def report(g, *arguments, code=0):
    done = g.tool("report", *arguments, "--data", g.data)
    assert done.returncode == code, done
    return done.stdout


def shown(g, *domain):
    return [json.loads(line) for line in report(g, "show", *domain, "--json").splitlines()]


def attached(content):
    message = email.message_from_bytes(content)
    part = [p for p in message.walk() if p.get_filename()][0]
    return message, part.get_filename(), part.get_content_type(), \
        gzip.decompress(part.get_payload(decode=True))


def parsed(kind, content):
    done = subprocess.run([godwit.PROGRAM, "parse", kind, "--json"], input=content,
                          capture_output=True, check=True)
    return json.loads(done.stdout)


def test_what_the_mx_has_seen_is_told(make, sink, keys):
    g = make()
    assert give(g) == give(g) == 250
    assert give(g, client=OTHER) == 550
    godwit.wait_for(lambda: sum(r["count"] for r in shown(g, "far.test")) == 3, "three rows")
    gathered = shown(g, "far.test")[0]
    assert gathered["state"] == "open" and gathered["rows"] == 2 and gathered["kind"] == "dmarc"
    assert report(g, "send", "--today") == "1 sent\n"
    mails = sink.wait(2)
    mail = mails[0]
    assert mail.sender == "reports@our.test"
    # far.test is its own; else.test agreed, and named another address; third.test did not
    assert sorted(r for m in mails for r in m.recipients) == ["in@far.test", "other@else.test"]
    message, name, kind, xml = attached(mail.content)
    begin = gathered["day"] * 86400
    assert name == f"mx.godwit.test!far.test!{begin}!{begin + 86399}.xml.gz"
    assert kind == "application/gzip"
    subject = " ".join(message["Subject"].split())
    assert subject.startswith("Report Domain: far.test Submitter: mx.godwit.test Report-ID: <")
    assert subject.endswith(message["Message-ID"])

    def find(name, timeout=5):
        return keys["record"].encode()
    assert dkimpy.DKIM(mail.content).verify(dnsfunc=find)  # aligned with From
    told = parsed("dmarc-report", mail.content)
    assert told["report_metadata"]["org_name"] == "Us & Co"
    assert told["policy_published"]["domain"] == "far.test"
    assert (told["policy_published"]["p"], told["policy_published"]["sp"]) == ("Reject", "None")
    rows = {r["row"]["source_ip"]: r for r in told["record"]}
    assert rows["192.0.2.1"]["row"]["count"] == 2
    good, bad = (rows[ip]["row"]["policy_evaluated"] for ip in ("192.0.2.1", OTHER))
    assert (good["disposition"], good["spf"], good["dkim"]) == ("Pass", "Pass", "Fail")
    assert (bad["disposition"], bad["spf"], bad["dkim"]) == ("Reject", "Fail", "Fail")
    assert rows[OTHER]["auth_results"]["spf"][0]["result"] == "Fail"
    assert b'xmlns="urn:ietf:params:xml:ns:dmarc-2.0"' in xml
    assert [r["state"] for r in shown(g, "far.test")] == ["sent"]
    assert report(g, "send", "--today") == "0 sent\n"
    assert give(g) == 250  # the same day goes on in a report of its own
    godwit.wait_for(lambda: sorted(r["state"] for r in shown(g, "far.test")) == ["open", "sent"],
                    "a second one")


def test_who_asks_for_none_is_not_kept(make):
    g = make()
    assert give(g, MAIL.replace(b"far.test", b"quiet.test"), sender="x@quiet.test") == 250
    assert give(g) == 250
    godwit.wait_for(lambda: shown(g), "a row")
    assert {r["domain"] for r in shown(g)} == {"far.test"}


def test_99_who_did_not_agree_gets_none(make, sink):
    g = make()
    assert give(g, MAIL.replace(b"far.test", b"alien.test"), sender="x@alien.test") == 250
    godwit.wait_for(lambda: shown(g, "alien.test"), "a row")
    assert report(g, "send", "--today") == "0 sent\n"
    told = shown(g, "alien.test")[0]
    assert (told["state"], told["why"]) == ("unwanted", "nobody named there takes it")
    assert not sink.messages


@pytest.mark.parametrize("verify, disposition, reason", [
    ("dmarc_reject: note", "none", ["local_policy", "as configured here"]),
    ("dmarc_reject: hold", "quarantine", ["local_policy", "as configured here"]),
    ("forwarders: 198.51.100.0/24", "none", ["trusted_forwarder", "forwarder"]),
    ("spf_fail: reject", "reject", ["local_policy", "refused for SPF"]),
])
def test_why_it_was_not_as_the_domain_wishes(make, verify, disposition, reason):
    g = make(verify=verify)
    give(g, client=OTHER)
    godwit.wait_for(lambda: shown(g, "far.test"), "a row")
    record, = shown(g, "far.test")[0]["records"]
    assert record["disposition"] == disposition and record["reasons"] == [reason]


def test_a_preview_sends_nothing(make, sink):
    g = make()
    assert give(g) == 250
    godwit.wait_for(lambda: shown(g, "far.test"), "a row")
    xml = report(g, "preview", "far.test")
    assert "<source_ip>192.0.2.1</source_ip>" in xml and xml.endswith("</feedback>\n\n")
    assert not sink.messages and shown(g, "far.test")[0]["state"] == "open"


def test_without_an_address_nothing_is_gathered_or_sent(make):
    g = make(reports="")
    assert give(g) == 250
    assert shown(g) == []
    done = g.tool("report", "send", "--data", g.data)
    assert done.returncode != 0 and "reports.from" in done.stderr


ALIEN = b"From: x@alien.test\r\nSubject: x\r\n\r\nhello"


def give_alien(g, count):
    assert give(g, ALIEN, sender="x@alien.test") == 250
    godwit.wait_for(lambda: sum(r["count"] for r in shown(g, "ALIEN.test")) == count, "the row")


def test_who_cannot_be_asked_now_holds_up_nobody(make, zone):
    zone["alien.test._report._dmarc.victim.test", "TXT"] = "SERVFAIL"
    g = make()
    give_alien(g, 1)
    assert give(g) == 250
    godwit.wait_for(lambda: shown(g, "far.test"), "the other row")
    assert report(g, "send", "--today") == "1 sent\n"
    assert [r["state"] for r in shown(g, "alien.test")] == ["open"]
    assert [r["state"] for r in shown(g, "far.test")] == ["sent"]


def test_known_rows_are_counted_when_there_is_no_room(make, data):
    g = make()
    give_alien(g, 1)
    store = sqlite3.connect(os.path.join(data, "store.db"), timeout=10)
    with store:
        store.execute("UPDATE reports SET rows = 20000")
    store.close()
    give_alien(g, 2)


def test_rows_outlive_a_kill(make, sink):
    g = make()
    assert give(g) == 250
    godwit.wait_for(lambda: shown(g, "far.test"), "a row")
    g.kill()
    g = make()
    assert give(g) == 250
    godwit.wait_for(lambda: sum(r["count"] for r in shown(g, "far.test")) == 2, "both rows")
    assert report(g, "send", "--today") == "1 sent\n"
    sink.wait(1)


def test_a_store_that_is_damaged_stops_no_mail(make, data):
    g = make()
    assert give(g) == 250
    g.stop()
    with open(os.path.join(data, "store.db"), "r+b") as f:
        f.write(b"this is no database" * 100)
    for name in ("store.db-wal", "store.db-shm"):
        if os.path.exists(os.path.join(data, name)):
            os.unlink(os.path.join(data, name))
    g = make()
    assert give(g) == 250
    godwit.wait_for(lambda: shown(g, "far.test"), "a row")
    assert os.path.exists(os.path.join(data, "store.db.damaged-1"))
    assert any("set aside" in e["text"] for e in g.events("store"))


# ---- those of others ----

RECEIVE = FROM + ", receive: [reports@our.test]"


def wrapped(payload, name="r.xml.gz", kind="application/gzip"):
    import base64
    return (b"From: them@far.test\r\nTo: reports@our.test\r\nSubject: Report Domain: our.test\r\n"
            b"MIME-Version: 1.0\r\nContent-Type: " + kind.encode() + b"; name=\"" + name.encode() +
            b"\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(payload)
            .replace(b"\n", b"\r\n"))


def xml(domain="our.test", report_id="1"):
    return (f'<?xml version="1.0"?><feedback><report_metadata><org_name>Them</org_name>'
            f'<email>x@far.test</email><report_id>{report_id}</report_id><date_range>'
            f'<begin>1700000000</begin><end>1700086399</end></date_range></report_metadata>'
            f'<policy_published><domain>{domain}</domain><p>none</p></policy_published><record><row>'
            f'<source_ip>192.0.2.7</source_ip><count>5</count><policy_evaluated><disposition>none'
            f'</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers>'
            f'<header_from>our.test</header_from></identifiers><auth_results></auth_results>'
            f'</record></feedback>').encode()


TLS = json.dumps({
    "organization-name": "Them", "date-range": {"start-datetime": "2026-11-25T00:00:00Z",
                                                "end-datetime": "2026-11-25T23:59:59Z"},
    "contact-info": "x@far.test", "report-id": "t1", "policies": [{
        "policy": {"policy-type": "sts", "policy-string": [], "policy-domain": "our.test"},
        "summary": {"total-successful-session-count": 9, "total-failure-session-count": 0}}]}).encode()


def hand_over(g, content, to="reports@our.test"):
    with godwit.Client(g.port, channel="clear") as c:
        assert c.code("EHLO x.test") == 250
        for command, code in (("MAIL FROM:<them@far.test>", 250), (f"RCPT TO:<{to}>", 250),
                              ("DATA", 354)):
            assert c.code(command) == code
        return c.ask(content + b".\r\n")[0]


def received(g, domain="our.test"):
    return [r for r in shown(g, domain) if r["section"] == "received"]


@pytest.fixture
def reader(make):
    return make(reports=RECEIVE, verify="check: false")


def test_reports_of_others_are_kept(reader, tmp_path):
    assert hand_over(reader, wrapped(gzip.compress(xml()))) == 250
    assert hand_over(reader, wrapped(gzip.compress(xml()))) == 250  # the same once more
    assert hand_over(reader, wrapped(xml(report_id="2"), "r.xml", "text/xml")) == 250
    assert hand_over(reader, wrapped(gzip.compress(TLS), "t.json.gz", "application/tlsrpt+gzip")) == 250
    assert hand_over(reader, wrapped(gzip.compress(xml(report_id="3"))), to="ann@our.test") == 250
    godwit.wait_for(lambda: len(reader.events("report-read")) == 4
                    or reader.events("report-unread"), "the reports")
    assert reader.events("report-unread") == []
    godwit.wait_for(lambda: len(received(reader)) == 3, "all of them kept")
    found = {r["report_id"]: r for r in received(reader)}
    assert set(found) == {"1", "2", "t1"}
    assert found["1"]["organization"] == "Them" and found["1"]["kind"] == "dmarc"
    assert found["1"]["report"]["record"][0]["row"]["count"] == 5
    assert found["t1"]["kind"] == "tls" and found["t1"]["begins"] == 1795564800
    assert "2026-11-25  tls" in report(reader, "show")
    assert "received" in report(reader, "show")
    # the mail itself goes its way
    godwit.wait_for(lambda: len(os.listdir(tmp_path / "box" / "new")) == 5, "the mail")


def test_what_is_delivered_at_once_is_read_all_the_same(make):
    g = make(reports=FROM + ", receive: [reports@gone.test]", verify="check: false")
    for i in range(40):
        content = wrapped(gzip.compress(xml(report_id=str(i))))
        assert hand_over(g, content, to="reports@gone.test") == 250
    godwit.wait_for(lambda: len(g.events("report-read")) == 40 or g.events("report-unread"), "all")
    assert g.events("report-unread") == []


@pytest.mark.parametrize("payload, name, kind", [
    (gzip.compress(b"<feedback>" + b" " * 60_000_000 + b"</feedback>"), "r.xml.gz", "application/gzip"),
    (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><feedback>&a;</feedback>', "r.xml", "text/xml"),
    (b"<feedback>" * 100000, "r.xml", "text/xml"),
    (b"[" * 1000000, "r.json", "application/tlsrpt+json"),
    (b"no report", "r.txt", "text/plain"),
], ids=["bomb", "doctype", "deep xml", "deep json", "nothing"])
def test_111_and_112_what_means_harm_is_told_and_no_more(reader, payload, name, kind):
    assert hand_over(reader, wrapped(payload, name, kind)) == 250
    godwit.wait_for(lambda: reader.events("report-unread"), "the log")
    assert hand_over(reader, wrapped(gzip.compress(xml()))) == 250
    godwit.wait_for(lambda: received(reader), "the next one")


def process_of(g):
    """The reader: the process that is in a sandbox and has no thread but one."""
    for pid in godwit.descendants(g.process.pid):
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        if status["Seccomp"] == "2" and status["Threads"] == "1":
            return pid
    return None


def test_a_reader_that_ends_is_begun_again(reader):
    first = godwit.wait_for(lambda: process_of(reader), "the reader")
    os.kill(first, 9)
    godwit.wait_for(lambda: process_of(reader) not in (None, first), "another reader")
    assert hand_over(reader, wrapped(gzip.compress(xml()))) == 250
    godwit.wait_for(lambda: received(reader), "the report")


def test_without_receive_there_is_no_reader(make):
    g = make()
    assert process_of(g) is None
