"""kill -9 at any moment: nothing acknowledged is lost, nothing half becomes visible.

GODWIT_KILLS=2000 for the long run, GODWIT_SWEEP=1 for every system call.
"""
import os
import random
import shutil
import signal
import smtplib
import subprocess

import pytest

import godwit
import oracle as oracles
import rig

KILLS = int(os.environ.get("GODWIT_KILLS", "15"))
# The supervisor gives up after ten quick deaths in a row.
ENGINE_KILLS_IN_A_ROW = 3


def test_killed_in_a_loop_under_load(tmp_path):
    moments = random.Random(7)
    with oracles.Oracle() as oracle, rig.make(str(tmp_path / "data"), oracle) as g:
        with oracles.Load(oracle, lambda: g.port) as load:
            for kill in range(KILLS):
                # The moment is drawn from the load itself: so many messages later.
                enough = len(oracle.acked) + moments.choice((0, 1, 3, 10, 30))
                godwit.wait_for(lambda: len(oracle.acked) >= enough, "some messages")
                if kill % (ENGINE_KILLS_IN_A_ROW + 1) == ENGINE_KILLS_IN_A_ROW:
                    rig.kill_all(g, oracle)
                else:
                    rig.kill_engine(g, oracle)
            assert not load.troubles
        oracle.wait_for_all()
        godwit.wait_for(lambda: rig.drained(g), "an empty queue")
        counts = oracle.judge(rig.queued(g))
        print(counts, dict(load.codes))
        assert counts["acked"] >= KILLS and counts["faults"] == KILLS
        assert g.stop() == 0


def test_killed_while_everything_waits(tmp_path):
    """The queue after the start is the list of what was acknowledged."""
    with oracles.Oracle(seed=2) as oracle:
        with rig.make(str(tmp_path / "data"), oracle, config=rig.HOLD) as g:
            for _ in range(3):
                enough = len(oracle.acked) + 20
                with oracles.Load(oracle, lambda: g.port):
                    godwit.wait_for(lambda: len(oracle.acked) >= enough, "some messages")
                    rig.kill_all(g, oracle)
                queued = rig.queued(g)
                wanted = {r for m in oracle.acked for r in m.recipients}
                known = {r for m in oracle.messages.values() if m.state in ("acked", "offered")
                         for r in m.recipients}
                assert len(queued) == len(set(queued))
                assert wanted <= set(queued) <= known
            assert oracle.judge(queued)["arrived"] == 0
            assert g.tool("queue", "release", "all", "--data", g.data).returncode == 0
            oracle.wait_for_all()
            oracle.judge()


def test_what_has_ended_does_not_come_back(tmp_path):
    """Outcomes are durable: a kill after them is no excuse for a second delivery."""
    with oracles.Oracle(seed=5) as oracle, rig.make(str(tmp_path / "data"), oracle) as g:
        for _ in range(3):
            enough = len(oracle.acked) + 20
            with oracles.Load(oracle, lambda: g.port):
                godwit.wait_for(lambda: len(oracle.acked) >= enough, "some messages")
            oracle.wait_for_all()
            godwit.wait_for(lambda: rig.drained(g), "an empty queue")
            before = {key: len(at) for key, at in oracle.arrivals.items()}
            reports = len(oracle.reports)
            rig.kill_all(g, oracle)
            godwit.wait_for(lambda: rig.drained(g), "an empty queue")
            assert before == {key: len(at) for key, at in oracle.arrivals.items()}
            assert reports == len(oracle.reports)
        assert oracle.judge()["twice"] == 0


def test_sigterm_under_load_loses_and_doubles_nothing(tmp_path):
    with oracles.Oracle(seed=3) as oracle:
        with rig.make(str(tmp_path / "data"), oracle) as g:
            with oracles.Load(oracle, lambda: g.port):
                for _ in range(3):
                    enough = len(oracle.acked) + 20
                    godwit.wait_for(lambda: len(oracle.acked) >= enough, "some messages")
                    assert g.stop() == 0
                    assert '"clean"' in g.output()
                    g.start()
            oracle.wait_for_all()
            counts = oracle.judge()
            assert counts["twice"] == 0 and counts["ghosts"] == 0


def test_stopped_for_a_while_goes_on(tmp_path):
    """SIGSTOP in the middle of everything, and CONT: no more than a pause."""
    with oracles.Oracle(seed=4) as oracle, rig.make(str(tmp_path / "data"), oracle) as g:
        with oracles.Load(oracle, lambda: g.port):
            for _ in range(3):
                enough = len(oracle.acked) + 10
                godwit.wait_for(lambda: len(oracle.acked) >= enough, "some messages")
                engine = rig.engine_of(g)
                os.kill(engine, signal.SIGSTOP)
                with open(f"/proc/{engine}/stat") as f:
                    assert f.read().rsplit(")", 1)[1].split()[0] in "TRSD"
                os.kill(engine, signal.SIGCONT)
        oracle.wait_for_all()
        counts = oracle.judge()
        assert counts["twice"] == 0 and counts["ghosts"] == 0


# ---- at the N-th system call ----

SWEEP = os.environ.get("GODWIT_SWEEP")
# Each name with the numbers that are tried without GODWIT_SWEEP; counted by thread.
CALLS = {
    "pwritev": (1, 3, 20, 36, 60), "pwrite64": (1, 3, 40), "fdatasync": (1, 2, 4, 8, 13),
    "fsync": (1, 2, 4), "sendmsg": (1, 4, 12, 30, 50), "recvfrom": (2, 9, 30, 60),
    "accept4": (1,), "openat": (5, 12), "pread64": (3, 15), "fallocate": (1,),
    "unlinkat": (1,), "renameat": (1,), "write": (3, 9), "connect": (1,),
}
SURVIVED_IN_A_ROW = 5    # then the sweep is past the end


def workload(oracle, g):
    """The same few messages each time, one after the other; false at a death."""
    try:
        with smtplib.SMTP("127.0.0.1", g.port, timeout=4) as client:
            client.ehlo("client.test")
            for size in (100, 3000, 70000, 1200000, 100, 3000):
                oracle.offer(client, sizes=(size,))
        return True
    except (OSError, smtplib.SMTPException):
        return False


def killed_at(folder, call, number):
    """Whether the engine died at that call; judged either way."""
    data = str(folder / f"{call}-{number}")
    inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
              "-e", f"inject={call}:signal=SIGKILL:when={number}"]
    with oracles.Oracle(seed=number) as oracle:
        with rig.make(data, oracle, wrapper=inject, start=False) as g:
            g.start(wait=False)
            godwit.wait_for(lambda: "died of signal" in g.output() or g.events("started")
                            or g.process.poll() is not None, "a start or a death")
            g.ports = g._listening()
            if g.ports:
                lived = workload(oracle, g)
                godwit.wait_for(lambda: "died of signal" in g.output()
                                or g.process.poll() is not None
                                or (lived and not oracle.missing()), "an end of the workload")
            died = "died of signal" in g.output() or g.process.poll() is not None
            oracle.fault()
            g.kill()
        with rig.make(data, oracle) as g:
            oracle.wait_for_all()
            godwit.wait_for(lambda: rig.drained(g), "an empty queue")
            oracle.judge()
    shutil.rmtree(data)
    return died


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_the_nth_call(tmp_path, call):
    if not rig.strace_may_attach():
        pytest.skip("strace may not attach")
    died = survived = 0
    for number in range(1, 1000) if SWEEP else CALLS[call]:
        if killed_at(tmp_path, call, number):
            died += 1
            survived = 0
        else:
            survived += 1
        if SWEEP and survived == SURVIVED_IN_A_ROW:
            break
    print(f"{call}: died at {died} of {number}")
    assert died > 0
