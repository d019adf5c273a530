"""What the engine and the process that reads strangers' content can do no more (HOSTILE 5.2).
A probe enters each sandbox and does what is forbidden."""
import os
import shutil
import subprocess

import pytest

import godwit
import peers
from godwit import wait_for

PROBE = os.path.join(os.path.dirname(godwit.PROGRAM), "probe_daemon_sandbox")
ALWAYS = {
    "link-within": "killed SYS", "device-within": "killed SYS", "execute": "killed SYS",
    "begin-process": "killed SYS", "trace": "killed SYS", "become-root": "killed SYS",
    "io-ring": "killed SYS", "signal-parent": "refused ENOSYS", "run-data": "refused ENOSYS",
    "map-both": "refused ENOSYS", "speak-packets": "refused ENOSYS",
    "cut-outside": "refused ENOSYS", "use-pair": "done", "use-memory": "done",
}
ENGINE = {
    **ALWAYS, "read-outside": "refused EACCES", "write-outside": "refused EACCES",
    "remove-outside": "refused EACCES", "read-names": "done", "write-within": "done",
    "speak-tcp": "done", "bind-port": "refused EACCES", "bind-any-port": "done",
}
CONTENT = {**ALWAYS, **{deed: "refused ENOSYS" for deed in (
    "read-outside", "write-outside", "remove-outside", "read-names", "write-within", "speak-tcp",
    "bind-port", "bind-any-port")}}


@pytest.mark.parametrize("role, expected", [("engine", ENGINE), ("content", CONTENT)])
def test_what_is_forbidden_fails(tmp_path, role, expected):
    folder, outside = tmp_path / "data", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("a secret")
    out = subprocess.run([PROBE, role, str(folder), str(outside)], check=True,
                         capture_output=True, text=True).stdout
    told = dict(line.split(" ", 1) for line in out.splitlines())
    assert told.pop("seccomp") == "on"
    abi = told.pop("landlock")
    wanted = dict(expected)
    if not abi.startswith("ABI"):  # an older kernel: files and ports are open
        for deed, fate in expected.items():
            if fate == "refused EACCES":
                wanted.pop(deed)
                told.pop(deed)
    elif int(abi.split()[1]) < 4 and role == "engine":
        wanted.pop("bind-port")
        told.pop("bind-port")
    assert told == wanted
    assert not outside.exists() or outside.read_text() == "a secret"


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def engines(g):
    return godwit.descendants(g.process.pid)


def test_the_engine_is_in_it(relay, sink):
    engine, = engines(relay)
    for task in os.listdir(f"/proc/{engine}/task"):
        status = status_of(f"{engine}/task/{task}")
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"), status["Name"]
    event = wait_for(lambda: relay.events("sandbox"), "the log")[0]
    assert event["seccomp"] == "on"
    with godwit.Client(relay.port) as c:
        assert c.message(b"Subject: x\r\n\r\nx\r\n")[0] == 250
    assert sink.wait(1)


def test_it_can_be_left_out(sink, data):
    with godwit.Godwit(data, "--next-hop", sink.address, config="sandbox: false\n") as g:
        engine, = engines(g)
        assert status_of(engine)["Seccomp"] == "0"
        event = wait_for(lambda: g.events("sandbox"), "the log")[0]
        assert event["seccomp"] == event["landlock"] == "off: sandbox: false"


def reload(g, text):
    with open(g.data + ".new", "w") as f:
        f.write(text)
    os.replace(g.data + ".new", g.data + ".yaml")
    return g.tool("reload", "--data", g.data)


def test_a_reload_cannot_widen_it(data, tmp_path):
    (tmp_path / "mail").mkdir()
    (tmp_path / "other").mkdir()
    domains = "domains: {{ a.test: {{ users: [ann], deliver: {{ maildir: '{0}' }} }} }}\n"
    with godwit.Godwit(data, config=domains.format(tmp_path / "mail" / "{user}")) as g:
        if not g.events("sandbox")[0]["landlock"].startswith("ABI"):
            pytest.skip("this kernel has no Landlock")
        refused = reload(g, domains.format(tmp_path / "other" / "{user}"))
        assert refused.returncode != 0
        assert f"{tmp_path}/other lies outside" in refused.stderr + refused.stdout
        assert reload(g, domains.format(tmp_path / "mail" / "{domain}" / "{user}")).returncode == 0
        with godwit.Client(g.port) as c:
            assert c.message(b"Subject: x\r\n\r\nx\r\n", recipients=["ann@a.test"])[0] == 250
        wait_for((tmp_path / "mail" / "a.test" / "ann" / "new").exists, "the mail")


def test_the_unit_of_systemd(tmp_path):
    """At most 2.1 by its own scale, of 10: what is left open is the network, and root at the
    start, who opens keys and becomes godwit."""
    program, environment = shutil.which("systemd-analyze"), {}
    if program is None:
        peers.need("systemd")
        program = peers.program("usr/bin/systemd-analyze")
        environment = {"LD_LIBRARY_PATH": os.path.join(
            os.path.dirname(peers.LIBRARIES.split(":")[2]), "x86_64-linux-gnu", "systemd")
            + ":" + peers.LIBRARIES}
    with open(os.path.join(godwit.TOP, "systemd", "godwit.service.in")) as f:
        unit = f.read().replace("@bindir@", "/usr/bin").replace("@sysconfdir@", "/etc")
    path = tmp_path / "godwit.service"
    path.write_text(unit)
    done = subprocess.run([program, "security", "--offline=yes", "--threshold=21", str(path)],
                          capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
    assert "ignoring" not in done.stderr
