"""Looking on: what happens and what is said, by filter, without keeping mail waiting."""
import base64
import contextlib
import json
import os
import signal
import subprocess

from godwit import PROGRAM, Client, Godwit, Sink, wait_for

MAIL = b"Subject: x\r\n\r\nhi\r\n"


def noop(g, source="127.0.0.77"):
    with contextlib.suppress(EOFError):
        with Client(g.port, channel="clear", source=source) as c:
            c.code("NOOP")


@contextlib.contextmanager
def trace(g, tmp_path, *arguments, probe=noop):
    """A running trace and its lines so far; it has shown a probe when this begins."""
    path = str(tmp_path / "trace.out")
    with open(path, "w") as out:
        # What runs in the background of a shell has it ignored, and so have its children.
        process = subprocess.Popen(
            [g.command[0], "trace", "--data", g.data, "--json", *arguments], stdout=out,
            stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def lines():
        with open(path) as f:
            return [json.loads(line) for line in f.read().split("\n")[:-1]]

    def listens():
        probe(g)
        return process.poll() is not None or lines()
    try:
        wait_for(listens, "the trace to listen")
        yield process, lines
    finally:
        process.kill()
        process.communicate()


def send(g, sender="a@client.test", recipient="b@far.test", source=None):
    with Client(g.port, channel="clear", source=source) as c:
        assert c.message(MAIL, sender=sender, recipients=[recipient])[0] == 250


def test_a_dialogue_and_a_life_are_followed(data, tmp_path):
    with Sink() as sink, Godwit(data, "--next-hop", sink.address) as g:
        with trace(g, tmp_path) as (_, lines):
            with Client(g.port, channel="clear") as c:
                assert c.message(MAIL)[0] == 250
            wait_for(lambda: any(e["event"] == "relayed" for e in lines()), "its end")
            said = [(e["who"], e["text"]) for e in lines() if e["event"] == "line"]
            assert ("client", "MAIL FROM:<a@client.test>") in said
            assert any(who == "godwit" and text.startswith("250 2.0.0 Ok: queued")
                       for who, text in said)
            assert any(who == "server" and text.startswith("220 ") for who, text in said)
            assert not any(text == "hi" for _, text in said)         # no content
            (accepted,) = [e for e in lines() if e["event"] == "accepted"]
            assert accepted["from"] == "a@client.test" and accepted["to"] == ["b@far.test"]


def test_a_filter_shows_what_belongs_to_it_alone(data, tmp_path):
    def has_ended(lines):
        return any(e["event"] == "relayed" and e["to"] == "b@far.test" for e in lines())
    with Sink() as sink, Godwit(data, "--next-hop", sink.address) as g:
        with trace(g, tmp_path, "--from", "one@client.test",
                   probe=lambda g: send(g, "one@client.test", "probe@far.test")) as (_, lines):
            send(g, "two@client.test")
            send(g, "one@client.test")
            wait_for(lambda: has_ended(lines), "its end")
            assert not any("two@" in json.dumps(e) for e in lines())
        with trace(g, tmp_path, "--client", "127.0.0.5",
                   probe=lambda g: noop(g, "127.0.0.5")) as (_, lines):
            send(g, source="127.0.0.1")
            send(g, source="127.0.0.5")
            wait_for(lambda: has_ended(lines), "its end")
            peers = {e["peer"] for e in lines() if e["event"] in ("accepted", "line")}
            assert peers and all(p.startswith("[127.0.0.5]") for p in peers)
            assert sum(e["event"] == "relayed" for e in lines()) == 1


def test_passwords_are_not_shown(data, tmp_path):
    users = str(tmp_path / "users")
    subprocess.run([PROGRAM, "user", "add", "ann", "--file", users], input="open sesame\n",
                   text=True, check=True, capture_output=True, timeout=60)
    secret = base64.b64encode(b"\0ann@home.test\0open sesame").decode()
    config = ("listen: [{ address: '127.0.0.1:0', auth: offered, auth_in_clear: true }]\n"
              f"domains: {{ home.test: {{ users: {users}, deliver: {{ maildir: '{tmp_path}/m' }} }} }}\n")
    with Godwit(data, listen=[], config=config) as g:
        with trace(g, tmp_path) as (_, lines):
            with Client(g.port, channel="clear") as c:
                assert c.code("EHLO client.test") == 250
                assert c.code("AUTH PLAIN " + secret) == 235
                assert c.code("NOOP") == 250
            wait_for(lambda: any(e["event"] == "login" for e in lines()), "the login")
            texts = [e["text"] for e in lines() if e["event"] == "line"]
            assert "AUTH PLAIN <hidden>" in texts
            assert secret not in json.dumps(lines()) and "sesame" not in json.dumps(lines())


def test_it_ends_by_itself_and_by_ctrl_c(data, tmp_path):
    with Godwit(data, "--hold") as g:
        done = g.tool("trace", "--for", "1s", "--data", data)
        assert done.returncode == 0 and done.stderr == ""
        assert g.tool("trace", "--for", "soon", "--data", data).returncode == 64
        assert "no address" in g.tool("trace", "--client", "x", "--data", data).stderr
        with trace(g, tmp_path) as (process, _):
            process.send_signal(signal.SIGINT)
            process.wait(30)
        with Client(g.port) as c:
            assert c.message(MAIL)[0] == 250


def test_who_does_not_read_loses_lines_and_mail_goes_on(data, tmp_path):
    with Godwit(data, "--hold", config="limits: { junk_commands: 1000000 }\n") as g:
        with trace(g, tmp_path) as (process, lines):
            os.kill(process.pid, signal.SIGSTOP)
            with Client(g.port, channel="clear") as c:
                for _ in range(300):       # 60,000 lines in all
                    c.send(b"NOOP\r\n" * 100)
                    for _ in range(100):
                        assert c.reply()[0] == 250
            with Client(g.port) as c:
                assert c.message(MAIL)[0] == 250
            os.kill(process.pid, signal.SIGCONT)

            def is_told():
                with Client(g.port) as c:
                    c.code("NOOP")
                return any(e["event"] == "lost" and e["count"] > 0 for e in lines())
            wait_for(is_told, "the count of what was lost")
