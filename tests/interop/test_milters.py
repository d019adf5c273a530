"""Real filters over the milter protocol: rspamd and OpenDKIM from Debian."""
import base64
import os
import re
import subprocess

import dkim
import pytest

import godwit
import milter
import peers

GTUBE = "*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("key") / "key.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt",
                    "rsa_keygen_bits:2048", "-out", path], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                            check=True, capture_output=True).stdout
    return path, "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()


def opendkim(folder, key, lines):
    peers.need("opendkim")
    p = peers.Peer(folder)
    p.write("records", f"s1._domainkey.near.test {key[1]}\n")
    config = p.write("opendkim.conf", f"""
Socket inet:{p.port}@127.0.0.1
AuthservID filter.test
RequireSafeKeys no
Syslog no
Canonicalization relaxed/simple
TestPublicKeys {p.path('records')}
{lines}
""")
    return p.start(peers.program("usr/sbin/opendkim"), "-f", "-x", config)


def signing(folder, key):
    return opendkim(folder, key, f"Mode s\nDomain near.test\nSelector s1\nKeyFile {key[0]}\n"
                                 "InternalHosts 127.0.0.1\n")


def verifying(folder, key):
    return opendkim(folder, key, "Mode v\nInternalHosts 192.0.2.1\nAlwaysAddARHeader yes\n")


def rspamd(folder):
    peers.need("rspamd")
    p = peers.Peer(folder)
    p.make("state")
    config = p.write("rspamd.conf", f"""
options {{
    pidfile = "{p.path('rspamd.pid')}";
    dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
    filters = "";
    enable_test_patterns = true;
    hs_cache_dir = "{p.path('state')}";
    map_watch_interval = 1h;
}}
logging {{ type = "console"; level = "info"; }}
metric {{ name = "default"; actions {{ reject = 15; "add header" = 6; "rewrite subject" = 8; }}
          subject = "[spam] %s"; }}
worker "rspamd_proxy" {{
    bind_socket = "127.0.0.1:{p.port}";
    count = 1;
    milter = yes;
    timeout = 30s;
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
""")
    return p.start(peers.program("usr/bin/rspamd"), "-f", "-i", "-c", config, "--var",
                   f"DBDIR={p.path('state')}", "--var", f"RUNDIR={p.path('state')}")


def chain(tmp_path, sink, *filters):
    rows = "".join(f"  - {{ socket: '{f.address}', name: {n} }}\n" for n, f in filters)
    return godwit.Godwit(str(tmp_path / "data"), "--next-hop", sink.address,
                         config="milters:\n" + rows)


def mail(text="Hello, world.\r\n", subject="hello"):
    return (f"From: Ann <ann@near.test>\r\nTo: b@far.test\r\nSubject: {subject}\r\n"
            "Date: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@near.test>\r\n"
            f"\r\n{text}").encode()


def send(g, content):
    with godwit.Client(g.port, channel="clear") as c:
        return c.message(content, sender="ann@near.test")


def received(sink, count=1):
    godwit.wait_for(lambda: len(sink.messages) >= count, "mail")
    return sink.messages[count - 1].content


def is_signed(content, key):
    return dkim.verify(content, dnsfunc=lambda name, timeout=5: key[1].encode())


BODIES = ["Hello, world.\r\n", ".\r\n..\r\n.x\r\n", "", "\r\n\r\n", "x" * 990 + "\r\n",
          "line of text\r\n" * 60000]


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_opendkim_signs(tmp_path, key, number):
    with signing(str(tmp_path / "sign"), key) as filter, godwit.Sink() as sink, \
            chain(tmp_path, sink, ("opendkim", filter)) as g:
        assert send(g, mail(BODIES[number], "folded\r\n subject"))[0] == 250
        content = received(sink)
        assert content.count(b"DKIM-Signature:") == 1
        assert is_signed(content, key)
        assert content.endswith(BODIES[number].encode())


def test_opendkim_verifies(tmp_path, key):
    with open(key[0], "rb") as f:
        signature = dkim.sign(mail(), b"s1", b"near.test", f.read())
    with verifying(str(tmp_path / "verify"), key) as filter, godwit.Sink() as sink, \
            chain(tmp_path, sink, ("opendkim", filter)) as g:
        forged = b"Authentication-Results: filter.test; dkim=pass header.d=bank.test\r\n"
        assert send(g, forged + signature + mail())[0] == 250
        content = received(sink)
        results = re.findall(rb"(?m)^Authentication-Results: ((?:[^\r]|\r\n[ \t])*)", content)
        assert len(results) == 1 and b"dkim=pass" in results[0], content
        assert b"bank.test" not in content
        assert send(g, signature + mail("Hello, evil world.\r\n"))[0] == 250
        assert b"dkim=fail" in received(sink, 2)


def test_rspamd_passes_marks_renames_and_refuses(tmp_path):
    with rspamd(str(tmp_path / "rspamd")) as filter, godwit.Sink() as sink, \
            chain(tmp_path, sink, ("rspamd", filter)) as g:
        assert send(g, mail())[0] == 250
        assert received(sink).endswith(mail()[-30:])
        code, text = send(g, mail(f"XJS{GTUBE}\r\n"))
        assert code == 554 and "5.7.1" in text
        assert send(g, mail(f"YJS{GTUBE}\r\n"))[0] == 250
        assert b"X-Spam: Yes\r\n" in received(sink, 2)
        assert send(g, mail(f"ZJS{GTUBE}\r\n"))[0] == 250
        assert re.search(rb"(?m)^Subject: .*(SPAM|spam).*hello", received(sink, 3))
        event = godwit.wait_for(lambda: [e for e in g.events("milter")
                                         if e["action"] == "reject"], "the log")[0]
        assert event["milter"] == "rspamd" and event["text"].startswith("554 ")


def test_a_large_message_goes_through_rspamd(tmp_path):
    content = mail("some words of a text\r\n" * 100000)
    with rspamd(str(tmp_path / "rspamd")) as filter, godwit.Sink() as sink, \
            chain(tmp_path, sink, ("rspamd", filter)) as g:
        assert send(g, content)[0] == 250
        assert received(sink).endswith(content.split(b"\r\n\r\n", 1)[1])


def test_both_in_their_order(tmp_path, key):
    """What is signed is the message as rspamd has left it."""
    with rspamd(str(tmp_path / "rspamd")) as first, \
            signing(str(tmp_path / "sign"), key) as second, godwit.Sink() as sink, \
            chain(tmp_path, sink, ("rspamd", first), ("opendkim", second)) as g:
        assert send(g, mail(f"ZJS{GTUBE}\r\n"))[0] == 250
        content = received(sink)
        assert b"Subject: hello" not in content
        assert is_signed(content, key)
        assert send(g, mail(f"XJS{GTUBE}\r\n"))[0] == 554


def test_opendkim_that_is_killed_is_missed(tmp_path, key):
    with signing(str(tmp_path / "sign"), key) as filter, godwit.Sink() as sink, \
            chain(tmp_path, sink, ("opendkim", filter)) as g, godwit.Client(g.port) as c:
        assert c.message(mail(), sender="ann@near.test")[0] == 250
        filter.stop()
        assert c.code("MAIL FROM:<ann@near.test>") == 451
        assert godwit.wait_for(lambda: g.events("milter-failed"), "the log")[0]["milter"] == \
            "opendkim"
        assert os.path.exists(g.data)


EDITS = {
    "nothing": [],
    "add": [milter.header("h", "X-Add", "added"), milter.header("h", "X-Fold", "one\n two")],
    "insert": [milter.header("i", "X-A", "a", 0), milter.header("i", "X-B", "b", 1),
               milter.header("i", "X-C", "c", 3), milter.header("i", "X-D", "d", 99)],
    "change": [milter.header("m", "Subject", "changed", 1), milter.header("m", "to", "", 1),
               milter.header("m", "X-New", "new", 1), milter.header("m", "X-None", "", 1)],
    "second": [milter.header("h", "X-Twice", "1"), milter.header("h", "X-Twice", "2"),
               milter.header("m", "X-Twice", "", 1)],
    "body": [b"bnew body\r\n", b"b.\r\nmore\n"],
    "sender": [b"e<other@near.test>\0"],
    "recipient": [b"+<bert@far.test>\0", b"-<anna@far.test>\0"],
}


def fields(content, dropped=(b"Received", b"Return-Path", b"Delivered-To", b"X-Original-To")):
    head, body = content.replace(b"\r\n", b"\n").split(b"\n\n", 1)
    found = re.findall(rb"(?m)^[^ \t\n][^\n]*(?:\n[ \t][^\n]*)*", head)
    return [f for f in found if f.split(b":")[0] not in dropped], body


@pytest.mark.parametrize("edit", list(EDITS))
def test_the_same_as_with_postfix(tmp_path, edit):
    """The same filter before Postfix and before us: the same message."""
    with milter.Milter(milter.at_end(*EDITS[edit])) as m, \
            peers.postfix(str(tmp_path / "postfix"),
                          f"smtpd_milters = inet:{m.socket}\n") as p, \
            godwit.Sink() as sink, \
            chain(tmp_path, sink, ("scripted", type("", (), {"address": m.socket}))) as g:
        for port in (g.port, p.port):
            with godwit.Client(port, channel="clear") as c:
                assert c.message(mail("one\r\n..two\r\n"), sender="ann@near.test",
                                 recipients=("anna@far.test",))[0] == 250
        ours = received(sink)
        user = "bert" if edit == "recipient" else "anna"
        theirs = godwit.wait_for(lambda: p.mails("box", user), "Postfix to deliver")[0]
        assert fields(ours) == fields(theirs)
        first, second = [s for s in m.sessions if s.said("E")]
        assert first.headers() == second.headers() and first.body() == second.body()
        assert b"Return-Path: <%s>" % sink.messages[0].sender.encode() in theirs
        assert list(sink.messages[0].recipients) == [f"{user}@far.test"]
        for name in ("{mail_addr}", "{mail_host}"):
            assert first.macros["M"][name] == second.macros["M"][name]
