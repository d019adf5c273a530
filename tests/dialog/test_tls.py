"""TLS on the server's side: RFC 3207, RFC 8314 3, RFC 9325; HOSTILE 23, 25-27, 45."""
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess

import pytest

import certificates
import godwit
from godwit import Client, Godwit, wait_for

LISTEN = """
listen:
  - { address: "127.0.0.1:0" }
  - { address: "127.0.0.1:0", tls: implicit }
  - { address: "127.0.0.1:0", tls: required }
  - { address: "127.0.0.1:0", tls: none }
"""
STARTTLS, IMPLICIT, REQUIRED, NONE = range(4)


@pytest.fixture
def server(sink, data):
    with Godwit(data, "--next-hop", sink.address, listen=(), config=LISTEN) as g:
        yield g


def clear(server, which):
    return Client(server.ports[which], channel="clear")


def secured(server, which=STARTTLS):
    return Client(server.ports[which],
                  channel="implicit" if which == IMPLICIT else "starttls")


def offers(client):
    return "STARTTLS" in client.ask("EHLO client.test")[1].split("\n")


def shown(client):
    """The names of the certificate that was shown."""
    from cryptography import x509
    peer = x509.load_der_x509_certificate(client.socket.getpeercert(binary_form=True))
    names = peer.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize("which, offered", [(STARTTLS, True), (REQUIRED, True), (NONE, False)])
def test_what_is_offered(server, which, offered):
    with clear(server, which) as c:
        assert offers(c) == offered
        assert c.code("STARTTLS") == (220 if offered else 502)


@pytest.mark.parametrize("which", [STARTTLS, IMPLICIT, REQUIRED])
def test_a_message_over_tls(server, sink, which):
    content = b"Subject: x\r\n\r\n" + b"\r\n".join(b".%d " % n + b"y" * 900 for n in range(300))
    with secured(server, which) as c:
        assert not offers(c)
        assert c.code("STARTTLS") == 503
        assert c.message(content + b"\r\n")[0] == 250
        assert c.code("QUIT") == 221
        assert c.is_closed()
    received, got = sink.wait(1)[0].content.split(b"\r\n", 1)
    assert b"with ESMTPS (TLSv1.3)" in sink.messages[0].content
    assert got.endswith(content + b"\r\n")
    assert server.events("accepted")[0]["tls"] == "TLSv1.3"


def test_every_byte_may_be_a_record(server, sink):
    with secured(server) as c:
        said = (b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"
                b"Subject: x\r\n\r\n..hi\r\n.\r\nQUIT\r\n")
        for byte in said:
            c.send(bytes([byte]))
        assert [c.reply()[0] for _ in range(6)] == [250, 250, 250, 354, 250, 221]
    assert sink.wait(1)[0].content.endswith(b"\r\n\r\n.hi\r\n")


def test_required_means_no_mail_in_clear(server):
    with clear(server, REQUIRED) as c:
        assert c.code("EHLO client.test") == 250
        for command in ("MAIL FROM:<a@b.test>", "VRFY a", "RCPT TO:<a@b.test>", "DATA"):
            assert c.ask(command)[0] in (530, 503)
        assert c.ask("MAIL FROM:<a@b.test>") == (530, "5.7.0 Must issue a STARTTLS command first")
        for command in ("NOOP", "RSET", "HELP"):
            assert c.code(command) in (250, 214)


def test_b25_nothing_may_follow_starttls_in_its_packet(server, sink):
    with clear(server, STARTTLS) as c:
        c.ask("EHLO client.test")
        c.send(b"STARTTLS\r\nRSET\r\nMAIL FROM:<injected@evil.test>\r\n")
        assert c.reply()[0] == 501
        assert c.is_closed()


def test_b25_nor_in_clear_behind_the_answer(server, sink):
    """What comes in place of a handshake ends the session; others do not notice."""
    with clear(server, STARTTLS) as c, secured(server) as other:
        assert c.code("STARTTLS") == 220
        c.send(b"EHLO client.test\r\nMAIL FROM:<injected@evil.test>\r\n")
        wait_for(lambda: server.events("tls-failed"), "the failure in the log")
        assert b"250" not in rest_of(c)
        assert other.code("NOOP") == 250
    assert server.process.poll() is None


def test_starttls_may_come_in_pieces(server):
    for cut in range(1, len(b"STARTTLS\r\n")):
        with clear(server, STARTTLS) as c:
            assert c.code(b"NOOP\r\n" + b"STARTTLS\r\n"[:cut]) == 250    # so it was read
            assert c.code(b"STARTTLS\r\n"[cut:]) == 220
            c.wrap()
            assert c.code("NOOP") == 250
    assert "bug:" not in server.output()


def test_b26_everything_is_forgotten(server):
    with clear(server, STARTTLS) as c:
        c.envelope()
        c.starttls()
        assert c.code("RCPT TO:<b@far.test>") == 503
        assert c.code("MAIL FROM:<a@b.test>") == 503
        assert c.code("EHLO client.test") == 250
        assert c.code("RCPT TO:<b@far.test>") == 503


def test_b27_plaintext_to_the_implicit_port_and_a_handshake_to_the_clear_one(server):
    with Client(server.ports[IMPLICIT], greeting=False) as c:
        c.send(b"EHLO client.test\r\n")
        assert b"220" not in rest_of(c)
    with clear(server, STARTTLS) as c:
        hello = ssl.MemoryBIO()
        try:
            godwit.tls_context().wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
        except ssl.SSLWantReadError:
            pass
        c.send(hello.read() + b"\r\n")
        assert c.reply()[0] == 500
        assert c.is_closed()


def rest_of(client):
    rest = b""
    try:
        while data := client.socket.recv(4096):
            rest += data
    except ConnectionResetError:
        pass
    return rest


def test_b23_a_farewell_inside_a_chunk_ends_it_all(server, sink):
    """CVE-2026-45185: nothing is read in clear behind it, and nothing of it is kept."""
    with secured(server) as c:
        c.envelope()
        c.send(b"BDAT 1000\r\n" + b"x" * 400)
        raw = c.socket
        raw.settimeout(10)
        raw.setblocking(True)
        plain = socket.socket(fileno=os.dup(raw.fileno()))
        try:
            raw.unwrap()
        except (ssl.SSLError, OSError):
            pass
        try:
            plain.sendall(b"y" * 600 + b"BDAT 0 LAST\r\n")
        except OSError:
            pass
        plain.close()
    with secured(server) as c:
        assert c.message(b"after\r\n")[0] == 250
    assert sink.wait(1)[0].content.endswith(b"after\r\n")
    assert len(server.events("accepted")) == 1


def test_b23_nor_when_the_farewell_comes_with_the_chunk(server):
    """In one packet, and the connection stays open: it ends all the same."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = godwit.tls_context().wrap_bio(incoming, outgoing)
    with Client(server.ports[IMPLICIT], greeting=False) as c:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                c.send(outgoing.read())
                incoming.write(c.socket.recv(65536))
        tls.write(b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<b@far.test>\r\n"
                  b"BDAT 1000\r\nxxxx")
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        c.send(outgoing.read())
        rest_of(c)                  # to its end
    assert not server.events("accepted")


def test_b45_a_handshake_has_a_deadline(sink, data):
    config = LISTEN + "timeouts: { command: 300ms }\n"
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        with Client(g.ports[IMPLICIT], greeting=False) as c:
            c.send(b"\x16\x03\x01")
            assert c.is_closed()
        with clear(g, STARTTLS) as c:
            assert c.code("STARTTLS") == 220
            assert c.is_closed()


def test_b44_a_handshake_counts_as_a_connection_of_its_client(sink, data):
    config = LISTEN + "relay_clients: []\nlimits: { connections_per_client: 2 }\n"
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        first = [Client(g.ports[IMPLICIT], greeting=False) for _ in range(2)]
        wait_for(lambda: status(g)["sessions"] == 2, "the sessions")
        with Client(g.ports[IMPLICIT], greeting=False) as c:
            assert c.is_closed()
        with pytest.raises(AssertionError, match="421"):
            clear(g, STARTTLS)
        for c in first:
            c.close()
        wait_for(lambda: status(g)["sessions"] == 0, "the sessions' end")
        with secured(g, IMPLICIT) as c:
            assert c.code("NOOP") == 250


def status(g):
    return json.loads(g.tool("status", "--data", g.data, "--json", check=True).stdout)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize("version, good", [
    (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
    (ssl.TLSVersion.TLSv1_3, True)])
def test_versions(server, version, good):
    context = godwit.tls_context(version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with clear(server, STARTTLS) as c:
        if good:
            c.starttls(context)
            assert c.code("NOOP") == 250
        else:
            with pytest.raises((ssl.SSLError, OSError)):
                c.starttls(context)
            wait_for(lambda: server.events("tls-failed"), "the failure in the log")


def test_a_proxy_header_comes_before_the_handshake(sink, data):
    config = ('listen: [{ address: "127.0.0.1:0", tls: implicit, proxy: true }]\n'
              "proxy_from: [127.0.0.0/8]\nrelay_clients: [192.0.2.0/24]\n")
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        header = b"PROXY TCP4 192.0.2.7 192.0.2.1 1111 465\r\n"
        for pieces in ([header], [bytes([byte]) for byte in header]):
            with Client(g.port, greeting=False) as c:
                c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for piece in pieces:
                    c.send(piece)
                c.wrap()
                assert c.reply()[0] == 220
                assert c.message(b"proxied\r\n")[0] == 250
        assert "[192.0.2.7]" in sink.wait(2)[1].content.decode()


def test_our_own_certificate_stays_the_same(server, sink, data):
    with secured(server) as c:
        assert shown(c) == ["mx.godwit.test"]
        first = c.socket.getpeercert(binary_form=True)
    assert server.stop() == 0
    server.start()
    with secured(server, IMPLICIT) as c:
        assert c.socket.getpeercert(binary_form=True) == first
    told = json.loads(server.tool("cert", "--data", data, "--json", check=True).stdout)
    assert told["names"] == "mx.godwit.test" and told["file"] == "made by godwit itself"
    assert os.stat(os.path.join(data, "tls", "self.pem")).st_mode & 0o777 == 0o600


def test_our_own_certificate_needs_no_folder_and_no_pretty_name(sink, data):
    os.mkdir(data)
    with open(os.path.join(data, "tls"), "w"):
        pass                                # where the folder would be
    with Godwit(data, "--next-hop", sink.address, hostname="my_machine") as g:
        with secured(g) as c:
            assert shown(c) == ["my_machine"]
        assert any("cannot be kept" in e["text"] for e in g.events("certificate"))


def test_our_own_certificate_is_made_anew_when_it_is_not_good_now(sink, data, tmp_path):
    """As after a start with a clock that was years ahead."""
    os.makedirs(os.path.join(data, "tls"))
    pair = certificates.make(tmp_path, "mx.godwit.test", begins=5)
    kept = "".join(open(path).read() for path in pair)
    with open(os.path.join(data, "tls", "self.pem"), "w") as f:
        f.write(kept)
    with Godwit(data, "--next-hop", sink.address) as g, secured(g) as c:
        assert ssl.DER_cert_to_PEM_cert(c.socket.getpeercert(binary_form=True)) not in kept
        assert c.code("NOOP") == 250


def with_certificates(*pairs, more=""):
    listed = ", ".join(f"{{ cert: '{cert}', key: '{key}' }}" for cert, key in pairs)
    return LISTEN + f"tls: {{ certificates: [{listed}] }}\n" + more


def test_the_name_that_is_asked_for_chooses(sink, data, tmp_path):
    one = certificates.make(tmp_path, "one.test", "*.one.test")
    two = certificates.make(tmp_path, "two.test")
    config = with_certificates(one, two)
    with Godwit(data, "--next-hop", sink.address, listen=(), config=config) as g:
        for asked, names in (("two.test", ["two.test"]), ("a.one.test", ["one.test", "*.one.test"]),
                             ("a.b.one.test", ["one.test", "*.one.test"]),
                             (None, ["one.test", "*.one.test"])):
            with clear(g, STARTTLS) as c:
                c.starttls(name=asked)
                assert shown(c) == names
        lines = g.tool("cert", "--data", data, check=True).stdout
        assert re.search(r"^two\.test\n", lines, re.M) and "(in 89d)" in lines
        assert one[0] in lines


def test_two_kinds_of_key_for_one_name(sink, data, tmp_path):
    pairs = [certificates.make(tmp_path, "mx.test", kind=kind, stem=stem)
             for kind, stem in (("ec", "ec"), ("2048", "rsa"), ("2048", "other"))]
    with Godwit(data, "--next-hop", sink.address, listen=(),
                config=with_certificates(*pairs)) as g:
        for (cert, _), ciphers in zip(pairs, ("ECDHE-ECDSA-AES128-GCM-SHA256",
                                              "ECDHE-RSA-AES128-GCM-SHA256")):
            context = godwit.tls_context(ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(ciphers)
            with clear(g, STARTTLS) as c:
                c.starttls(context, "mx.test")
                assert c.socket.cipher()[0] == ciphers
                with open(cert) as f:       # the first of its kind
                    assert ssl.DER_cert_to_PEM_cert(c.socket.getpeercert(True)) == f.read()


def reload(g, config=None):
    if config is not None:
        with open(g.data + ".new", "w") as f:
            f.write(config)
        os.replace(g.data + ".new", g.data + ".yaml")
    return g.tool("reload", "--data", g.data)


def test_a_reload_shows_the_new_certificate_and_drops_nobody(sink, data, tmp_path):
    old = certificates.make(tmp_path, "old.test", stem="x")
    with Godwit(data, "--next-hop", sink.address, listen=(),
                config=with_certificates(old)) as g:
        before = secured(g)
        context = godwit.tls_context(ssl.TLSVersion.TLSv1_2)
        first = clear(g, STARTTLS)
        first.starttls(context)
        ticket = first.socket.session
        certificates.make(tmp_path, "new.test", stem="x")      # the same files, replaced
        assert reload(g).returncode == 0
        with secured(g) as c:
            assert shown(c) == ["new.test"]
        assert before.message(b"still here\r\n")[0] == 250
        with clear(g, STARTTLS) as c:
            c.ask("STARTTLS")
            c.socket = context.wrap_socket(c.socket, session=ticket)
            assert c.socket.session_reused
            assert c.code("NOOP") == 250
        before.close()
        first.close()


def test_certificates_that_cannot_be_used_are_named(sink, data, tmp_path):
    good = certificates.make(tmp_path, "good.test")
    other = certificates.make(tmp_path, "other.test")
    (tmp_path / "empty.pem").write_text("")
    weak = certificates.make(tmp_path, "weak.test", kind="1024")
    rows = [
        ((good[0], "/nowhere.key"), "tls.certificates[1].key: /nowhere.key: No such file"),
        ((str(tmp_path), good[1]), "this is not a file"),
        ((str(tmp_path / "empty.pem"), good[1]), "there is no certificate in PEM form in it"),
        ((good[0], str(tmp_path / "empty.pem")), "there is no private key in PEM form in it"),
        ((good[0], other[1]), "the key does not belong to the certificate"),
        (weak, "its key is too weak"),
    ]
    for pair, words in rows:
        g = Godwit(data, "--next-hop", sink.address, listen=(),
                   config=with_certificates(pair), start=False)
        g.start(wait=False)
        assert g.process.wait(30) == 78
        assert words in g.output()
        g.log.close()
    with Godwit(data, "--next-hop", sink.address, listen=(),
                config=with_certificates(good)) as g:
        for pair, words in rows:
            done = reload(g, with_certificates(pair))
            assert done.returncode != 0 and words in done.stderr
            with secured(g) as c:
                assert shown(c) == ["good.test"]


def test_a_certificate_near_its_end_is_told(sink, data, tmp_path):
    pair = certificates.make(tmp_path, "old.test", days=3)
    with Godwit(data, "--next-hop", sink.address, listen=(),
                config=with_certificates(pair)) as g:
        assert g.events("certificate")[0]["days_left"] == 2


def kill_engine(g):
    """kill -9 of the engine alone; the supervisor starts another."""
    engine = godwit.descendants(g.process.pid)[-1]
    begun = len(g.events("started"))
    os.kill(engine, signal.SIGKILL)
    wait_for(lambda: len(g.events("started")) > begun, "the next engine")


def held(pid):
    """The files that a process has open."""
    found = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):    # it was closed just now
            found.add(os.readlink(entry.path))
    return found


def test_the_engine_keeps_no_key_open(sink, data, tmp_path):
    pair = certificates.make(tmp_path, "mx.test")
    with Godwit(data, "--next-hop", sink.address, listen=(),
                config=with_certificates(pair)) as g:
        for then in (lambda: None, lambda: reload(g), lambda: kill_engine(g)):
            then()
            assert pair[1] in held(g.process.pid)
            assert pair[1] not in held(godwit.descendants(g.process.pid)[-1])


def test_a_pair_that_fits_no_more_does_not_end_an_engine_that_is_started_again(
        sink, data, tmp_path):
    pair = certificates.make(tmp_path, "good.test", stem="x")
    other = certificates.make(tmp_path, "other.test")
    with Godwit(data, "--next-hop", sink.address, listen=(),
                config=with_certificates(pair)) as g:
        os.replace(other[1], pair[1])
        kill_engine(g)
        assert "the key does not belong to the certificate" in g.output()
        with secured(g) as c:
            assert shown(c) == ["good.test"]
        certificates.make(tmp_path, "new.test", stem="y")
        for old, new in zip(pair, ("y.pem", "y.key")):
            os.replace(tmp_path / new, old)
        kill_engine(g)
        with secured(g) as c:
            assert shown(c) == ["new.test"]


def test_an_answer_that_nobody_waited_for_serves_no_later_reload(sink, data, tmp_path):
    """The engine is killed while it waits for the supervisor's answer."""
    pair = certificates.make(tmp_path, "one.test", stem="x")
    with Godwit(data, "--next-hop", sink.address, listen=(),
                config=with_certificates(pair)) as g:
        engine = godwit.descendants(g.process.pid)[-1]
        os.kill(g.process.pid, signal.SIGSTOP)
        asking = subprocess.Popen([godwit.PROGRAM, "reload", "--data", data],
                                  stderr=subprocess.DEVNULL)
        wait_for(lambda: "recvmsg" in waits_in(engine), "the engine to wait")
        os.kill(engine, signal.SIGKILL)
        asking.wait(30)
        os.kill(g.process.pid, signal.SIGCONT)
        wait_for(lambda: len(g.events("started")) == 2, "the next engine")
        certificates.make(tmp_path, "two.test", stem="y")
        for old, new in zip(pair, ("y.pem", "y.key")):
            os.replace(tmp_path / new, old)
        assert reload(g).returncode == 0
        with secured(g) as c:
            assert shown(c) == ["two.test"]


def waits_in(pid):
    """The system call that the main thread of a process waits in."""
    with open(f"/proc/{pid}/syscall") as f:
        number = f.read().split()[0]
    return "recvmsg" if number in ("47", "212") else number
