"""People's programs log in and hand over mail: client, channel, mechanism."""
import base64
import subprocess

import pytest

import godwit
import peers

CONTENT = (b"From: Anna <anna@home.test>\r\nTo: <who@far.test>\r\nSubject: interop\r\n"
           b"Message-ID: <1@home.test>\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n"
           b"\r\n.\r\n..\r\n.dot\r\n" + b"x" * 900 + b"\r\n \r\nend\r\n")
CONFIG = """
listen:
  - {{ address: "127.0.0.1:0", role: submission, tls: none, auth_in_clear: true }}
  - {{ address: "127.0.0.1:0", role: submission, tls: required }}
  - {{ address: "127.0.0.1:0", role: submission, tls: implicit }}
relay_clients: []
domains: {{ home.test: {{ users: {users}, deliver: discard }} }}
"""
CHANNELS = ("clear", "starttls", "implicit")
SENDER, RECIPIENT, USER, PASSWORD = "anna@home.test", "who@far.test", "anna@home.test", "pen cil"


def swaks(port, channel, mechanism, path):
    tls = {"clear": [], "starttls": ["--tls"], "implicit": ["--tls-on-connect"]}[channel]
    return [peers.available("swaks"), "--server", f"127.0.0.1:{port}", "--from", SENDER, "--to",
            RECIPIENT, "--data", f"@{path}", "--helo", "client.test", *tls, "--auth", mechanism,
            "--auth-user", USER, "--auth-password", PASSWORD]


def curl(port, channel, mechanism, path):
    return [peers.available("curl"), "-sSk", *(["--ssl-reqd"] if channel == "starttls" else []),
            f"smtp{'s' if channel == 'implicit' else ''}://127.0.0.1:{port}/client.test",
            "--login-options", f"AUTH={mechanism}", "--user", f"{USER}:{PASSWORD}",
            "--mail-from", SENDER, "--mail-rcpt", RECIPIENT, "--upload-file", path, "--crlf"]


def msmtp(port, channel, mechanism, path):
    tls = {"clear": "--tls=off", "starttls": "--tls=on --tls-starttls=on",
           "implicit": "--tls=on --tls-starttls=off"}[channel]
    return ["sh", "-c", f"exec {peers.available('msmtp')} --host=127.0.0.1 --port={port} {tls} "
            f"--tls-certcheck=off --auth={mechanism.lower()} --user={USER} "
            f"--passwordeval='echo {PASSWORD}' --from={SENDER} --domain=client.test "
            f"--undisclosed-recipients=off --remove-bcc-headers=off {RECIPIENT} < {path}"]


def smtplib(port, channel, mechanism, path):
    program = """
import smtplib, ssl, sys
port, channel, mechanism, path, sender, to, user, password = sys.argv[1:]
context = ssl._create_unverified_context()
client = smtplib.SMTP_SSL("127.0.0.1", int(port), context=context) if channel == "implicit" \\
    else smtplib.SMTP("127.0.0.1", int(port))
if channel == "starttls":
    client.starttls(context=context)
client.ehlo("client.test")
client.user, client.password = user, password
client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
client.sendmail(sender, to, open(path, "rb").read().replace(b"\\n", b"\\r\\n"))
client.quit()
"""
    return ["/usr/bin/python3", "-c", program, str(port), channel, mechanism, path, SENDER,
            RECIPIENT, USER, PASSWORD]


def nodemailer(port, channel, mechanism, path):
    script = peers.os.path.join(godwit.TOP, "tests", "clients", "send.js")
    return ["env", f"NODE_PATH={peers.node_modules()}", peers.available("node"), script, str(port),
            channel, mechanism, path, SENDER, RECIPIENT, USER, PASSWORD]


CELLS = [(client, mechanism) for client in (swaks, curl, msmtp, smtplib, nodemailer)
         for mechanism in ("PLAIN", "LOGIN")] + [(msmtp, "SCRAM-SHA-256"), (msmtp, "SCRAM-SHA-1")]


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("users") / "users")
    subprocess.run([godwit.PROGRAM, "user", "add", "anna", "--file", path], check=True,
                   input=PASSWORD + "\n", text=True, capture_output=True, timeout=60)
    return path


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("client,mechanism", CELLS)
def test_logs_in_and_hands_over(sink, data, users, tmp_path, client, mechanism, channel):
    path = str(tmp_path / "mail")
    with open(path, "wb") as f:
        f.write(CONTENT.replace(b"\r\n", b"\n"))
    with godwit.Godwit(data, "--next-hop", sink.address, listen=(),
                       config=CONFIG.format(users=users)) as g:
        command = client(g.ports[CHANNELS.index(channel)], channel, mechanism, path)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        message = sink.wait(1)[0]
        with_what = b"ESMTPA" if channel == "clear" else b"ESMTPSA"
        assert b" with " + with_what in message.content
        # Some clients end with an empty line of their own.
        assert godwit.without_trace(message.content).rstrip(b"\r\n") == CONTENT.rstrip(b"\r\n")
        godwit.wait_for(lambda: g.events("login"), "the log")
        login = g.events("login")[0]
        assert login["account"] == USER and login["mechanism"].removesuffix("-PLUS") == mechanism


def test_where_it_came_from_may_be_hidden(sink, data, users, tmp_path):
    path = str(tmp_path / "mail")
    with open(path, "wb") as f:
        f.write(CONTENT.replace(b"\r\n", b"\n"))
    config = CONFIG.replace("deliver: discard", "hide_client: true, deliver: discard")
    with godwit.Godwit(data, "--next-hop", sink.address, listen=(),
                       config=config.format(users=users)) as g:
        subprocess.run(smtplib(g.ports[2], "implicit", "PLAIN", path), check=True, timeout=60,
                       capture_output=True)
        trace = sink.wait(1)[0].content.split(b"From: Anna")[0]
        assert b"Received: by " in trace and b" with ESMTPSA" in trace
        assert b"client.test" not in trace and b"127.0.0.1" not in trace


DOVECOT = """
listen: [{{ address: "127.0.0.1:0", role: submission, auth_in_clear: true }}]
relay_clients: []
auth: {{ dovecot: "{socket}" }}
domains: {{ far.test: {{ users: [anna, bert], deliver: discard }} }}
"""


def test_dovecot_knows_the_passwords(sink, data, tmp_path):
    """Its socket for authentication clients; when it is gone nobody is refused for good."""
    def log_in(g, name, password):
        with godwit.Client(g.port, channel="clear") as c:
            offered = c.ask("EHLO client.test")[1]
            assert "AUTH PLAIN LOGIN" in offered.split("\n")
            proof = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
            code = c.code("AUTH PLAIN " + proof)
            if code == 235:
                assert c.code("MAIL FROM:<anna@far.test>") == (250 if "anna" in name else 553)
            return code
    with peers.dovecot(str(tmp_path / "peer")) as peer:
        socket = peer.path("run", "auth-here")
        with godwit.Godwit(data, "--next-hop", sink.address, listen=(),
                           config=DOVECOT.format(socket=socket)) as g:
            assert log_in(g, "anna@far.test", "pen cil") == 235
            assert log_in(g, "bert@far.test", "pen cil") == 235
            assert log_in(g, "anna@far.test", "pencil") == 535
            assert log_in(g, "nobody@far.test", "pen cil") == 535
            godwit.wait_for(lambda: len(g.events("login")) == 2, "the log")
            assert {e["account"] for e in g.events("login")} == {"anna@far.test", "bert@far.test"}
            peer.stop()
            assert log_in(g, "anna@far.test", "pen cil") == 454
