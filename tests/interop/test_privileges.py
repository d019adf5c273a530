"""Started by root, godwit is nobody's root: in a mount namespace whose /etc/passwd names the
user that it becomes, it gives away what it must and no more."""
import glob
import os
import re
import signal
import subprocess

import pytest

import certificates
import godwit
from godwit import Godwit, wait_for

USER, OTHER = 64200, 64201
INSIDE = ('mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && '
          'exec "$@"')


@pytest.fixture
def house(tmp_path):
    """A folder that others may pass through, with the users' names in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    for name, lines in (("passwd", f"godwit:x:{USER}:{USER}::/nonexistent:/bin/false\n"
                                   f"other:x:{OTHER}:{OTHER}::/nonexistent:/bin/false\n"),
                        ("group", f"godwit:x:{USER}:\nother:x:{OTHER}:\n")):
        with open(f"/etc/{name}") as f:
            known = "".join(line for line in f if not line.startswith(("godwit:", "other:")))
        (tmp_path / name).write_text(known + lines)
    folder = str(tmp_path)
    while folder not in ("/", "/tmp"):
        os.chmod(folder, os.stat(folder).st_mode | 0o055)
        folder = os.path.dirname(folder)
    probe = subprocess.run(["unshare", "-m", "sh", "-c", INSIDE, str(tmp_path), "true"],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"may not make a mount namespace: {probe.stderr}")
    return tmp_path


def within(house):
    return ("unshare", "-m", "sh", "-c", INSIDE, str(house))


def facts(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def owners(folder):
    return {os.lstat(path).st_uid for path in
            [folder, *glob.glob(os.path.join(folder, "**", "*"), recursive=True)]}


def tool(house, *arguments, user=None, input=None):
    become = () if user is None else ("setpriv", f"--reuid={user}", f"--regid={user}",
                                      "--clear-groups", "--")
    return subprocess.run([*within(house), *become, godwit.PROGRAM, *arguments], text=True,
                          capture_output=True, timeout=60, input=input)


def test_the_engine_runs_as_the_user_and_owns_what_it_makes(house, sink):
    data = str(house / "data")
    log = house / "log"
    log.mkdir()
    os.chown(log, USER, USER)
    config = f"log: {{ file: '{log}/godwit.log' }}\nroutes: [{{ deliver: capture }}]\n" \
        "listen: [{ address: '127.0.0.1:0', role: submission }]\n"
    with Godwit(data, listen=(), config=config, wrapper=within(house), start=False) as g:
        g.start(wait=False)
        g.ports = wait_for(g._listening, "the ports")
        engine, = godwit.descendants(g.process.pid)
        status = facts(engine)
        assert status["Uid"].split() == [str(USER)] * 4
        assert status["Gid"].split() == [str(USER)] * 4
        assert status["Groups"].split() in ([], [str(USER)])
        assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        with godwit.Client(g.port) as c:
            assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="")[0] == 250
        wait_for(lambda: glob.glob(data + "/captured/new/*"), "the mail")
        assert owners(data) == {USER} and owners(str(log)) == {USER}
        assert os.stat(data).st_mode & 0o777 == 0o700
        assert tool(house, "status", "--data", data).returncode == 0
        assert tool(house, "status", "--data", data, user=USER).returncode == 0
        refused = tool(house, "status", "--data", data, user=OTHER)
        assert refused.returncode != 0 and "another user" in refused.stderr
        assert g.stop() == 0


def test_what_root_leaves_in_the_maildrop_is_sent(house, sink):
    data = str(house / "data")
    with Godwit(data, "--next-hop", sink.address, wrapper=within(house)) as g:
        assert g.stop() == 0
    for user in (None, USER):
        done = tool(house, "sendmail", "--data", data, "--server", "127.0.0.1:9", "b@far.test",
                    user=user, input="Subject: x\n\nhi\n")
        assert done.returncode == 0, done.stderr
    done = tool(house, "sendmail", "--data", data, "--server", "127.0.0.1:9", "b@far.test",
                user=OTHER, input="Subject: x\n\nhi\n")
    assert done.returncode == 75 and "Permission denied" in done.stderr
    with Godwit(data, "--next-hop", sink.address, wrapper=within(house)):
        sink.wait(2)
    assert owners(data) == {USER}


def test_a_folder_that_is_somebody_elses_is_not_given_away(house):
    data = house / "data"
    data.mkdir()
    (data / "precious").write_text("x")
    with Godwit(str(data), wrapper=within(house), start=False) as g:
        g.start(wait=False)
        assert g.process.wait(godwit.PATIENCE) == 73
        assert re.search(r"belongs to another user than 'godwit'.*chown -R", g.output())
    assert os.stat(data).st_uid == 0


def test_an_empty_folder_is_given_away(house):
    data = house / "data"
    data.mkdir()
    with Godwit(str(data), wrapper=within(house)):
        assert os.stat(data).st_uid == USER


def test_a_user_who_does_not_exist_is_an_error(house):
    with Godwit(str(house / "data"), config="user: nobody-at-all\n", wrapper=within(house),
                start=False) as g:
        g.start(wait=False)
        assert g.process.wait(godwit.PATIENCE) == 78
        assert "there is no user 'nobody-at-all'" in g.output()


def test_the_user_may_be_root_by_name(house):
    with Godwit(str(house / "data"), config="user: root\n", wrapper=within(house)) as g:
        engine, = godwit.descendants(g.process.pid)
        assert facts(engine)["Uid"].split() == ["0"] * 4
        assert "staying root" not in g.output()


def test_keys_that_only_root_may_read_serve_also_after_a_reload(house, sink):
    data = str(house / "data")
    secret = house / "secret"
    secret.mkdir(mode=0o700)

    def make(name):
        paths = certificates.make(secret, name, stem="mx")
        os.chmod(paths[1], 0o600)
        return paths

    def shown(g):
        with godwit.Client(g.port, channel="starttls") as c:
            return c.socket.getpeercert(binary_form=True)

    cert, key = make("one.test")
    config = f"tls: {{ certificates: [{{ cert: '{cert}', key: '{key}' }}] }}\n"
    with Godwit(data, "--next-hop", sink.address, config=config, wrapper=within(house)) as g:
        first = shown(g)
        make("two.test")
        assert tool(house, "reload", "--data", data).returncode == 0
        second = shown(g)
        assert first != second
        engine, = godwit.descendants(g.process.pid)
        make("three.test")           # not asked for: the next engine goes on with the second
        before = len(g.events("started"))
        os.kill(engine, signal.SIGKILL)
        wait_for(lambda: len(g.events("started")) > before, "another engine")
        assert shown(g) != first
        os.unlink(key)
        refused = tool(house, "reload", "--data", data)
        assert refused.returncode != 0 and "mx.key: No such file" in refused.stderr
        wait_for(lambda: shown(g), "service")


def test_ports_below_1024_are_bound_before_root_is_left(house, network, sink):
    with Godwit(str(house / "data"), "--capture", listen=("127.0.0.1:25",),
                wrapper=within(house)) as g:
        engine, = godwit.descendants(g.process.pid)
        assert facts(engine)["Uid"].split() == [str(USER)] * 4
        with godwit.Client(25) as c:
            assert c.code("NOOP") == 250
