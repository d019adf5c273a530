"""What aliases forward leaves with a sender of our own, and what comes back to that one is sent
on to the first (SRS). As a stranger's mail it comes from 127.0.0.2, which may not relay."""
import re
import subprocess

import pytest

import godwit
from godwit import Client

CONFIG = """
relay_clients: [127.0.0.1]
domains:
  our.test:
    users: [post]
    aliases: {{ away: [x@away.test, y@away.test, post] }}
    deliver: {{ maildir: "{data}/box" }}
srs: {{ domain: our.test, secret: "{secret}" }}
routes: [{{ deliver: {{ smtp: "{sink}" }} }}]
"""
REWRITTEN = re.compile(r"SRS0=[0-9a-f]{8}=[A-Z2-7]{2}=far\.test=Sue\.B@our\.test")
MAIL = b"Subject: s\r\n\r\ntext\r\n"


@pytest.fixture
def config(data, tmp_path, sink):
    secret = tmp_path / "secret"
    secret.write_text("some octets nobody knows\n")
    return CONFIG.format(data=data, secret=secret, sink=sink.address)


def stranger(g):
    return Client(g.port, source="127.0.0.2")


def test_a_sender_is_written_anew_and_what_comes_back_finds_it(sink, data, config):
    with godwit.Godwit(data, config=config) as g:
        with stranger(g) as c:
            c.message(MAIL, "Sue.B@far.test", ["away@our.test"])
        sink.wait(1)
        sent = sink.messages[0]
        assert REWRITTEN.fullmatch(sent.sender)
        assert sorted(sent.recipients) == ["x@away.test", "y@away.test"]
        with stranger(g) as c:
            c.message(MAIL, "", [sent.sender])
        sink.wait(2)
        back = sink.messages[1]
        assert back.sender == "" and back.recipients == ["Sue.B@far.test"]
        forged = "SRS0=00000000" + sent.sender[13:]
        with stranger(g) as c:
            c.envelope("", recipients=[])
            assert c.code(f"RCPT TO:<{forged}>") == 550
            assert c.code(f"RCPT TO:<{sent.sender.lower()}>") == 250
            assert c.code("RCPT TO:<Sue.B@far.test>") == 550


def test_our_own_senders_and_what_is_no_alias_are_left_alone(sink, data, config):
    with godwit.Godwit(data, config=config) as g:
        with Client(g.port) as c:
            c.message(MAIL, "post@our.test", ["away@our.test"])
            c.message(MAIL, "Sue.B@far.test", ["x@away.test", "away@our.test"])
        sink.wait(3)
        ours, *others = sorted(sink.messages, key=lambda m: m.sender != "post@our.test")
        assert ours.sender == "post@our.test"
        plain, forwarded = sorted(others, key=lambda m: m.sender != "Sue.B@far.test")
        assert plain.sender == "Sue.B@far.test" and plain.recipients == ["x@away.test"]
        assert REWRITTEN.fullmatch(forwarded.sender)
        assert forwarded.recipients == ["y@away.test"]


def test_it_is_so_after_a_crash(sink, data, config):
    config += "queue: { retry_first: 1s }\n"
    sink.script = lambda verb, argument, count: b"451 4.0.0 later\r\n" if verb == "MAIL" else None
    g = godwit.Godwit(data, config=config)
    with stranger(g) as c:
        c.message(MAIL, "Sue.B@far.test", ["away@our.test"])
    godwit.wait_for(lambda: g.events("deferred"), "the first attempt")
    g.kill()
    sink.script = lambda verb, argument, count: None
    with godwit.Godwit(data, config=config):
        sink.wait(1)
    assert REWRITTEN.fullmatch(sink.messages[0].sender)


def test_our_own_report_goes_to_the_first_sender(sink, data, config):
    sink.script = lambda verb, argument, count: (
        b"550 5.1.1 nobody\r\n" if verb == "RCPT" and "away.test" in argument else None)
    with godwit.Godwit(data, config=config) as g:
        with stranger(g) as c:
            c.message(MAIL, "Sue.B@far.test", ["away@our.test"])
        sink.wait(1)
    assert sink.messages[0].sender == ""
    assert sink.messages[0].recipients == ["Sue.B@far.test"]


@pytest.mark.parametrize("words, fault", [
    ("domain: far.test, secret: {secret}", "is not one of the domains"),
    ("domain: our.test", "say secret"),
    ("secret: {secret}", "say the domain"),
    ("domain: our.test, secret: {secret}.none", "cannot be read"),
    ("domain: our.test, secret: {short}", "16 to 1024 octets"),
    ("domain: our.test, secret: {empty}", "no secret"),
])
def test_what_is_wrong_is_said(tmp_path, data, words, fault):
    for name, text in (("secret", "some octets nobody knows\n"), ("short", "short\n"),
                       ("empty", "\n")):
        (tmp_path / name).write_text(text)
    paths = {n: tmp_path / n for n in ("secret", "short", "empty")}
    file = tmp_path / "godwit.yaml"
    file.write_text("domains: { our.test: { users: [a], deliver: { maildir: /m } } }\n"
                    "srs: { %s }\n" % words.format(**paths))
    result = subprocess.run([godwit.PROGRAM, "config", "check", "--config", str(file)], text=True,
                            capture_output=True, check=False)
    assert result.returncode != 0 and fault in result.stdout + result.stderr
