"""What comes from our own is signed with DKIM (RFC 6376 5), and what others send is not."""
import base64
import os
import subprocess
import sys
import time

import pytest

import godwit
from godwit import Client, Godwit, wait_for
from signing import Keys, signers, tags, fields

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "auth"))
import check_tool  # noqa: E402

dkimpy = pytest.importorskip("dkim", reason="python3-dkim is not installed")

CONFIG = """
listen:
  - {{ address: "127.0.0.1:0" }}
  - {{ address: "127.0.0.1:0", role: submission, auth_in_clear: true }}
  - {{ address: "127.0.0.1:0", auth: offered, auth_in_clear: true }}
xclient_from: 127.0.0.1
relay_clients: 127.0.0.0/8
domains:
  home.test: {{ users: {users}, dkim: {home}, senders: {{ "*": "ann@home.test" }}, deliver: {{ {deliver} }} }}
  relayed.test: {{ relay: true, dkim: {relayed}, dkim_subdomains: true, deliver: {{ {deliver} }} }}
  silent.test: {{ relay: true, deliver: {{ {deliver} }} }}
routes: [{{ deliver: {{ {deliver} }} }}]
"""
RELAY, SUBMISSION, OFFERED = range(3)
BOTH = ["s1@home.test", "e1@home.test"]
BODY = b"\r\nHello  there \r\n..dots\r\n\r\n\r\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"), "s1@home.test", "e1@home.test:ed25519",
                "r@relayed.test")


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("users") / "users")
    done = subprocess.run([godwit.PROGRAM, "user", "add", "ann", "--file", path],
                          input="pencil\n", text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return path


def configured(sink, keys, users):
    return CONFIG.format(users=users, home=keys.config("home.test"),
                         relayed=keys.config("relayed.test"),
                         deliver=f"smtp: '{sink.address}'")


@pytest.fixture
def server(sink, data, keys, users):
    with Godwit(data, listen=(), config=configured(sink, keys, users)) as g:
        yield g


def log_in(server, which):
    c = Client(server.ports[which], channel="clear")
    assert c.code("EHLO client.test") == 250
    proof = base64.b64encode(b"\0ann@home.test\0pencil").decode()
    assert c.code("AUTH PLAIN " + proof) == 235
    return c


def stranger(server, which=RELAY):
    c = Client(server.ports[which], channel="clear")
    assert c.code("EHLO x.test") == 250
    assert c.code("XCLIENT ADDR=192.0.2.9 NAME=x.test") == 220
    return c


def give(c, content, sender="x@far.test", to="b@home.test", parameters=""):
    for command, code in ((f"MAIL FROM:<{sender}>{parameters}", 250), (f"RCPT TO:<{to}>", 250),
                          ("DATA", 354)):
        assert c.code(command) == code, command
    assert c.ask(content + b".\r\n")[0] == 250


def content(author, subject=b"x"):
    return (b"From: " + author + b"\r\nTo: b@far.test\r\nSubject: " + subject + b"\r\n"
            b"Date: Thu, 26 Nov 2026 02:00:00 +0000\r\nMessage-ID: <1@home.test>\r\n" + BODY)


def verify(received, keys, expected):
    """By dkimpy and by `godwit check`: every signature of those passes."""
    assert signers(received) == expected
    verifier = dkimpy.DKIM(received)
    for i in range(len(expected)):
        assert verifier.verify(idx=i, dnsfunc=keys.find)
    answer = check_tool.one({"message": received.decode("latin-1"), "zone": keys.json_zone(),
                             "ip": "192.0.2.1"})
    verdicts = [(s["result"], f"{s['selector']}@{s['domain']}")
                for s in answer["dkim"]]
    assert verdicts == [("pass", name) for name in expected]


@pytest.mark.parametrize("which", [SUBMISSION, OFFERED])
def test_who_has_logged_in_is_signed(server, sink, keys, which):
    with log_in(server, which) as c:
        give(c, content(b"Ann <ann@home.test>"), "ann@home.test", "b@far.test")
    received = sink.wait(1)[0].content
    verify(received, keys, BOTH)
    assert received.startswith(b"DKIM-Signature:")
    assert received.index(b"DKIM-Signature:") < received.index(b"Received:")


def test_what_was_repaired_is_signed_as_it_leaves(server, sink, keys):
    with log_in(server, SUBMISSION) as c:
        give(c, b"Bcc: z@far.test\r\nFrom: ann@home.test\r\n" + BODY, "ann@home.test", "b@far.test")
    received = sink.wait(1)[0].content
    assert b"\r\nDate: " in received and b"\nBcc:" not in received
    verify(received, keys, BOTH)


@pytest.mark.parametrize("author, expected", [
    (b"who@home.test", BOTH), (b"WHO@Home.TEST", BOTH), (b"who@relayed.test", ["r@relayed.test"]),
    (b"who@below.relayed.test", ["r@relayed.test"]), (b"who@below.home.test", []),
    (b"who@silent.test", []), (b"who@far.test", []), (b"who@home.test, x@far.test", []),
])
def test_trusted_clients_are_signed_by_the_domain_of_from(server, sink, keys, author, expected):
    with Client(server.ports[RELAY], channel="clear") as c:
        assert c.code("EHLO x.test") == 250
        give(c, content(author), "bounces@far.test", "b@far.test")
    verify(sink.wait(1)[0].content, keys, expected)


@pytest.mark.parametrize("author", [b"ann@home.test", b"x@relayed.test", b"x@far.test"])
@pytest.mark.parametrize("which", [RELAY, OFFERED])
def test_strangers_are_not(server, sink, keys, author, which):
    with stranger(server, which) as c:
        assert c.code("EHLO x.test") == 250
        give(c, content(author), to="b@relayed.test")
    verify(sink.wait(1)[0].content, keys, [])


def test_what_comes_in_odd_pieces_is_signed_all_the_same(server, sink, keys):
    """Byte by byte, in chunks of BDAT, large, and without a line end at its end."""
    whole = content(b"who@home.test", b"odd")
    large = content(b"who@home.test") + b"line of a large message\r\n" * 100000
    with Client(server.ports[RELAY], channel="clear") as c:
        c.envelope("a@far.test")
        assert c.code("DATA") == 354
        for i in range(len(whole)):
            c.send(whole[i:i + 1])
        assert c.ask(b".\r\n")[0] == 250
        assert c.code("MAIL FROM:<a@far.test>") == 250
        assert c.code("RCPT TO:<b@far.test>") == 250
        odd = whole + b"no end"
        for i in range(0, len(odd), 50):
            piece = odd[i:i + 50]
            last = b" LAST" if i + 50 >= len(odd) else b""
            assert c.ask(b"BDAT %d%s\r\n" % (len(piece), last) + piece)[0] == 250
        give(c, large, to="b@far.test")
    for received in sink.wait(3):
        verify(received.content, keys, BOTH)


def test_what_comes_from_the_maildrop_is_signed(server, sink, keys):
    done = subprocess.run([godwit.PROGRAM, "sendmail", "-f", "who@home.test", "b@far.test"],
                          input=content(b"who@home.test").replace(b"\r\n", b"\n"), timeout=60,
                          env={**os.environ, "GODWIT_DATA": server.data,
                               "GODWIT_SERVER": "127.0.0.1:1"}, capture_output=True)
    assert done.returncode == 0, done.stderr
    verify(sink.wait(1)[0].content, keys, BOTH)


@pytest.mark.parametrize("hostname, expected", [
    ("home.test", BOTH), ("mx.relayed.test", ["r@relayed.test"]), ("mx.far.test", []),
])
def test_bounces_are_signed(data, keys, users, hostname, expected):
    def script(verb, argument, count):
        return b"550 5.1.1 nobody\r\n" if verb == "RCPT" and "gone" in argument else None
    with godwit.Sink(script=script) as sink, \
            Godwit(data, listen=(), config=configured(sink, keys, users), hostname=hostname) as g:
        with stranger(g) as c:
            assert c.code("EHLO x.test") == 250
            give(c, content(b"x@far.test"), "x@far.test", "gone@relayed.test")
        bounce = sink.wait(1)[0]
        assert bounce.sender == "" and bounce.recipients == ["x@far.test"]
        verify(bounce.content, keys, expected)
        assert b"mailer-daemon@" + hostname.encode() in bounce.content


def reload(g, text):
    with open(g.data + ".yaml", "w") as f:
        f.write(text)
    return g.tool("reload", "--data", g.data)


def relay(g, sink, number):
    with Client(g.ports[RELAY], channel="clear") as c:
        assert c.code("EHLO x.test") == 250
        give(c, content(b"who@home.test"), to="b@far.test")
    return sink.wait(number)[number - 1].content


def test_a_reload_brings_other_keys(server, sink, keys, users, tmp_path):
    verify(relay(server, sink, 1), keys, BOTH)
    other = Keys(tmp_path, "s2@home.test", "r@relayed.test")
    assert reload(server, configured(sink, other, users)).returncode == 0
    verify(relay(server, sink, 2), other, ["s2@home.test"])
    # The same name, another file behind it.
    path = other.made["home.test"][0][1]
    os.unlink(path)
    other.make("s2@home.test", path)
    other.made["home.test"].pop()
    assert server.tool("reload", "--data", server.data).returncode == 0
    verify(relay(server, sink, 3), other, ["s2@home.test"])
    without = configured(sink, other, users).replace(f"dkim: {other.config('home.test')}, ", "")
    assert reload(server, without).returncode == 0
    verify(relay(server, sink, 4), other, [])


@pytest.mark.parametrize("spoil, said", [
    (os.unlink, "No such file or directory"),
    (lambda path: open(path, "w").close(), "no private key in PEM form"),
    (lambda path: (os.unlink(path), os.mkdir(path)), "this is not a file"),
], ids=["absent", "empty", "folder"])
def test_a_key_that_cannot_be_used_is_told_and_the_old_stays(server, sink, keys, users, tmp_path,
                                                            spoil, said):
    other = Keys(tmp_path, "s2@home.test", "r@relayed.test")
    path = other.made["home.test"][0][1]
    spoil(path)
    done = reload(server, configured(sink, other, users))
    assert done.returncode != 0 and said in done.stderr and path in done.stderr, done.stderr
    assert "dkim.key" in done.stderr
    verify(relay(server, sink, 1), keys, BOTH)
    checked = server.tool("config", "check", "--config", server.data + ".yaml")
    assert checked.returncode == 78 and path in checked.stderr and "good" not in checked.stdout
    engine, = godwit.descendants(server.process.pid)
    os.kill(engine, 9)
    wait_for(lambda: server.output().count('"started"') == 2, "the next engine")
    verify(relay(server, sink, 2), keys, BOTH)


def test_a_start_without_the_key_is_refused(data, sink, keys, users, tmp_path):
    other = Keys(tmp_path, "s2@home.test", "r@relayed.test")
    path = other.made["home.test"][0][1]
    os.unlink(path)
    g = Godwit(data, listen=(), config=configured(sink, other, users), start=False)
    g.start(wait=False)
    assert g.process.wait(godwit.PATIENCE) == 78
    assert f"dkim.key: {path}: No such file" in g.output()
    g.kill()


def test_when_it_was_signed_and_what_cannot_be_added(server, sink, keys):
    received = relay(server, sink, 1)
    for value in fields(received):
        told = tags(value)
        assert abs(int(told["t"]) - time.time()) < 3600
        assert "l" not in told and told["c"] == "relaxed/relaxed"
        names = told["h"].replace(" ", "").lower().split(":")
        for name in ("from", "subject", "to", "date", "message-id"):
            assert names.count(name) == 2, name
    at = received.index(b"\r\nSubject:") + 2
    for extra in (b"Subject: another\r\n", b"From: evil@far.test\r\n", b"Reply-To: evil@far.test\r\n"):
        changed = received[:at] + extra + received[at:]
        assert not dkimpy.DKIM(changed).verify(idx=0, dnsfunc=keys.find)


def test_many_keys_are_handed_over(data, sink, tmp_path):
    """More files than the kernel passes at once, at the start and at a reload."""
    keys = Keys(tmp_path, "s@d0.test:ed25519")
    key = open(keys.made["d0.test"][0][1]).read()
    record = keys.zone["s._domainkey.d0.test"]

    def config(count):
        lines = [f"routes: [{{ deliver: {{ smtp: '{sink.address}' }} }}]", "domains:"]
        for n in range(count):
            path = tmp_path / f"{n}.pem"
            path.write_text(key)
            keys.zone[f"s._domainkey.d{n}.test"] = record
            lines.append(f"  d{n}.test: {{ relay: true, dkim: [{{ selector: s, key: '{path}' }}] }}")
        return "\n".join(lines) + "\n"

    with Godwit(data, config=config(600)) as g:
        for number, count in ((1, 600), (2, 251)):
            with Client(g.port, channel="clear") as c:
                c.envelope("a@far.test")
                assert c.code("DATA") == 354
                author = f"who@d{count - 1}.test".encode()
                assert c.ask(content(author) + b".\r\n")[0] == 250
            verify(sink.wait(number)[number - 1].content, keys, [f"s@d{count - 1}.test"])
            assert reload(g, config(251)).returncode == 0
