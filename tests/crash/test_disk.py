"""A disk that is full, that fails, that forgets, that lies.

GODWIT_CUTS=500 for the long run of power cuts, GODWIT_LIVES=60 for that of crashes in a
row on a small disk.
"""
import os
import random
import shutil
import subprocess

import pytest

import godwit
import oracle as oracles
import rig
from godwit import Client

CUTS = int(os.environ.get("GODWIT_CUTS", "3"))
LIVES = int(os.environ.get("GODWIT_LIVES", "8"))


def make_ext4(image, size):
    with open(image, "wb") as f:
        f.truncate(size)
    made = subprocess.run(["mkfs.ext4", "-q", "-F", image], capture_output=True, text=True,
                          env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    if made.returncode != 0:
        pytest.skip(f"no ext4: {made.stderr}")


def test_power_cut_on_ext4(tmp_path):
    """Half of the cuts find godwit frozen, as a real one would; in the other half it runs
    on for a moment over a disk that is gone, and must not believe it."""
    image, folder = str(tmp_path / "image"), str(tmp_path / "disk")
    make_ext4(image, 1 << 30)
    moments = random.Random(11)
    with oracles.Oracle(seed=11) as oracle:
        mount = rig.Mount(folder, "-o", "loop", image)
        try:
            os.chmod(folder, 0o755)
            g = rig.make(os.path.join(folder, "data"), oracle, start=False,
                         beside=str(tmp_path / "godwit"))
            with g:
                g.start()
                with oracles.Load(oracle, lambda: g.port) as load:
                    for cut in range(CUTS):
                        enough = len(oracle.acked) + moments.choice((1, 3, 10, 40))
                        godwit.wait_for(lambda: len(oracle.acked) >= enough, "some messages")
                        if cut % 2 == 1:
                            rig.freeze(g)
                        if not rig.cut_power(folder):
                            pytest.skip("may not shut a file system down")
                        oracle.fault()
                        g.kill()
                        mount.unmount()
                        mount = rig.Mount(folder, "-o", "loop", image)
                        g.start()
                oracle.wait_for_all()
                print(oracle.judge(rig.queued(g)), dict(load.codes))
        finally:
            mount.unmount()
            os.unlink(image)


@pytest.mark.parametrize("mib", [16, 192])
def test_many_crashes_on_a_small_disk(tmp_path, mib):
    """Each life is killed, half of them on a full disk: the next one starts."""
    image, folder = str(tmp_path / "image"), str(tmp_path / "disk")
    make_ext4(image, mib << 20)
    sizes = (500, 3000, 20000) if mib == 16 else (3000, 70000, 300000)
    with oracles.Oracle(seed=19) as oracle, rig.Mount(folder, "-o", "loop", image):
        os.chmod(folder, 0o755)
        g = rig.make(os.path.join(folder, "data"), oracle, start=False,
                     beside=str(tmp_path / "godwit"))
        with g:
            g.start()
            with oracles.Load(oracle, lambda: g.port, sizes=sizes) as load:
                for life in range(LIVES):
                    oracle.paused = life % 4 > 1     # then the queue keeps it all
                    acked, refused = len(oracle.acked), load.codes[452]
                    godwit.wait_for(lambda: len(oracle.acked) >= acked + 100
                                    or load.codes[452] > refused, "some messages, or 452")
                    rig.kill_all(g, oracle)
            oracle.paused = False
            oracle.wait_for_all(180)
            assert not load.troubles
            print(oracle.judge(rig.queued(g)), dict(load.codes))


def fill(path):
    """Takes all the room that is left; the files' names."""
    name = os.path.join(path, "filler")
    with open(name, "wb", buffering=0) as f:
        for size in (1 << 20, 1 << 12):
            try:
                while f.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return name


@pytest.mark.parametrize("size", ["8m", "40m", "160m"])
def test_full_disk(tmp_path, size):
    """452 4.3.1 and nothing lost; when there is room again, it goes on by itself."""
    folder = str(tmp_path / "disk")
    with oracles.Oracle(seed=12) as oracle, \
            rig.Mount(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        g = rig.make(os.path.join(folder, "data"), oracle, start=False,
                     beside=str(tmp_path / "godwit"))
        sizes = (500, 3000, 20000) if size == "8m" else (3000, 70000, 300000)
        with g:
            g.start()
            with oracles.Load(oracle, lambda: g.port, sizes=sizes) as load:
                godwit.wait_for(lambda: len(oracle.acked) >= 20, "some messages")
                oracle.paused = True          # so that the queue must keep it all
                filler = fill(folder)
                godwit.wait_for(lambda: load.codes[452] >= 5, "452")
                before = len(oracle.acked)
                os.unlink(filler)
                godwit.wait_for(lambda: len(oracle.acked) >= before + 10, "room again")
                oracle.paused = False
            assert set(load.codes) <= {250, 452, "gone"}, load.codes
            assert not load.troubles
            oracle.wait_for_all()
            print(oracle.judge(rig.queued(g)), dict(load.codes))


def test_full_disk_still_lets_mail_out(tmp_path):
    """Outcomes have a reserve: what was queued leaves a disk that is full, once."""
    folder = str(tmp_path / "disk")
    with oracles.Oracle(seed=13, fates=("take", "later")) as oracle, \
            rig.Mount(folder, "-t", "tmpfs", "-o", "size=160m", "tmpfs"):
        g = rig.make(os.path.join(folder, "data"), oracle, start=False,
                     beside=str(tmp_path / "godwit"))
        with g:
            g.start()
            oracle.paused = True
            with oracles.Load(oracle, lambda: g.port, sizes=(3000, 70000, 300000)) as load:
                godwit.wait_for(lambda: len(oracle.acked) >= 50, "a queue")
                fill(folder)
                godwit.wait_for(lambda: load.codes[452] >= 1, "452")
            oracle.paused = False
            oracle.wait_for_all()
            godwit.wait_for(lambda: rig.drained(g), "an empty queue")
            counts = oracle.judge()
            assert counts["twice"] == 0
            print(counts, dict(load.codes))


@pytest.mark.parametrize("call,error", [("fdatasync", "EIO"), ("pwritev", "EIO")])
def test_failed_write_or_sync(tmp_path, call, error):
    """After a failed sync nothing is acknowledged any more; the process ends, recovers."""
    data = str(tmp_path / "data")
    wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
               "-e", f"inject={call}:error={error}:when=6"]
    with oracles.Oracle(seed=14) as oracle, \
            rig.make(data, oracle, wrapper=wrapper, start=False) as g:
        g.start(wait=False)
        godwit.wait_for(lambda: g.events("started") or "the spool failed" in g.output(), "a start")
        g.ports = g._listening()
        with oracles.Load(oracle, lambda: g.port if g.ports else 1):
            godwit.wait_for(lambda: "the spool failed" in g.output(), "the failure")
            oracle.fault()
            g.kill()
        with rig.make(data, oracle) as g:
            oracle.wait_for_all()
            oracle.judge(rig.queued(g))


def test_slow_and_interrupted_calls(tmp_path):
    """A disk that takes its time, and calls that are interrupted: slower, no more."""
    data = str(tmp_path / "data")
    wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwritev,fdatasync",
               "-e", "inject=pwritev:error=EINTR:when=2+3",
               "-e", "inject=fdatasync:delay_exit=30000"]
    with oracles.Oracle(seed=20) as oracle, rig.make(data, oracle, wrapper=wrapper) as g:
        with oracles.Load(oracle, lambda: g.port) as load:
            godwit.wait_for(lambda: len(oracle.acked) >= 60, "some messages")
        oracle.wait_for_all()
        assert set(load.codes) <= {250, 452}, load.codes
        counts = oracle.judge(rig.queued(g))
        assert counts["twice"] == 0 and counts["ghosts"] == 0


def test_failed_sync_is_never_answered_250(tmp_path):
    """Each sync fails: not one message may be acknowledged."""
    data = str(tmp_path / "data")
    with oracles.Oracle(seed=15) as oracle:
        with rig.make(data, oracle) as g:     # the folder is made in health
            g.stop()
        wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
                   "-e", "inject=fdatasync:error=EIO"]
        with rig.make(data, oracle, wrapper=wrapper, start=False) as g:
            g.start(wait=False)
            godwit.wait_for(lambda: "the spool failed" in g.output()
                            or "the engine ended" in g.output() or g._listening(), "a start")
            g.ports = g._listening()
            if g.ports:
                with oracles.Load(oracle, lambda: g.port):
                    godwit.wait_for(lambda: "the spool failed" in g.output(), "the failure")
            assert oracle.acked == []


def test_flipped_bytes(tmp_path):
    """It starts, says what it put aside, and delivers the others."""
    data = str(tmp_path / "data")
    flips = random.Random(5)
    with oracles.Oracle(seed=16) as oracle:
        with rig.make(data, oracle, config=rig.HOLD) as g:
            with oracles.Load(oracle, lambda: g.port, sizes=(3000,)):
                godwit.wait_for(lambda: len(oracle.acked) >= 100, "a queue")
            g.stop()
        whole = str(tmp_path / "whole")
        shutil.copytree(data, whole)
        for turn in (1, 0, 1, 0):
            shutil.rmtree(data)
            shutil.copytree(whole, data)
            token = flip_a_body(data, oracle, flips)
            if turn:
                flip_anywhere(data, flips, 3)
            with rig.make(data, oracle, config=rig.HOLD) as g:
                rows = g.queue()
                queued = {row["recipient"]["address"] for row in rows}
                unread = len({row["id"] for row in rows if not row["recipient"]["address"]})
                wanted = {r for m in oracle.acked for r in m.recipients}
                known = {r for m in oracle.messages.values() for r in m.recipients}
                lost = {r.split("-")[1] for r in wanted - queued}
                # A flip costs at most the frame that it lies in: one message.
                assert len(lost) <= (4 if turn else 1), lost
                # A body is looked at when it is needed; until then it has no name.
                assert queued - {""} <= known
                assert lost or turn or token is None
                if lost:
                    assert g.events("spool"), g.output()
                    assert any(os.scandir(os.path.join(data, "spool", "corrupt")))
                    assert lost_is_told(g)
            assert oracle.arrivals == {}
        damaged = {r for m in oracle.acked for r in m.recipients} - queued
        with rig.make(data, oracle) as g:     # the last one is let go
            g.tool("queue", "release", "all", "--data", data, check=True)
            godwit.wait_for(lambda: rig.drained(g), "an empty queue")
            oracle.judge(damaged)
            # What is gone, but still known of, is told to its sender.
            assert len(oracle.damaged) == unread
    shutil.rmtree(whole)


def lost_is_told(g):
    return any(e.get("level") in ("warning", "error") for e in g.events("spool"))


def flip_a_body(data, oracle, flips):
    """Turns a bit in the text of one acknowledged message; its token."""
    message = flips.choice([m for m in oracle.acked if len(m.recipients) == 1])
    for path in rig.segments(data):
        with open(path, "r+b") as f:
            content = f.read()
            at = content.find(f"X-Token: {message.token}\r\n".encode())
            if at >= 0:
                f.seek(at + 60)
                f.write(bytes([content[at + 60] ^ 1]))
                return message.token
    return None


def flip_anywhere(data, flips, count):
    """Bits in the written part of the log."""
    for _ in range(count):
        path = flips.choice([p for p in rig.segments(data) if os.path.getsize(p) > 100000])
        with open(path, "r+b") as f:
            content = f.read().rstrip(b"\0")
            if not content:
                continue
            at = flips.randrange(len(content))
            f.seek(at)
            f.write(bytes([content[at] ^ (1 << flips.randrange(8))]))


def test_descriptors_used_up(tmp_path):
    """Few descriptors: 421 or waiting, never a loss; when clients go it goes on. Those who
    wait are looked for now and then, not without end."""
    data, calls = str(tmp_path / "data"), str(tmp_path / "calls")
    with oracles.Oracle(seed=17) as oracle:
        wrapper = ["prlimit", "--nofile=64:64"]
        if rig.strace_may_attach():
            wrapper += ["strace", "-f", "-qq", "-e", "trace=accept4", "-e", "signal=none",
                        "-o", calls]
        with rig.make(data, oracle, wrapper=wrapper) as g:
            crowd = []
            try:
                for _ in range(100):
                    c = Client(g.port, greeting=False, timeout=2)
                    crowd.append(c)
                answered = 0
                for c in crowd:
                    try:
                        answered += c.reply()[0] in (220, 421)
                    except EOFError:
                        pass
                    except OSError:      # this one waits, and so may all that follow
                        for other in crowd:
                            other.socket.settimeout(0.1)
                assert answered > 10
            finally:
                for c in crowd:
                    c.close()
            assert g.process.poll() is None
            if os.path.exists(calls):
                with open(calls) as f:
                    assert sum("EMFILE" in line for line in f) < 2000
            with oracles.Load(oracle, lambda: g.port):
                godwit.wait_for(lambda: len(oracle.acked) >= 30, "service again")
            oracle.wait_for_all()
            counts = oracle.judge()
            assert counts["twice"] == 0
            assert len(g.events("started")) == 1
