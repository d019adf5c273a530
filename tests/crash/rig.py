"""Godwit under faults: its processes, its spool, and where the fault lies."""
import ctypes
import glob
import json
import os
import re
import signal
import subprocess

import godwit

CONFIG = """
threads: 2
queue: { retry_first: 200ms, retry_max: 1s, retry_jitter_percent: 10 }
timeouts: { idle: 1s }
log: { level: info }
"""
HOLD = CONFIG.replace("queue: {", "queue: { hold: true,")


def make(data, oracle, config=CONFIG, **more):
    return godwit.Godwit(data, "--next-hop", oracle.sink.address, config=config, **more)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(child) for child in f.read().split()]
    except FileNotFoundError:
        return []


def engine_of(g):
    """The engine's process id, or None: the supervisor may be a child of strace."""
    for child in children(g.process.pid):
        with open(f"/proc/{child}/comm") as f:
            if f.read().strip() == "godwit":
                inner = children(child)
                return inner[0] if inner and g.command[0] == "strace" else child
    return None


def strace_may_attach():
    done = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True)
    return done.returncode == 0


def kill_engine(g, oracle):
    """kill -9 of the engine alone; waits until its successor is ready."""
    before = len(g.events("started"))
    pid = godwit.wait_for(lambda: engine_of(g), "an engine")
    oracle.fault()
    os.kill(pid, signal.SIGKILL)
    godwit.wait_for(lambda: len(g.events("started")) > before, "the engine to be back")


def kill_all(g, oracle):
    """kill -9 of supervisor and engine, and a start anew."""
    oracle.fault()
    g.kill()
    g.start()


def queued(g):
    return [row["recipient"]["address"] for row in g.queue()]


def drained(g):
    status = json.loads(g.tool("status", "--data", g.data, "--json", check=True).stdout)
    return status["recipients"] == 0


def segments(data):
    """The files of the spool's log, oldest first."""
    found = []
    for folder, _, names in os.walk(os.path.join(data, "spool")):
        found += [os.path.join(folder, name) for name in names]
    return sorted(found)


class Mount:
    """A file system of the test's own; skips with a word where that is not allowed."""

    def __init__(self, path, *arguments):
        import pytest
        os.makedirs(path, exist_ok=True)
        self.path = path
        done = subprocess.run(["mount", *arguments, path], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"may not mount: {done.stderr.strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unmount()

    def unmount(self):
        done = subprocess.run(["umount", self.path], capture_output=True, text=True)
        if done.returncode != 0:
            subprocess.run(["umount", "-l", self.path], capture_output=True)
            raise AssertionError(done.stderr)


def cut_power(path):
    """The file system forgets all that was not synced (EXT4_IOC_SHUTDOWN, no flush)."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder = os.open(path, os.O_RDONLY)
    try:
        how = ctypes.c_uint32(2)
        request = ctypes.c_ulong(0x8004587D)   # _IOR('X', 125, __u32)
        return libc.ioctl(folder, request, ctypes.byref(how)) == 0
    finally:
        os.close(folder)


def freeze(g):
    """Stops godwit where it stands. Returns when no thread of it runs any more; those
    within a call to the disk are still in it."""
    processes = [g.process.pid, *godwit.descendants(g.process.pid)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    godwit.wait_for(lambda: threads_states(processes) <= set("TDZX"), "a standstill")


def threads_states(processes):
    states = set()
    for path in [p for process in processes for p in glob.glob(f"/proc/{process}/task/*/stat")]:
        try:
            with open(path) as f:
                states.add(f.read().rpartition(")")[2].split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return states


def words(log):
    return re.sub(r"\s+", " ", log)[-3000:]
