"""Starting godwit, speaking to it, and receiving what it sends.

Nothing here sleeps for luck: everything waits for a condition, with a deadline.
"""
import base64
import contextlib
import collections
import glob
import hashlib
import hmac
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("GODWIT", os.path.join(TOP, "build", "godwit"))
VECTORS = os.path.join(os.path.dirname(TOP), "shared", "vectors")
PATIENCE = 30.0


def wait_for(condition, what, patience=PATIENCE):
    """The first true value of condition(); fails after the patience."""
    end = time.monotonic() + patience
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def descendants(pid):
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path) as f:
                children = [int(child) for child in f.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


class Godwit:
    """A running `godwit serve`. Its output is kept; `ports` are where it listens."""

    def __init__(self, data, *arguments, listen=("127.0.0.1:0",), config=None,
                 hostname="mx.godwit.test", wrapper=(), start=True, environment=None,
                 beside=None):
        self.data = data
        beside = beside or data.rstrip("/")   # log and configuration: this and an ending
        self.log_path = beside + ".log"
        self.command = [*wrapper, PROGRAM, "serve", "--data", data, "--log", "json",
                        *arguments]
        if hostname:
            self.command += ["--hostname", hostname]
        for address in listen:
            self.command += ["--listen", address]
        if config is not None:
            path = beside + ".yaml"
            with open(path, "w") as f:
                f.write(config)
            self.command += ["--config", path]
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.ports = []
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self, wait=True):
        self.log = open(self.log_path, "ab")
        self.log_start = self.log.tell()
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL, env=self.environment,
                                        start_new_session=True)
        if wait:
            wait_for(self._is_ready, "godwit to be ready")
            self.ports = self._listening()
        return self

    def output(self):
        with open(self.log_path, "rb") as f:
            f.seek(self.log_start)
            return f.read().decode("utf-8", "replace")

    def _listening(self):
        return [int(p) for p in re.findall(r"listening on \[[^\]]*\]:(\d+)", self.output())]

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"godwit ended with {self.process.returncode}:\n"
                                 + self.output())
        return '"started"' in self.output()

    @property
    def port(self):
        return self.ports[0]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def stop(self, patience=PATIENCE):
        """SIGTERM, and the exit code."""
        self.process.terminate()
        code = self.process.wait(patience)
        self.log.close()
        return code

    def kill(self):
        """kill -9 of the supervisor and of its engine, as the oom killer would."""
        if self.process is not None and self.process.poll() is None:
            # The engine is not our child: a descriptor tells when all of it is gone.
            inner = []
            for pid in descendants(self.process.pid):
                with contextlib.suppress(ProcessLookupError):    # it ended just now
                    inner.append(os.pidfd_open(pid))
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait(PATIENCE)
            for pidfd in inner:
                assert select.select([pidfd], [], [], PATIENCE)[0], "the engine lives on"
                os.close(pidfd)
        if self.process is not None:
            self.log.close()

    def events(self, name=None):
        import json
        found = []
        for line in self.output().splitlines():
            if line.startswith("{"):
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if name is None or event["event"] == name:
                    found.append(event)
        return found

    def recipients(self, *names):
        """Of whom an event tells, sorted. The log comes a moment after the deed."""
        return sorted(event["to"] for name in names for event in self.events(name))

    def tool(self, *arguments, input=None, check=False):
        return subprocess.run([PROGRAM, *arguments], input=input, text=True,
                              capture_output=True, timeout=60, check=check)

    def queue(self):
        import json
        done = self.tool("queue", "list", "--data", self.data, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line]


# GODWIT_CHANNEL=starttls: every client of the dialogues goes over to TLS first.
CHANNEL = os.environ.get("GODWIT_CHANNEL", "clear")


def tls_context(version=None):
    """A client that believes everybody, as senders of mail do without a policy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def server_context(cert, key, version=None, clients=None):
    """A server with this pair, which may want certificates that `clients` vouch for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Client:
    """A bare SMTP client: what is sent is what was given, byte by byte."""

    def __init__(self, port, host="127.0.0.1", greeting=True, timeout=PATIENCE, channel=None,
                 source=None):
        channel = channel or (CHANNEL if greeting else "clear")
        self.socket = socket.create_connection(
            (host, port), timeout, source and (source, 0))
        self.buffer = b""
        if channel == "implicit":
            self.wrap()
        if greeting:
            code, text = self.reply()
            assert code == 220, (code, text)
        if channel == "starttls":
            self.starttls()

    def wrap(self, context=None, name=None):
        assert self.buffer == b""
        self.socket = (context or tls_context()).wrap_socket(self.socket, server_hostname=name)

    def starttls(self, context=None, name=None):
        code, text = self.ask("STARTTLS")
        assert code == 220, (code, text)
        self.wrap(context, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _line(self):
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the server closed")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), line
        return line[:-1]

    def reply(self):
        lines = []
        while True:
            line = self._line()
            lines.append(line[4:].decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(lines)

    def ask(self, command):
        self.send(command.encode() + b"\r\n" if isinstance(command, str) else command)
        return self.reply()

    def code(self, command):
        return self.ask(command)[0]

    def is_closed(self):
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except (ConnectionResetError, ssl.SSLEOFError):
            return True

    def envelope(self, sender="a@client.test", recipients=("b@far.test",), helo="client.test"):
        assert self.code(f"EHLO {helo}") == 250
        assert self.code(f"MAIL FROM:<{sender}>") == 250
        for recipient in recipients:
            assert self.code(f"RCPT TO:<{recipient}>") == 250

    def message(self, content, sender="a@client.test", recipients=("b@far.test",)):
        """Hands over a message (CRLF, dots not stuffed); the reply."""
        self.envelope(sender, recipients)
        assert self.code("DATA") == 354
        stuffed = re.sub(rb"(?m)^\.", b"..", content)
        if stuffed and not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        self.send(stuffed + b".\r\n")
        return self.reply()


Received = collections.namedtuple("Received", "sender recipients content options helo")


class Sink:
    """An SMTP (or LMTP) receiver that keeps what it is given and answers as told.

    `script(verb, argument, count)` may return a reply (bytes), None for the usual one,
    or "drop" to close the connection.

    `tls` is a server's ssl.SSLContext: STARTTLS is offered, or with `implicit` the
    connection begins with it; `under_tls` are the extensions that are offered then.
    `handshakes` tells of each one. `auth` maps users to passwords: AUTH is offered by
    `mechanisms`, and MAIL refused without it.
    """

    def __init__(self, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN",
                                   "ENHANCEDSTATUSCODES"), script=None, lmtp=False,
                 host="127.0.0.1", tls=None, implicit=False, under_tls=None, auth=None,
                 mechanisms=("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256")):
        self.tls = tls
        self.implicit = implicit
        self.under_tls = under_tls
        self.auth = auth
        self.mechanisms = mechanisms
        self.handshakes = []
        self.extensions = list(extensions)
        self.script = script or (lambda verb, argument, count: None)
        self.lmtp = lmtp
        self.messages = []
        self.sessions = 0
        self.commands = []
        self.lock = threading.Lock()
        self.listener = socket.create_server((host, 0), backlog=512)
        self.host = host
        self.port = self.listener.getsockname()[1]
        self.closing = False
        self.connections = set()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.closing = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            for connection in list(self.connections):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _serve(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.sessions += 1
                self.connections.add(connection)
            threading.Thread(target=self._session, args=(connection,), daemon=True).start()

    def _session(self, connection):
        session = SinkSession(self, connection)
        try:
            if self.implicit:
                session.secure()
            session.run()
        except (OSError, EOFError):
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
            session.connection.close()

    def wait(self, count, patience=PATIENCE):
        wait_for(lambda: len(self.messages) >= count, f"{count} messages", patience)
        return self.messages


class SinkSession:
    def __init__(self, sink, connection):
        self.sink = sink
        self.connection = connection
        self.file = connection.makefile("rb")
        self.counts = collections.Counter()
        self.helo = ""
        self.secured = False
        self.user = None
        self.reset()

    def secure(self):
        asked = []
        self.sink.tls.sni_callback = lambda _, name, __: asked.append(name)
        self.connection = self.sink.tls.wrap_socket(self.connection, server_side=True)
        self.file = self.connection.makefile("rb")
        self.secured = True
        with self.sink.lock:
            self.sink.handshakes.append({
                "version": self.connection.version(), "name": asked[0] if asked else None,
                "resumed": self.connection.session_reused,
                "client": self.connection.getpeercert(binary_form=True)})

    def reset(self):
        self.sender = None
        self.recipients = []
        self.options = []
        self.chunks = b""

    def say(self, reply):
        self.connection.sendall(reply)

    def decide(self, verb, argument, usual):
        self.counts[verb] += 1
        with self.sink.lock:
            self.sink.commands.append(verb + (" " + argument if argument else ""))
        reply = self.sink.script(verb, argument, self.counts[verb])
        if reply == "drop":
            raise EOFError
        reply = usual if reply is None else reply
        self.say(reply)
        return reply[:1] in b"23"

    def run(self):
        if not self.decide("CONNECT", "", b"220 sink.test ESMTP\r\n"):
            return
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n") or line.startswith(b"\x16\x03"):
                return                      # gone, in a line perhaps; or TLS, to us in clear
            assert line.endswith(b"\r\n") and b"\r" not in line[:-2], line
            verb, _, argument = line[:-2].decode("utf-8", "replace").partition(" ")
            if not self.command(verb.upper(), argument):
                return

    def command(self, verb, argument):
        if verb in ("EHLO", "LHLO", "HELO"):
            self.helo = argument
            lines = ["sink.test"] + (self.offers() if verb != "HELO" else [])
            text = "".join(f"250{'-' if i + 1 < len(lines) else ' '}{line}\r\n"
                           for i, line in enumerate(lines))
            self.decide(verb, argument, text.encode())
            self.reset()
        elif verb == "STARTTLS" and self.sink.tls and not self.secured:
            if self.decide(verb, argument, b"220 2.0.0 go\r\n"):
                self.secure()
                self.reset()
        elif verb == "AUTH" and self.sink.auth:
            self.authenticate(argument)
        elif verb == "MAIL" and self.sink.auth and self.user is None:
            self.decide(verb, argument, b"530 5.7.0 who are you?\r\n")
        elif verb == "MAIL":
            if self.decide(verb, argument, b"250 2.1.0 ok\r\n"):
                self.sender = re.match(r"FROM:<(.*?)>", argument, re.I).group(1)
                self.options.append(argument)
        elif verb == "RCPT":
            usual = b"250 2.1.5 ok\r\n" if self.sender is not None else b"503 5.5.1 MAIL?\r\n"
            if self.decide(verb, argument, usual):
                self.recipients.append(re.match(r"TO:<(.*)>", argument, re.I).group(1))
                self.options.append(argument)
        elif verb == "DATA":
            usual = b"354 go on\r\n" if self.recipients else b"554 5.5.1 no recipients\r\n"
            if self.decide(verb, argument, usual):
                self.data()
        elif verb == "BDAT":
            self.bdat(argument)
        elif verb == "QUIT":
            self.decide(verb, argument, b"221 2.0.0 bye\r\n")
            return False
        elif verb == "RSET":
            self.reset()
            self.decide(verb, argument, b"250 2.0.0 ok\r\n")
        else:
            self.decide(verb, argument, b"500 5.5.2 what?\r\n")
        return True

    def offers(self):
        lines = list(self.sink.extensions)
        if self.secured and self.sink.under_tls is not None:
            lines = list(self.sink.under_tls)
        if self.sink.tls and not self.secured:
            lines.append("STARTTLS")
        if self.sink.auth:
            lines.append("AUTH " + " ".join(self.sink.mechanisms))
        return lines

    def challenge(self, text):
        self.say(b"334 " + base64.b64encode(text) + b"\r\n")
        line = self.file.readline()
        if not line:
            raise EOFError
        assert line.endswith(b"\r\n"), line
        return base64.b64decode(line[:-2], validate=True)

    def authenticate(self, argument):
        mechanism, _, first = argument.partition(" ")
        assert len(argument) <= 505, argument
        first = base64.b64decode(first) if first not in ("", "=") else b""
        user = None
        if mechanism == "PLAIN":
            _, name, password = (first or self.challenge(b"")).split(b"\0")
            user = self.known(name, password)
        elif mechanism == "LOGIN":
            name = self.challenge(b"Username:")
            user = self.known(name, self.challenge(b"Password:"))
        elif mechanism.startswith("SCRAM-"):
            user = self.scram("sha1" if mechanism.endswith("-1") else "sha256", first)
        else:
            user = self.known(*re.search(b"a?=([^,\1]+),?\1auth=Bearer ([^\1]+)\1\1$",
                                         first).groups())
            if user is None:
                self.challenge(b'{"status":"401"}')
        if self.decide("AUTH", mechanism, b"235 2.7.0 in\r\n" if user else
                       b"535 5.7.8 no\r\n"):
            self.user = user

    def known(self, name, password):
        good = self.sink.auth.get(name.decode()) == password.decode()
        return name.decode() if good else None

    def scram(self, digest, first):
        """RFC 5802 5: the server's side."""
        bare = first[len(b"n,,"):]
        name, nonce = re.fullmatch(rb"n=([^,]*),r=(.+)", bare).groups()
        salt, nonce = os.urandom(12), nonce + b"server"
        says = b"r=%s,s=%s,i=4096" % (nonce, base64.b64encode(salt))
        final = self.challenge(says)
        without, proof = final.rsplit(b",p=", 1)
        salted = hashlib.pbkdf2_hmac(digest, self.sink.auth[name.decode()].encode(), salt, 4096)
        mac = lambda key, text: hmac.digest(key, text, digest)  # noqa: E731
        message = bare + b"," + says + b"," + without
        key = bytes(a ^ b for a, b in zip(
            base64.b64decode(proof),
            mac(hashlib.new(digest, mac(salted, b"Client Key")).digest(), message)))
        if hashlib.new(digest, key).digest() != \
                hashlib.new(digest, mac(salted, b"Client Key")).digest():
            return None
        signature = mac(mac(salted, b"Server Key"), message)
        if self.sink.script("SIGNATURE", "", 1) == "forge":
            signature = bytes(len(signature))
        assert self.challenge(b"v=" + base64.b64encode(signature)) == b""
        return name.decode()

    def data(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            assert line.endswith(b"\r\n"), line
            assert b"\r" not in line[:-2] and b"\0" not in line, line
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        self.ended(b"".join(lines))

    def bdat(self, argument):
        size, _, last = argument.partition(" ")
        data = self.file.read(int(size))
        if len(data) < int(size):
            raise EOFError
        if not self.recipients:
            self.decide("BDAT", argument, b"554 5.5.1 no recipients\r\n")
            return
        self.chunks += data
        if last.upper() == "LAST":
            self.ended(self.chunks)
        else:
            self.decide("BDAT", argument, b"250 2.0.0 ok\r\n")

    def ended(self, content):
        message = Received(self.sender, list(self.recipients), content, list(self.options),
                           self.helo)
        if not self.recipients:
            self.decide("DOT", "", b"554 5.5.1 no recipients\r\n")
        elif self.sink.lmtp:
            taken = [r for r in self.recipients
                     if self.decide("DOT", r, b"250 2.0.0 taken\r\n")]
            if taken:
                self.keep(message._replace(recipients=taken))
        elif self.decide("DOT", "", b"250 2.0.0 taken\r\n"):
            self.keep(message)
        self.reset()

    def keep(self, message):
        with self.sink.lock:
            self.sink.messages.append(message)


def without_trace(content):
    """The content without the Received field that godwit put in front."""
    return re.sub(rb"\A(Received:[^\r]*\r\n([ \t][^\r]*\r\n)*)", b"", content)
