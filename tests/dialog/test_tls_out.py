"""TLS and AUTH on the way out: RFC 3207, RFC 7435, RFC 8314 3.3, RFC 4954; HOSTILE 114, 124."""
import contextlib
import socket
import ssl

import pytest

import certificates
import godwit
from godwit import Client, Godwit, Sink, server_context, wait_for

NAME = "hop.test"
LATER = "queue: { retry_first: 1h, retry_jitter_percent: 0 }\n"
FAST = "queue: { retry_first: 100ms, retry_max: 200ms, retry_jitter_percent: 0 }\n"


@pytest.fixture
def pair(tmp_path):
    return certificates.make(tmp_path, NAME)


def route(sink, more="", extra=LATER):
    return f"routes: [{{ deliver: {{ smtp: '{sink.address}'{more} }} }}]\n{extra}"


def submit(g, content=b"Subject: x\r\n\r\nhi\r\n"):
    with Client(g.port) as c:
        assert c.message(content)[0] == 250


def relayed(g, count=1):
    return wait_for(lambda: len(g.events("relayed")) >= count and g.events("relayed"),
                    "it to be relayed")


def refused(g):
    """The event of the site; nothing was said to be delivered, and the mail waits."""
    event = wait_for(lambda: g.events("site-failed"), "the site to fail")[0]
    row, = g.queue()
    assert row["recipient"]["state"] == "queued"
    assert not g.events("relayed") and not g.events("failed")
    return event


def verbs(sink):
    return [command.split()[0] for command in sink.commands]


# ---- opportunistic ----

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_is_offered_is_used(data, pair, version):
    """All that was known in clear is forgotten: nothing of it is used."""
    with Sink(tls=server_context(*pair, version), under_tls=("8BITMIME",),
              extensions=("PIPELINING", "CHUNKING", "SIZE 5")) as sink, \
            Godwit(data, config=route(sink)) as g:
        submit(g)
        event, = relayed(g)
        assert verbs(sink)[:8] == ["CONNECT", "EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT",
                                   "DATA", "DOT"]
        assert sink.messages[0].options[0] == "FROM:<a@client.test>"
        name = version.name.replace("_", ".")
        assert sink.handshakes[0]["version"] == event["tls"] == name
        assert event["tls_wanted"] == "opportunistic" and event["cipher"]
        assert event["tls_verified"] is False
        assert event["tls_trouble"] == "self-signed certificate"


@pytest.mark.parametrize("more, trouble", [
    ({}, "self-signed certificate"), ({"days": -1}, "self-signed certificate"),
    ({"begins": 5}, "self-signed certificate"), ({"kind": "1024"}, "self-signed certificate")])
def test_124_any_certificate_is_good_enough_to_encrypt(data, tmp_path, more, trouble):
    cert, key = certificates.make(tmp_path, "some.where.else", **more)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(cert, key)
    with Sink(tls=context) as sink, Godwit(data, config=route(sink)) as g:
        submit(g)
        assert relayed(g)[0]["tls"] == "TLSv1.3"
        assert relayed(g)[0]["tls_trouble"] == trouble
        assert len(sink.handshakes) == 1


def test_a_good_certificate_is_told(data, pair, tmp_path):
    cert, key = certificates.make(tmp_path, "127.0.0.1", stem="ip")
    with Sink(tls=server_context(cert, key)) as sink, \
            Godwit(data, config=route(sink, f", ca: {cert}")) as g:
        submit(g)
        event, = relayed(g)
        assert event["tls_verified"] is True and "tls_trouble" not in event
        assert sink.handshakes[0]["name"] is None       # an address is never asked for


def test_not_offered_in_clear(data):
    with Sink() as sink, Godwit(data, config=route(sink)) as g:
        submit(g)
        event, = relayed(g)
        assert (event["tls"], event["tls_trouble"]) == ("none", "STARTTLS was not offered")
        assert "STARTTLS" not in verbs(sink)


def test_none_asks_for_nothing(data, pair):
    with Sink(tls=server_context(*pair)) as sink, \
            Godwit(data, config=route(sink, ", tls: none")) as g:
        submit(g)
        event, = relayed(g)
        assert (event["tls"], event["tls_wanted"]) == ("none", "none")
        assert "STARTTLS" not in verbs(sink)


@pytest.mark.parametrize("reply", [b"454 4.7.0 not now\r\n", b"502 5.5.1 what?\r\n"])
def test_a_refused_starttls_is_followed_by_clear_text_on_another_connection(data, pair, reply):
    script = lambda verb, argument, count: reply if verb == "STARTTLS" else None  # noqa: E731
    with Sink(tls=server_context(*pair), script=script) as sink, \
            Godwit(data, config=route(sink)) as g:
        submit(g)
        event, = relayed(g)
        assert (event["tls"], event["tls_wanted"]) == ("none", "opportunistic")
        assert event["tls_trouble"] == "STARTTLS was offered and then refused"
        assert verbs(sink)[:5] == ["CONNECT", "EHLO", "STARTTLS", "CONNECT", "EHLO"]
        assert sink.sessions == 2 and len(sink.messages) == 1
        submit(g)                               # the connection in clear serves on
        relayed(g, 2)
        assert sink.sessions == 2


class Broken(Sink):
    """What it does in place of a handshake, given the connection."""

    def __init__(self, instead, **more):
        super().__init__(**more)
        self.instead = instead
        self.after = []                         # what came after STARTTLS on the same one
        sink = self

        class Context:
            def wrap_socket(self, connection, server_side):
                sink.instead(connection)
                connection.settimeout(godwit.PATIENCE)
                with contextlib.suppress(OSError):
                    while data := connection.recv(65536):
                        sink.after.append(data)
                raise EOFError
        self.tls = Context()


def hear(connection):
    """The client's first words of TLS: its handshake has begun."""
    assert connection.recv(1) == b"\x16"
    connection.recv(65536)


def alert(connection):
    hear(connection)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


def close(connection):
    hear(connection)
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("instead, trouble", [
    (alert, "sslv3 alert handshake failure"), (close, None)])
def test_a_handshake_that_fails_is_followed_by_clear_text(data, instead, trouble):
    with Broken(instead) as sink, Godwit(data, config=route(sink)) as g:
        submit(g)
        event, = relayed(g)
        assert event["tls"] == "none"
        assert trouble is None or event["tls_trouble"] == trouble
        assert sink.sessions == 2


def test_a_handshake_that_stalls_is_followed_by_clear_text(data):
    with Broken(hear) as sink, \
            Godwit(data, config=route(sink, extra=LATER + "timeouts: { greeting: 300ms }\n")) as g:
        submit(g)
        assert relayed(g)[0]["tls_trouble"] == "the handshake took too long"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_of_old_is_not_spoken(data, pair):
    context = server_context(*pair)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Sink(tls=context) as sink, Godwit(data, config=route(sink)) as g:
        submit(g)
        assert relayed(g)[0]["tls"] == "none"
        assert not sink.handshakes


# ---- HOSTILE 114 ----

INJECTED = b"250-AUTH PLAIN\r\n250 ok\r\n"


def inject_later(connection):
    hear(connection)
    connection.sendall(INJECTED)


def inject_byte_by_byte(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in INJECTED:
        connection.sendall(bytes([byte]))


@pytest.mark.parametrize("level", ["opportunistic", "required"])
@pytest.mark.parametrize("how", ["one segment", "behind the handshake", "byte by byte"])
def test_114_what_stands_behind_the_220_ends_it(data, level, how):
    reply = b"220 go\r\n" + (INJECTED if how == "one segment" else b"")
    instead = {"one segment": lambda connection: None, "behind the handshake": inject_later,
               "byte by byte": inject_byte_by_byte}[how]
    script = lambda verb, argument, count: reply if verb == "STARTTLS" else None  # noqa: E731
    with Broken(instead, script=script) as sink, \
            Godwit(data, config=route(sink, f", tls: {level}")) as g:
        submit(g)
        event = refused(g)
        assert event["status"] in ("4.5.0", "4.7.5")
        wait_for(lambda: not sink.connections, "the end of the connection")
        assert sink.sessions == 1 and not sink.messages
        assert verbs(sink) == ["CONNECT", "EHLO", "STARTTLS"]
        assert not any(b"MAIL" in piece or b"AUTH" in piece for piece in sink.after)


# ---- required, verified, implicit ----

def test_required_takes_any_certificate(data, pair):
    with Sink(tls=server_context(*pair)) as sink, \
            Godwit(data, config=route(sink, ", tls: required")) as g:
        submit(g)
        event, = relayed(g)
        assert (event["tls"], event["tls_wanted"]) == ("TLSv1.3", "required")
        assert event["tls_wanted_by"] == "the route"


@pytest.mark.parametrize("level", ["required", "verified"])
def test_what_is_required_and_not_offered_waits(data, level):
    with Sink() as sink, Godwit(data, config=route(sink, f", tls: {level}")) as g:
        submit(g)
        event = refused(g)
        assert event["status"] == "4.7.4" and event["tls_wanted"] == level
        assert "TLS is required, and the other side does not offer it" in event["reply"]
        assert verbs(sink) == ["CONNECT", "EHLO"] and sink.sessions == 1
        assert "4.7.4" in g.tool("queue", "list", "--data", data, check=True).stdout


def test_what_is_required_and_fails_waits(data, pair):
    script = lambda verb, *_: b"454 4.7.0 no\r\n" if verb == "STARTTLS" else None  # noqa: E731
    for sink in (Sink(tls=server_context(*pair), script=script), Broken(alert), Broken(close)):
        with sink, Godwit(data + sink.address, config=route(sink, ", tls: required")) as g:
            submit(g)
            assert refused(g)["status"] in ("4.7.4", "4.7.5")
            assert sink.sessions == 1 and not sink.messages and "MAIL" not in verbs(sink)


@pytest.mark.parametrize("names, made, asked, trouble", [
    (["hop.test"], {}, "hop.test", None),
    (["*.hop.test"], {}, "a.hop.test", None),
    (["a.hop.test"], {}, ".hop.test", None),
    (["127.0.0.1"], {}, None, None),
    (["127.0.0.1"], {}, "127.0.0.1", None),
    (["*.hop.test"], {}, "a.b.hop.test", "hostname mismatch"),
    (["hop.test"], {}, None, "IP address mismatch"),
    (["hop.test"], {"days": -1}, "hop.test", "certificate has expired"),
    (["hop.test"], {"begins": 5}, "hop.test", "certificate is not yet valid"),
    (["hop.test"], {"kind": "1024"}, "hop.test", "EE certificate key too weak")])
@pytest.mark.parametrize("level", ["verified", "implicit"])
def test_verified(data, tmp_path, level, names, made, asked, trouble):
    cert, key = certificates.make(tmp_path, *names, stem="x", **made)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(cert, key)
    more = f", tls: {level}, ca: {cert}" + (f", name: {asked}" if asked else "")
    with Sink(tls=context, implicit=level == "implicit") as sink, \
            Godwit(data, config=route(sink, more)) as g:
        submit(g)
        if trouble is None:
            event, = relayed(g)
            assert event["tls_verified"] is True and event["tls_wanted"] == "verified"
        else:
            event = refused(g)
            assert event["status"] == "4.7.5" and trouble in event["reply"]
            assert not sink.messages and "MAIL" not in verbs(sink)


def test_verified_by_nobody(data, pair):
    """Without `ca` the machine's issuers count, who know nothing of this one."""
    with Sink(tls=server_context(*pair)) as sink, \
            Godwit(data, config=route(sink, f", tls: verified, name: {NAME}")) as g:
        submit(g)
        assert "self-signed certificate" in refused(g)["reply"]


def test_the_machines_issuers_are_believed(data, pair):
    with Sink(tls=server_context(*pair)) as sink, \
            Godwit(data, config=route(sink, f", tls: verified, name: {NAME}"),
                   environment={"SSL_CERT_FILE": pair[0]}) as g:
        submit(g)
        assert relayed(g)[0]["tls_verified"] is True


def test_implicit_to_who_speaks_in_clear(data):
    with Sink() as sink, \
            Godwit(data, config=route(sink, ", tls: implicit")) as g:
        submit(g)
        assert refused(g)["status"] == "4.7.5"
        assert not sink.messages


def test_we_show_a_certificate_of_ours(data, pair, tmp_path):
    ours = certificates.make(tmp_path, "mx.godwit.test", stem="ours")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Sink(tls=server_context(*pair, version, clients=ours[0])) as sink:
            more = f", tls: required, certificate: {{ cert: {ours[0]}, key: {ours[1]} }}"
            with Godwit(data + version.name, config=route(sink, more)) as g:
                submit(g)
                relayed(g)
                with open(ours[0]) as f:
                    assert ssl.DER_cert_to_PEM_cert(sink.handshakes[0]["client"]) == f.read()


def test_two_routes_to_one_host_share_no_connection(data, pair):
    with Sink(tls=server_context(*pair)) as sink:
        config = ("routes:\n"
                  f"  - {{ to: '@one.test', deliver: {{ smtp: '{sink.address}', tls: none }} }}\n"
                  f"  - {{ to: '@two.test', deliver: {{ smtp: '{sink.address}', tls: required }} }}\n")
        with Godwit(data, config=config) as g:
            for domain in ("one.test", "two.test") * 2:
                with Client(g.port) as c:
                    assert c.message(b"x\r\n", recipients=(f"a@{domain}",))[0] == 250
            events = relayed(g, 4)
            assert {(e["to"], e["tls"]) for e in events} == {
                ("a@one.test", "none"), ("a@two.test", "TLSv1.3")}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(data, pair, version):
    one_each = FAST + "sites: { default: { messages_per_connection: 1 } }\nthreads: 1\n"
    with Sink(tls=server_context(*pair, version)) as sink, \
            Godwit(data, config=route(sink, extra=one_each)) as g:
        for count in range(1, 4):
            submit(g)
            relayed(g, count)
        assert [h["resumed"] for h in sink.handshakes] == [False, True, True]
        assert [e["tls_resumed"] for e in g.events("relayed")] == [False, True, True]


# ---- what a host has shown before ----

def test_a_downgrade_is_noticed_also_after_a_start(data, pair):
    with Sink(tls=server_context(*pair)) as sink, \
            Godwit(data, config=route(sink, extra=LATER + "timeouts: { idle: 1ms }\n")) as g:
        submit(g)
        assert "tls_before" not in relayed(g)[0]
        offered, sink.tls = sink.tls, None      # somebody strips STARTTLS
        submit(g)
        event = relayed(g, 2)[1]
        assert event["tls_before"] == "required" and event["level"] == "warning"
        assert g.stop() == 0
        g.start()
        submit(g)
        event, = relayed(g)
        assert (event["tls"], event["tls_before"]) == ("none", "required")
        sink.tls = offered
        wait_for(lambda: not sink.connections, "the idle connection's end")
        submit(g)
        assert "tls_before" not in relayed(g, 2)[1]


def test_a_downgrade_is_refused_where_that_is_wanted(data, pair):
    extra = (FAST + "timeouts: { idle: 1ms }\n"
             "sites: { default: { tls_downgrade: refuse } }\n")
    with Sink(tls=server_context(*pair)) as sink, Godwit(data, config=route(sink, extra=extra)) as g:
        submit(g)
        relayed(g)
        offered, sink.tls = sink.tls, None
        wait_for(lambda: not sink.connections, "the idle connection's end")
        submit(g)
        event = wait_for(lambda: g.events("site-failed"), "the refusal")[0]
        assert event["status"] == "4.7.4" and event["tls_before"] == "required"
        assert event["tls_wanted_by"] == "what the host has shown before"
        assert len(sink.messages) == 1
        sink.tls = offered
        relayed(g, 2)                           # it waited for that


# ---- who we are ----

USER, PASSWORD = "godwit@hop.test", "canary-7f3a pass\u00e4"


@pytest.fixture
def password(tmp_path):
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    return path


def with_auth(pair, password, more="", tls="verified"):
    return (f", tls: {tls}, ca: {pair[0]}, name: {NAME}, "
            f"auth: {{ user: {USER}, password_file: {password}{more} }}")


def no_canary(g, data):
    assert "canary" not in g.output()
    assert "canary" not in g.tool("config", "show", "--config", data + ".yaml").stdout


@pytest.mark.parametrize("tls", ["verified", "implicit"])
@pytest.mark.parametrize("offered, used", [
    (("PLAIN",), "PLAIN"), (("LOGIN",), "LOGIN"), (("LOGIN", "PLAIN"), "PLAIN"),
    (("PLAIN", "SCRAM-SHA-1"), "SCRAM-SHA-1"),
    (("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5"), "SCRAM-SHA-256")])
def test_auth(data, pair, password, tls, offered, used):
    with Sink(tls=server_context(*pair), implicit=tls == "implicit", auth={USER: PASSWORD},
              mechanisms=offered) as sink, \
            Godwit(data, config=route(sink, with_auth(pair, password, tls=tls))) as g:
        submit(g)
        event, = relayed(g)
        assert event["authenticated"] is True
        assert [c for c in sink.commands if c.startswith("AUTH")] == ["AUTH " + used]
        submit(g)                               # on the same connection: once is enough
        relayed(g, 2)
        assert verbs(sink).count("AUTH") == 1
        no_canary(g, data)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"])
def test_a_wrong_password_is_no_reason_to_bounce(data, pair, password, mechanism):
    more = f", mechanism: {mechanism.lower()}"
    password.write_text("token-1")
    with Sink(tls=server_context(*pair), auth={USER: "token-2"}, mechanisms=(mechanism,)) as sink, \
            Godwit(data, config=route(sink, with_auth(pair, password, more), FAST)) as g:
        submit(g)
        event = refused(g)
        assert event["status"] == "4.7.8" and "authentication was refused: 535" in event["reply"]
        sink.auth = {USER: "token-1"}
        assert relayed(g)[0]["authenticated"] is True


def test_a_server_that_does_not_know_the_password_gets_no_mail(data, pair, password):
    script = lambda verb, *_: "forge" if verb == "SIGNATURE" else None  # noqa: E731
    with Sink(tls=server_context(*pair), auth={USER: PASSWORD}, script=script,
              mechanisms=("SCRAM-SHA-256",)) as sink, \
            Godwit(data, config=route(sink, with_auth(pair, password))) as g:
        submit(g)
        assert "does not keep to the mechanism" in refused(g)["reply"]
        assert not sink.messages


@pytest.mark.parametrize("over, tls, said", [
    ("encrypted", "required", True), ("clear", "none", True), ("clear", "opportunistic", True)])
def test_a_password_over_less(data, pair, password, over, tls, said):
    sink = Sink(tls=server_context(*pair) if tls == "required" else None, auth={USER: PASSWORD})
    more = f", tls: {tls}, auth: {{ user: {USER}, password_file: {password}, over: {over} }}"
    with sink, Godwit(data, config=route(sink, more)) as g:
        submit(g)
        assert relayed(g)[0]["authenticated"] is said


def test_no_password_before_tls_nor_to_another(data, pair, password, tmp_path):
    """AUTH is offered in clear; and by who has another certificate."""
    other = certificates.make(tmp_path, "other.test")
    for tls in (None, server_context(*other)):
        with Sink(tls=tls, auth={USER: PASSWORD}) as sink, \
                Godwit(data + str(tls is None), config=route(sink, with_auth(pair, password))) as g:
            submit(g)
            refused(g)
            assert "AUTH" not in verbs(sink)


def test_auth_that_is_not_offered(data, pair, password):
    with Sink(tls=server_context(*pair)) as sink, \
            Godwit(data, config=route(sink, with_auth(pair, password))) as g:
        submit(g)
        event = refused(g)
        assert event["status"] == "4.7.0" and "offers no way to authenticate" in event["reply"]
        assert "MAIL" not in verbs(sink)


# ---- files ----

def test_files_that_cannot_be_used_are_named(data, pair, password, tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("one\ntwo\n")
    empty, two = tmp_path / "empty", tmp_path / "two"
    other = certificates.make(tmp_path, "other.test")
    rows = [
        (", ca: /nowhere", "deliver.ca: /nowhere: No such file"),
        (f", ca: {tmp_path}", "this is not a file"),
        (f", ca: {empty}", "there is no certificate in PEM form in it"),
        (f", certificate: {{ cert: {pair[0]}, key: {other[1]} }}",
         "deliver.certificate.cert: " + pair[0] + ": the key does not belong"),
        (with_auth(pair, empty), "there is no password in it"),
        (with_auth(pair, two), "the password is more than one line of text"),
    ]
    with Sink() as sink:
        for more, words in rows:
            g = Godwit(data, config=route(sink, more), start=False)
            g.start(wait=False)
            assert g.process.wait(30) == 78
            assert words in g.output()
            g.log.close()
        with Godwit(data, config=route(sink)) as g:
            for more, words in rows:
                with open(data + ".yaml", "w") as f:
                    f.write(route(sink, more))
                done = g.tool("reload", "--data", data)
                assert done.returncode != 0 and words in done.stderr
            submit(g)
            relayed(g)


def test_a_reload_reads_the_password_again(data, pair, password):
    password.write_text("old")
    with Sink(tls=server_context(*pair), auth={USER: PASSWORD}) as sink, \
            Godwit(data, config=route(sink, with_auth(pair, password), FAST)) as g:
        submit(g)
        assert refused(g)["status"] == "4.7.8"
        password.write_text(PASSWORD)
        assert g.tool("reload", "--data", data).returncode == 0
        relayed(g)
