"""The rows of bench.py about TLS and log-ins."""
import base64
import os
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import time

import certificates
import godwit
import peers

ROUNDS = 3
TRIES = 400
HANDSHAKE_SECONDS = 3


class OpenSSL:
    """OpenSSL's own server: a handshake and nothing else."""

    def __init__(self, cert, key, version):
        self.port = peers.free_port()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", cert, "-key",
             key, "-quiet", version], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        godwit.wait_for(self._answers, "OpenSSL's server")

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def handshakes(port, version, how):
    """A second, as the client counts them."""
    done = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", how, version,
                           "-time", str(HANDSHAKE_SECONDS)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    found = re.findall(r"(\d+) connections in (\d+) real seconds", done.stdout)
    assert found, done.stdout + done.stderr
    count, seconds = map(int, found[0])
    return count / max(1, seconds)


def row_handshakes(table):
    """TLS 1.2: s_time knows no other way to resume a session."""
    rows = [("", "full a second", "resumed a second")]
    with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
        cert, key = certificates.make(pathlib.Path(folder), "mx.godwit.test")
        config = (f"tls: {{ certificates: [{{ cert: {cert}, key: {key} }}] }}\n"
                  "listen: [{ address: '127.0.0.1:0', tls: implicit }]\n")
        with OpenSSL(cert, key, "-tls1_2") as bare, peers.postfix(
                os.path.join(folder, "postfix"), tls=(cert, key), implicit=True) as postfix, godwit.Godwit(
                os.path.join(folder, "data"), "--hold", listen=(), config=config) as g:
            sides = {"godwit": g.port, "Postfix": postfix.port, "openssl s_server": bare.port}
            rates = {name: {"-new": [], "-reuse": []} for name in sides}
            for _ in range(ROUNDS):
                for name, port in sides.items():
                    for how in ("-new", "-reuse"):
                        rates[name][how].append(handshakes(port, "-tls1_2", how))
    for name in sides:
        rows.append((name, *(f"{statistics.median(rates[name][how]):.0f}"
                             for how in ("-new", "-reuse"))))
    table("TLS handshakes, one client after another", rows)


def time_of(c, proof):
    start = time.monotonic()
    code = c.code("AUTH PLAIN " + proof)
    assert code == 535, code
    return time.monotonic() - start


def row_login(table):
    """A wrong password of somebody, and of nobody, in turn."""
    with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
        users = os.path.join(folder, "users")
        subprocess.run([godwit.PROGRAM, "user", "add", "ann", "--file", users], check=True,
                       input="pencil\n", text=True, capture_output=True)
        config = (f"listen: [{{ address: '127.0.0.1:0', role: submission, auth_in_clear: true }}]\n"
                  f"domains: {{ home.test: {{ users: {users}, deliver: discard }} }}\n"
                  "auth: { failures: 1000, delay: 0ms, delay_max: 0ms }\nlimits: { errors: 100000 }\n")
        times = {"ann": [], "bob": []}
        with godwit.Godwit(os.path.join(folder, "data"), listen=(), config=config) as g:
            with godwit.Client(g.port, channel="clear") as c:
                c.ask("EHLO bench.test")
                for turn in range(TRIES):
                    for name in sorted(times, reverse=turn % 2):
                        proof = base64.b64encode(f"\0{name}\0wrong".encode()).decode()
                        times[name].append(time_of(c, proof))
    known, unknown = (statistics.median(times[name]) for name in ("ann", "bob"))
    apart = abs(known - unknown) / known
    table(f"a wrong password, {TRIES} times each", [
        ("", "ms, median"), ("of somebody", f"{1e3 * known:.2f}"),
        ("of nobody", f"{1e3 * unknown:.2f}"),
        ("apart, less than 2 %", f"{100 * apart:.2f} %", "met" if apart < 0.02 else "MISSED")])
