"""What was captured is released: through the MTA's own queue, to allowed recipients, and nobody else."""
import os
import re
import signal
import subprocess

import pytest

import box
import godwit

EVIL = b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nFrom: a@app.test\r\nTo: x@else.test\r\nDKIM-Signature: v=1; kept\r\n\r\n.dot\r\n..two\r\n8bit \xc3\xbc\r\n"


def captured(sandbox, message, **more):
    """Its id, when it can be found."""
    id = sandbox.deliver(message, **more)
    godwit.wait_for(lambda: sandbox.ask("GET", f"{box.OWN}/messages/{id}").status == 200, "the message")
    return id


@pytest.fixture(scope="module")
def outside():
    """Another sandbox, in the place of the world."""
    with box.Sandbox() as s:
        yield s


@pytest.fixture(scope="module")
def sandbox(outside):
    with box.Sandbox("--relay", f"127.0.0.1:{outside.smtp}", "--release-to", "*@team.test", "--release-to", "boss@corp.test") as s:
        yield s


def test_released_to_whom_it_is_allowed(sandbox, outside):
    id = captured(sandbox, EVIL, sender="bounces@app.test", to=("x@else.test",))
    answer = sandbox.own("POST", f"/messages/{id}/release", {"to": ["One@TEAM.test", "boss@corp.test"]})
    assert answer["released"] is True and answer["queued"]
    all = outside.wait(search="to:x@else.test", count=2)["messages"]
    assert sorted(m["envelope"]["to"][0] for m in all) == ["One@TEAM.test", "boss@corp.test"]
    got = all[0]
    assert got["envelope"]["from"] == "bounces@app.test"
    raw = outside.ask("GET", f"{box.OWN}/messages/{got['id']}/raw").body
    assert raw.endswith(EVIL) and raw.startswith(b"Received: ")
    assert sandbox.own("GET", "/messages")["count"] == 1, "it came back"


@pytest.mark.parametrize("to, word", [
    (["x@else.test"], "--release-to"), (["a@team.test", "x@else.test"], "--release-to"), ([], "1 to 100"),
    (["a@team.test.evil.test"], "--release-to"), (["no address"], "no address"), (["a@team.test\r\nRCPT TO:<x@y>"], "no address"),
    (["<a@team.test>"], "no address"), ("a@team.test", "'to'"), ([1], "'to'"), (None, "'to'")])
def test_nobody_else(sandbox, outside, to, word):
    id = captured(sandbox, box.mail("kept in"))
    answer = sandbox.ask("POST", f"{box.OWN}/messages/{id}/release", {"to": to})
    assert answer.status == 400 and word in answer.json["message"]
    assert outside.own("GET", "/messages?search=subject:kept")["count"] == 0


def test_a_key_releases_its_own(sandbox, key):
    id = captured(sandbox, box.mail("whose"))
    assert sandbox.ask("POST", f"{box.OWN}/messages/{id}/release", {"to": ["a@team.test"]}, key=key).status == 404
    assert sandbox.ask("POST", f"{box.OWN}/messages/none/release", {"to": ["a@team.test"]}).status == 404


def test_off_unless_said():
    with box.Sandbox() as s:
        id = captured(s, box.mail("x"))
        answer = s.ask("POST", f"{box.OWN}/messages/{id}/release", {"to": ["a@team.test"]})
        assert answer.status == 403 and "--relay" in answer.json["message"]
        assert s.ask("POST", f"/api/v1/message/{id}/release", {"To": ["a@team.test"]}).status == 400
        assert s.ask("GET", "/api/v1/webui").json["MessageRelay"]["Enabled"] is False


@pytest.mark.parametrize("flags", [["--relay", "127.0.0.1:1"], ["--release-to", "*"]])
def test_one_needs_the_other(flags):
    done = subprocess.run([godwit.PROGRAM, "sandbox", *flags], capture_output=True, text=True, timeout=20)
    assert done.returncode == 64 and "--release-to" in done.stderr


def test_the_dialects(sandbox, outside):
    id = captured(sandbox, box.mail("by dialect", to="a@team.test"), to=("a@team.test",))
    assert sandbox.ask("POST", f"/api/v1/message/{id}/release", {"To": ["pit@team.test"]}).text == "ok"
    assert sandbox.ask("POST", f"/api/v1/messages/{id}/release", {"host": "evil.test", "port": "25", "email": "hog@team.test"}).status == 200
    assert sandbox.ask("POST", f"/email/{id}/relay").status == 200
    assert sandbox.ask("POST", f"/email/{id}/relay/dev@team.test").status == 200
    got = outside.wait(search="subject:dialect", count=4)["messages"]
    assert sorted(m["envelope"]["to"][0] for m in got) == ["a@team.test", "dev@team.test", "hog@team.test", "pit@team.test"]
    assert sandbox.ask("GET", "/api/v1/webui").json["MessageRelay"] == {
        **sandbox.ask("GET", "/api/v1/webui").json["MessageRelay"], "Enabled": True, "AllowedRecipients": "*@team.test|boss@corp.test"}
    for path, body in (("/api/v1/message/{}/release", {"To": ["x@else.test"]}), ("/api/v1/messages/{}/release", {"email": "x@else.test"}),
                       ("/email/{}/relay/x@else.test", None)):
        assert sandbox.ask("POST", path.format(id), body).status in (400, 500)


def test_a_queue_that_keeps_it_until_it_can_be_sent(tmp_path):
    """The world is not there at first, the sandbox is killed meanwhile, and the mail goes out all the same."""
    outside = box.Sandbox()
    port = outside.smtp
    outside.stop()
    flags = ("--relay", f"127.0.0.1:{port}", "--release-to", "*@team.test")
    s = box.Sandbox(*flags, data=str(tmp_path))
    id = captured(s, box.mail("in the end"))
    assert s.own("POST", f"/messages/{id}/release", {"to": ["a@team.test"]})["released"]
    family = godwit.descendants(s.process.pid)
    os.kill(s.process.pid, signal.SIGKILL)
    s.process.wait()
    godwit.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family), "the end of all")
    s.stop()
    outside.command[outside.command.index("127.0.0.1:0")] = f"127.0.0.1:{port}"
    outside.said = ""
    outside.start()
    s.said = ""
    s.start()
    try:
        assert outside.wait(search="subject:end", timeout="60s")["count"] == 1
    finally:
        s.stop()
        outside.stop()


def test_by_a_configuration(tmp_path, outside):
    """Its routes, its name; a message is signed as it says."""
    key = tmp_path / "k.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], check=True)
    os.chmod(key, 0o600)
    config = tmp_path / "out.yaml"
    config.write_text(f"""hostname: relay.app.test
domains:
  app.test:
    dkim: [{{ selector: s1, key: {key} }}]
routes:
  - {{ deliver: {{ smtp: "127.0.0.1:{outside.smtp}" }} }}
""")
    with box.Sandbox("--relay-config", str(config), "--release-to", "*@team.test") as s:
        id = captured(s, box.mail("signed", sender="a@app.test"), sender="a@app.test")
        s.own("POST", f"/messages/{id}/release", {"to": ["a@team.test"]})
        got = outside.wait(search="subject:signed")["message"]
        raw = outside.ask("GET", f"{box.OWN}/messages/{got['id']}/raw").body
        assert re.search(rb"DKIM-Signature: .*d=app\.test", raw) and b"by relay.app.test" in raw
