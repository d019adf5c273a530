"""AUTH: RFC 4954, 4616, 5802, 7677, 9266; HOSTILE 29-31, 33."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import smtplib
import socket
import ssl
import subprocess
import threading
import time

import pytest

import godwit
from godwit import Client, Godwit, wait_for

PEOPLE = {"ann": "pencil", "bob": "er\u00e4ser"}
CONFIG = """
listen:
  - {{ address: "127.0.0.1:0", role: submission }}
  - {{ address: "127.0.0.1:0", role: submission, tls: implicit }}
  - {{ address: "127.0.0.1:0", role: submission, auth_in_clear: true }}
  - {{ address: "127.0.0.1:0" }}
  - {{ address: "127.0.0.1:0", auth: offered, auth_in_clear: true }}
relay_clients: []
xclient_from: 127.0.0.1
domains:
  home.test: {{ users: {users}, deliver: {{ maildir: "{maildir}" }} }}
auth: {{ delay: 20ms, delay_max: 50ms }}
"""
SUBMISSION, IMPLICIT, CLEAR, RELAY, OFFERED = range(5)


def add_user(path, name, password):
    done = subprocess.run([godwit.PROGRAM, "user", "add", name, "--file", path],
                          input=password + "\n", text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("users") / "users")
    for name, password in PEOPLE.items():
        add_user(path, name, password)
    with open(path, "a") as f:
        f.write("mute\n")
    return path


@pytest.fixture
def server(sink, data, users, tmp_path):
    config = CONFIG.format(users=users, maildir=tmp_path / "mail/{user}")
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        yield g


def coded(text):
    return base64.b64encode(text.encode()).decode()


def plain(name, password, authzid=""):
    return coded(f"{authzid}\0{name}\0{password}")


def client(server, which):
    if which == IMPLICIT:
        c = Client(server.ports[which], channel="implicit")
    elif which == SUBMISSION:
        c = Client(server.ports[which], channel="starttls")
    else:
        c = Client(server.ports[which], channel="clear")
    c.extensions = c.ask("EHLO client.test")[1].split("\n")
    return c


def mechanisms(c):
    return [line.split()[1:] for line in c.extensions if line.startswith("AUTH ")]


def test_what_is_offered(server):
    both = "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN".split()
    for which in (SUBMISSION, IMPLICIT):
        with client(server, which) as c:
            assert mechanisms(c) == [["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", *both]]
    for which in (CLEAR, OFFERED):
        with client(server, which) as c:
            assert mechanisms(c) == [both]
    with client(server, RELAY) as c:
        assert mechanisms(c) == []
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 502
        assert c.code("MAIL FROM:<a@b.test> AUTH=<>") == 555


def test_never_in_clear(server):
    with Client(server.ports[SUBMISSION], channel="clear") as c:
        c.extensions = c.ask("EHLO client.test")[1].split("\n")
        assert mechanisms(c) == []
        assert c.ask("AUTH PLAIN " + plain("ann", "pencil"))[0] == 538
        assert c.code("MAIL FROM:<ann@home.test>") == 530
    assert not server.events("login")


@pytest.mark.parametrize("which", [SUBMISSION, IMPLICIT, CLEAR])
def test_no_mail_without(server, which):
    with client(server, which) as c:
        assert c.ask("MAIL FROM:<ann@home.test>") == (530, "5.7.0 Authentication required")
        assert c.code("VRFY ann") == 530
        for harmless in ("NOOP", "RSET", "HELP", "EHLO again.test"):
            assert c.code(harmless) in (214, 250)
        assert c.ask("AUTH PLAIN " + plain("ann", "pencil")) \
            == (235, "2.7.0 Authentication successful")
        assert c.code("MAIL FROM:<ann@home.test>") == 250
        assert c.code("RCPT TO:<who@far.test>") == 250


def test_who_is_trusted_need_not(sink, data, users, tmp_path):
    config = CONFIG.format(users=users, maildir=tmp_path / "mail/{user}") \
        .replace("relay_clients: []", "")
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        with client(g, SUBMISSION) as c:
            assert c.code("MAIL FROM:<ann@home.test>") == 250


@pytest.mark.parametrize("name,password,code", [
    ("ann", "pencil", 235), ("ann@home.test", "pencil", 235), ("ANN@HOME.TEST", "pencil", 235),
    ("bob", PEOPLE["bob"], 235), ("ann", "Pencil", 535), ("ann", "", 535), ("mute", "x", 535),
    ("nobody", "pencil", 535), ("ann@far.test", "pencil", 535), ("mute", "", 535),
])
def test_plain_and_login(server, name, password, code):
    with client(server, SUBMISSION) as c:
        assert c.code("AUTH PLAIN " + plain(name, password)) == code
    with client(server, SUBMISSION) as c:
        assert c.ask("AUTH PLAIN") == (334, "")
        assert c.code(plain(name, password)) == code
    with client(server, SUBMISSION) as c:
        assert c.ask("AUTH LOGIN") == (334, coded("Username:"))
        assert c.ask(coded(name)) == (334, coded("Password:"))
        assert c.code(coded(password)) == code
    with client(server, SUBMISSION) as c:
        assert c.ask("auth login " + coded(name)) == (334, coded("Password:"))
        assert c.code(coded(password)) == code


def test_refusals_are_all_the_same(server):
    texts = set()
    for name, password in (("ann", "x"), ("nobody", "x"), ("mute", "x"), ("ann", "")):
        with client(server, SUBMISSION) as c:
            texts.add(c.ask("AUTH PLAIN " + plain(name, password)))
    assert texts == {(535, "5.7.8 Authentication credentials invalid")}
    wait_for(lambda: len(server.events("login-failed")) == 4, "the log")
    assert {e["account"] for e in server.events("login-failed")} \
        == {"ann@home.test", "nobody@home.test", "mute@home.test"}


@pytest.mark.parametrize("line,code", [
    ("AUTH", 501), ("AUTH PLAIN a b", 501), ("AUTH CRAM-MD5", 504), ("AUTH GSSAPI abcd", 504),
    ("AUTH PLAIN !", 501), ("AUTH PLAIN abc", 501), ("AUTH PLAIN YWJj", 501),
    ("AUTH PLAIN =", 501), ("AUTH PLAIN ====", 501), ("AUTH PLAIN YW=j", 501),
    ("AUTH PLAIN " + coded("\0a\0b\0c"), 501), ("AUTH PLAIN " + coded("bob\0ann\0pencil"), 535),
    ("AUTH " + "X" * 100, 501), ("AUTH SCRAM-SHA-256 " + coded("n,,n=ann"), 501),
    ("AUTH SCRAM-SHA-256 " + coded("p=tls-exporter,,n=ann,r=abc"), 501),
    ("AUTH SCRAM-SHA-256-PLUS " + coded("n,,n=ann,r=abc"), 501),
    ("AUTH SCRAM-SHA-256-PLUS " + coded("p=tls-unique,,n=ann,r=abc"), 501),
    ("AUTH SCRAM-SHA-256 " + coded("y,,n=ann,r=abc"), 535),    # PLUS was taken out
    ("AUTH SCRAM-SHA-256 =", 501), ("AUTH SCRAM-SHA-256 " + coded("n,,n=\0,r=abc"), 501),
])
def test_what_is_no_exchange(server, line, code):
    with client(server, SUBMISSION) as c:
        assert c.code(line) == code
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235


def test_a_client_may_give_up(server):
    with client(server, SUBMISSION) as c:
        for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
            assert c.code("AUTH " + mechanism) == 334
            assert c.code("*") == 501
        assert c.code("AUTH LOGIN") == 334
        assert c.code("AUTH LOGIN") == 501        # a response, and no base64
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235


def test_once_and_not_within_a_transaction(server):
    with client(server, OFFERED) as c:
        assert c.code("MAIL FROM:<x@far.test>") == 250
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 503
        assert c.code("RSET") == 250
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 503
        assert c.code("EHLO again.test") == 250
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 503
    with Client(server.ports[OFFERED], channel="clear") as c:
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 503   # before EHLO


def test_starttls_forgets_who_it_was(server):
    with client(server, OFFERED) as c:
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235
        c.starttls()
        assert c.code("EHLO client.test") == 250
        assert c.code("MAIL FROM:<ann@home.test>") == 250
        assert c.code("RCPT TO:<who@far.test>") == 550


def test_lines_at_their_edge(server):
    """RFC 4954 4: 12,288 octets with CRLF; longer is 500 5.5.6 and nothing is kept."""
    edge = 12288 - len("AUTH PLAIN \r\n")
    with client(server, CLEAR) as c:
        assert c.ask("AUTH PLAIN " + "A" * (edge - edge % 4))[0] == 501
        assert c.ask("AUTH PLAIN " + "A" * (edge + 4))[:1] == (500,)
        assert c.code("AUTH PLAIN") == 334
        code, text = c.ask("A" * 12288)
        assert (code, text[:5]) == (500, "5.5.6")
        assert c.code("NOOP") == 250
        assert c.code("AUTH PLAIN") == 334
        c.send(b"A" * (4 << 20) + b"\r\n")
        assert c.reply()[0] == 500
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235


def test_every_cut_of_the_bytes(server):
    exchange = (b"EHLO c.test\r\nAUTH LOGIN\r\n" + coded("ann").encode() + b"\r\n"
                + coded("pencil").encode() + b"\r\nMAIL FROM:<ann@home.test>\r\nQUIT\r\n")
    for at in range(1, len(exchange), 3):
        with Client(server.ports[CLEAR], channel="clear") as c:
            c.send(exchange[:at])
            c.send(exchange[at:])
            codes = [c.reply()[0] for _ in range(6)]
            assert codes == [250, 334, 334, 235, 250, 221], at


def test_three_failures_close(server):
    with client(server, SUBMISSION) as c:
        for _ in range(3):
            assert c.code("AUTH PLAIN " + plain("ann", "x")) == 535
        assert c.reply()[0] == 421


def test_guessing(server):
    """Wrong passwords over many connections, the right one last: refused, then let in."""
    failures = []

    def guess(count):
        done = 0
        while done < count:
            with contextlib.suppress(EOFError, ConnectionError), client(server, CLEAR) as c:
                for _ in range(3):
                    failures.append(c.code("AUTH PLAIN " + plain("ann", f"guess{done}")))
                    done += 1
    guessers = [threading.Thread(target=guess, args=(9,)) for _ in range(20)]
    for guesser in guessers:
        guesser.start()
    for guesser in guessers:
        guesser.join(60)
    assert failures == [535] * 180
    with client(server, SUBMISSION) as c:
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235


def scram_proof(c, name, password):
    """The client's last message of SCRAM-SHA-256."""
    bare = f"n={name},r=nonce"
    code, text = c.ask("AUTH SCRAM-SHA-256 " + coded("n,," + bare))
    assert code == 334
    challenge = base64.b64decode(text).decode()
    said = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]),
                                 int(said["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c=biws,r={said['r']}"
    signature = hmac.digest(hashlib.sha256(key).digest(), f"{bare},{challenge},{final}".encode(),
                            "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
    return coded(f"{final},p={proof}")


def test_invented_salts_outlive_a_start(sink, data, users, tmp_path):
    """Else who asks twice knows who exists: ann, nobody, and mute, who has no password."""
    config = CONFIG.format(users=users, maildir=tmp_path / "mail/{user}")
    seen = []
    for _ in range(2):
        with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
            for name in ("ann", "nobody", "mute"):
                with client(g, CLEAR) as c:
                    _, text = c.ask("AUTH SCRAM-SHA-256 " + coded(f"n,,n={name},r=nonce"))
                    said = base64.b64decode(text).decode().split(",")
                    seen.append([part for part in said if not part.startswith("r=")])
    assert seen[:3] == seen[3:] and len({salt for salt, _ in seen}) == 3
    assert os.stat(os.path.join(data, "sasl.secret")).st_mode & 0o777 == 0o600


def test_the_servers_proof_waits_as_a_refusal_does(sink, data, users, tmp_path):
    config = CONFIG.format(users=users, maildir=tmp_path / "mail/{user}").replace(
        "delay: 20ms, delay_max: 50ms", "delay: 300ms, delay_max: 300ms, failures: 10")
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        with client(g, CLEAR) as c:
            for _ in range(3):
                assert c.code("AUTH PLAIN " + plain("ann", "wrong")) == 535
            for password, code in (("wrong", 535), ("pencil", 334)):
                proof = scram_proof(c, "ann", password)
                begun = time.monotonic()
                assert c.code(proof) == code
                assert time.monotonic() - begun > 0.29
            assert c.code("") == 235


def dovecot(listener):
    """Dovecot, as a client of its socket sees it; names count without case."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer, peer.makefile("rwb") as f:
            f.write(b"VERSION\t1\t2\nMECH\tPLAIN\nDONE\n")
            f.flush()
            for line in f:
                if line.startswith(b"AUTH\t"):
                    _, name, password = base64.b64decode(line.split(b"resp=")[1]).split(b"\0")
                    user = name.lower().split(b"@")[0] + b"@home.test"
                    f.write((b"OK" if password == b"pencil" else b"FAIL") + b"\t1\tuser=" + user
                            + b"\n")
                    f.flush()


def test_dovecots_names_count_as_one_account(sink, data, users, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "auth"))
        listener.listen()
        threading.Thread(target=dovecot, args=(listener,), daemon=True).start()
        config = CONFIG.format(users=users, maildir=tmp_path / "mail/{user}").replace(
            "delay: 20ms, delay_max: 50ms",
            f"delay: 300ms, delay_max: 300ms, dovecot: {tmp_path / 'auth'}")
        with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
            def log_in(last, name, password):
                with Client(g.ports[OFFERED], channel="clear") as c:
                    assert c.code(f"XCLIENT ADDR=192.0.2.{last}") == 220
                    assert c.code("EHLO a.test") == 250
                    begun = time.monotonic()
                    return (c.code("AUTH PLAIN " + plain(name, password)),
                            time.monotonic() - begun > 0.29)
            for last, name in enumerate(("ann", "ANN", "ann@home.test")):
                assert log_in(last, name, "wrong") == (535, False)
            assert log_in(10, "Ann", "wrong") == (535, True)
            assert log_in(11, "ann", "pencil") == (235, True)
            assert log_in(11, "ann", "pencil") == (235, False) # it is known there
            assert log_in(12, "bob", "wrong") == (535, False)
        listener.shutdown(socket.SHUT_RDWR)


def test_auth_parameter_of_mail(server):
    with client(server, OFFERED) as c:
        assert c.code("MAIL FROM:<a@b.test> AUTH=<>") == 250
        assert c.code("RSET") == 250
        assert c.code("MAIL FROM:<a@b.test> AUTH=e+3Dmc2@b.test") == 250
        assert c.code("RSET") == 250
        assert c.code("MAIL FROM:<a@b.test> AUTH=a+3") == 501


def test_xclient_may_say_who_it_is(server):
    with client(server, OFFERED) as c:
        assert c.code("XCLIENT ADDR=192.0.2.1 LOGIN=ann@home.test") == 220
        assert c.code("EHLO client.test") == 250
        assert c.code("MAIL FROM:<ann@home.test>") == 250
        assert c.code("RCPT TO:<who@far.test>") == 250
        assert c.code("RSET") == 250
        assert c.code("XCLIENT LOGIN=[UNAVAILABLE]") == 220
        assert c.code("EHLO client.test") == 250
        assert c.code("MAIL FROM:<ann@home.test>") == 250
        assert c.code("RCPT TO:<who@far.test>") == 550


def test_what_is_written_down(server, sink):
    """The account in the log and ESMTPSA in the trace; the password nowhere."""
    with client(server, SUBMISSION) as c:
        assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235
        for command in ("MAIL FROM:<ann@home.test>", "RCPT TO:<who@far.test>", "DATA"):
            c.ask(command)
        assert c.code(b"From: ann@home.test\r\n\r\nx\r\n.\r\n") == 250
    message = sink.wait(1)[0]
    assert b"with ESMTPSA" in message.content
    wait_for(lambda: server.events("accepted"), "the log")
    assert server.events("accepted")[0]["account"] == "ann@home.test"
    login = server.events("login")[0]
    assert (login["account"], login["mechanism"]) == ("ann@home.test", "PLAIN")
    assert "pencil" not in server.output() and plain("ann", "pencil") not in server.output()


def test_transcripts_hide_it(sink, data, users, tmp_path):
    config = CONFIG.format(users=users, maildir=tmp_path / "mail/{user}") \
        + "log: { sessions: true }\n"
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        with client(g, CLEAR) as c:
            c.send(b"NOOP\r\nAUTH PLAIN\r\n")
            assert [c.reply()[0], c.reply()[0]] == [250, 334]
            assert c.code(plain("ann", "wrong")) == 535
            assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235
            assert c.code("QUIT") == 221
        wait_for(lambda: '"QUIT"' in g.output(), "the transcript")
        for secret in (plain("ann", "wrong"), plain("ann", "pencil")):
            assert secret not in g.output()
        assert '"AUTH PLAIN <hidden>"' in g.output() and '"NOOP"' in g.output()


def test_a_reload_brings_new_people(sink, data, users, tmp_path):
    path = str(tmp_path / "users")
    add_user(path, "ann", "pencil")
    config = CONFIG.format(users=path, maildir=tmp_path / "mail/{user}")
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        with client(g, SUBMISSION) as old:
            add_user(path, "cy", "crayon")
            assert g.tool("reload", "--data", data).returncode == 0
            with client(g, SUBMISSION) as c:
                assert c.code("AUTH PLAIN " + plain("cy", "crayon")) == 235
            assert old.code("AUTH PLAIN " + plain("ann", "pencil")) == 235
        done = subprocess.run([godwit.PROGRAM, "user", "remove", "cy", "--file", path],
                              capture_output=True, timeout=60)
        assert done.returncode == 0
        assert g.tool("reload", "--data", data).returncode == 0
        with client(g, SUBMISSION) as c:
            assert c.code("AUTH PLAIN " + plain("cy", "crayon")) == 535


def test_python_logs_in(server):
    context = godwit.tls_context()
    with smtplib.SMTP("127.0.0.1", server.ports[SUBMISSION]) as c:
        c.starttls(context=context)
        c.login("ann", "pencil")
    with smtplib.SMTP_SSL("127.0.0.1", server.ports[IMPLICIT], context=context) as c:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            c.login("ann", "no")


# ---- EXTERNAL: the client's certificate is the proof (RFC 4422 A) ----

def issue(folder, name, issuer=None, address=None, days=30):
    """A certificate by `issuer` (certificate, key) or by itself; paths of it and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    import datetime
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    builder = (x509.CertificateBuilder().subject_name(subject)
               .issuer_name(issuer[0].subject if issuer else subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=40))
               .not_valid_after(now + datetime.timedelta(days=days))
               .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), True))
    if address is not None:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.RFC822Name(address)]), False)
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    paths = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
    with open(paths[0], "wb") as f:
        f.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(paths[1], "wb") as f:
        f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption()))
    return paths, (certificate, key)


@pytest.fixture
def certified(sink, data, users, tmp_path):
    (ca, _), issuer = issue(tmp_path, "ca")
    config = CONFIG.format(users=users, maildir=tmp_path / "mail/{user}") \
        + f"tls: {{ client_ca: {ca} }}\n"
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        g.issuer = issuer
        yield g


def showing(server, pair):
    context = godwit.tls_context()
    if pair is not None:
        context.load_cert_chain(*pair)
    c = Client(server.ports[SUBMISSION], channel="clear")
    c.starttls(context)
    c.extensions = c.ask("EHLO client.test")[1].split("\n")
    return c


@pytest.mark.parametrize("address,authzid,code", [
    ("ann@home.test", "", 235), ("ANN@home.test", "ann@home.test", 235), ("ann@home.test", "bob", 535),
    ("mute@home.test", "", 235), ("who@home.test", "", 535), ("ann@far.test", "", 535),
])
def test_a_certificate_logs_in(certified, tmp_path, address, authzid, code):
    pair, _ = issue(tmp_path, "client", certified.issuer, address)
    with showing(certified, pair) as c:
        assert mechanisms(c)[0][0] == "EXTERNAL"
        assert c.code("AUTH EXTERNAL " + (coded(authzid) or "=")) == code
        if code == 235:
            assert c.code("MAIL FROM:<ann@home.test>") == (553 if "mute" in address else 250)
    with showing(certified, pair) as c:
        assert c.ask("AUTH EXTERNAL") == (334, "")
        assert c.code(coded(authzid)) == code


def test_certificates_that_prove_nothing(certified, tmp_path):
    """None, one of another issuer, one that has expired, one without an address."""
    stranger, _ = issue(tmp_path, "stranger", None, "ann@home.test")
    expired, _ = issue(tmp_path, "expired", certified.issuer, "ann@home.test", days=-1)
    nameless, _ = issue(tmp_path, "nameless", certified.issuer)
    for pair in (None, stranger, expired, nameless):
        with showing(certified, pair) as c:
            assert "EXTERNAL" not in mechanisms(c)[0]
            assert c.code("AUTH EXTERNAL =") == 504
            assert c.code("AUTH PLAIN " + plain("ann", "pencil")) == 235
