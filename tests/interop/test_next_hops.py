"""Mail through godwit into other servers: it arrives once and unchanged."""
import re

import pytest

import godwit
import peers
from godwit import Client

FAST = "queue: { retry_first: 200ms, retry_max: 1s, retry_jitter_percent: 0 }\n"


def body_of(mail):
    """What was sent, in a file with LF line ends: the fields of the hops are off."""
    own = mail.index(b"From: Anna")
    return mail[own:].replace(b"\n", b"\r\n")


def relay(data, peer, **more):
    return godwit.Godwit(data, "--next-hop", peer.address, config=FAST, **more)


@pytest.mark.parametrize("make", [peers.postfix, peers.exim, peers.opensmtpd])
def test_arrives_unchanged_and_once(tmp_path, data, content, make):
    with make(str(tmp_path / "peer")) as peer, relay(data, peer) as g:
        with Client(g.port) as c:
            for _ in range(3):
                code, _ = c.message(content, recipients=("anna@far.test", "bert@far.test"))
                assert code == 250
        godwit.wait_for(lambda: len(peer.mails("box", "anna")) == 3
                        and len(peer.mails("box", "bert")) == 3, "three in each box")
        for mail in peer.mails("box", "anna") + peer.mails("box", "bert"):
            assert body_of(mail) == content
            assert re.search(rb"Received: from client\.test \(\[127\.0\.0\.1\]\)\s+by mx\.godwit", mail)
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        godwit.wait_for(lambda: len(g.events("relayed")) == 6, "six in the log")


@pytest.mark.parametrize("make", [peers.postfix, peers.exim, peers.opensmtpd])
def test_one_recipient_is_refused(tmp_path, data, content, make):
    """550 at RCPT for one: the other gets it, and only the one is reported."""
    with make(str(tmp_path / "peer")) as peer, relay(data, peer) as g:
        with Client(g.port) as c:
            code, _ = c.message(content, sender="anna@far.test",
                                recipients=("nobody@far.test", "bert@far.test"))
            assert code == 250
        godwit.wait_for(lambda: len(peer.mails("box", "bert")) == 1
                        and len(peer.mails("box", "anna")) == 1, "the mail and the report")
        report = peer.mails("box", "anna")[0]
        assert b"Final-Recipient: rfc822; nobody@far.test" in report
        assert b"Action: failed" in report and b"bert@far.test" not in report.split(b"message/rfc822")[0]
        godwit.wait_for(lambda: [e["code"] // 100 for e in g.events("failed")] == [5],
                        "it in the log")


@pytest.mark.parametrize("make", [peers.postfix, peers.exim, peers.opensmtpd])
def test_no_smuggling_into_a_next_hop(tmp_path, data, make):
    """HOSTILE 13: bare line ends, converted on submission, stay one message."""
    config = FAST + "listen: [{ address: '127.0.0.1:0', role: submission }]\n"
    with make(str(tmp_path / "peer")) as peer, \
            godwit.Godwit(data, "--next-hop", peer.address, config=config, listen=()) as g:
        sequences = (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\r.\r\n", b"\r\n.\n",
                     b"\r\n.\rx", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n")
        for sequence in sequences:
            with Client(g.port) as c:
                c.envelope(recipients=("anna@far.test",))
                assert c.code("DATA") == 354
                c.send(b"From: Anna\r\nSubject: s\r\n\r\ntext" + sequence +
                       b"MAIL FROM:<smuggled@x.test>\r\nRCPT TO:<bert@far.test>\r\nDATA\r\n"
                       b"bad\r\n.\r\n")
                assert c.reply()[0] == 250
                c.send(b"QUIT\r\n")
        godwit.wait_for(lambda: len(peer.mails("box", "anna")) == len(sequences), "all of them")
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert peer.mails("box", "bert") == []


def test_large_and_eight_bit_through_postfix(tmp_path, data, content):
    body = "".join(f"Zeile {i}: äöü €\r\n" for i in range(60000)).encode()
    content = content[:content.index(b"\r\n\r\n") + 4] + body
    with peers.postfix(str(tmp_path / "peer")) as peer, relay(data, peer) as g:
        with Client(g.port) as c:
            assert c.code("EHLO client.test") == 250
            assert c.code("MAIL FROM:<a@client.test> BODY=8BITMIME") == 250
            assert c.code("RCPT TO:<anna@far.test>") == 250
            c.send(b"BDAT %d LAST\r\n" % len(content) + content)
            assert c.reply()[0] == 250
        mail = godwit.wait_for(lambda: peer.mails("box", "anna"), "the mail")[0]
        assert body_of(mail) == content


@pytest.mark.parametrize("form", ["inet", "unix"])
def test_dovecot_by_lmtp(tmp_path, data, content, form):
    with peers.dovecot(str(tmp_path / "peer")) as peer:
        where = peer.address if form == "inet" else peer.path("run", "lmtp-here")
        config = FAST + f"routes: [{{ to: '@far.test', deliver: {{ lmtp: '{where}' }} }}]\n" \
            "dns: { servers: ['127.0.0.1:9'] }\n"
        with godwit.Godwit(data, config=config) as g:
            with Client(g.port) as c:
                code, _ = c.message(content, sender="anna@far.test", recipients=(
                    "bert@far.test", "nobody@far.test", "anna@far.test"))
                assert code == 250
            godwit.wait_for(lambda: len(peer.mails("box", "bert", "Maildir")) == 1
                            and len(peer.mails("box", "anna", "Maildir")) == 2, "two and a report")
            assert body_of(peer.mails("box", "bert", "Maildir")[0]) == content
            reports = [m for m in peer.mails("box", "anna", "Maildir") if b"Action: failed" in m]
            assert len(reports) == 1 and b"nobody@far.test" in reports[0]
            godwit.wait_for(lambda: g.recipients("delivered") ==
                            ["anna@far.test", "anna@far.test", "bert@far.test"], "the delivered")
            event = godwit.wait_for(lambda: g.events("failed"), "the failure in the log")[0]
            assert event["status"] == "5.1.1"
            godwit.wait_for(lambda: g.queue() == [], "an empty queue")


# smtp-sink: -f refuses, -r defers, -q hangs up, -Q hangs up with 421.
@pytest.mark.parametrize("flag", ["-f", "-r", "-q", "-Q"])
@pytest.mark.parametrize("command", ["connect", "ehlo", "mail", "rcpt", "data", "."])
def test_faults_of_smtp_sink(tmp_path, data, content, flag, command):
    if command == "ehlo":
        command = "ehlo,helo"
    with peers.smtp_sink(str(tmp_path / "peer"), flag, command) as peer:
        with godwit.Godwit(data, "--next-hop", peer.address,
                           config=FAST.replace("200ms", "1h")) as g:
            with Client(g.port) as c:
                assert c.message(content, sender="")[0] == 250
            if flag == "-f":
                # What is said for good at the door holds for the host: see RFC 5321 3.1.
                godwit.wait_for(lambda: g.events("failed") or g.events("deferred"), "an end")
                if command in ("mail", "rcpt", "data", "."):
                    assert g.events("failed")
                    godwit.wait_for(lambda: g.queue() == [], "an empty queue")
            else:
                godwit.wait_for(lambda: g.events("deferred") or g.events("site-failed"), "a deferral")
                assert not g.events("failed") and not g.events("relayed")
                row, = g.queue()
                assert row["recipient"]["state"] == "queued"
                assert row["recipient"]["address"] == "b@far.test"
