#!/usr/bin/python3
"""bench: godwit beside other servers, in one run, on loopback.

  bench.py PROGRAM [ROW...]

Prints what docs and the design ask for as ratios: absolute figures drift with the
machine, ratios taken side by side do not. The generator is Postfix's smtp-source, the
receiver that discards its smtp-sink; both, and Postfix itself, are unpacked under
build/peers. CPU is user + system of all processes of a server, children included.

Rows: accept relay large signing latency idle threads handshakes login capture search wake
sandbox. Relay is measured twice: with clients that
send many messages over a connection, and with a connection a message, where the kernel's
work for connections outweighs everybody's own.
"""
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "interop"))
PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
if PROGRAM:
    os.environ["GODWIT"] = PROGRAM

import capture  # noqa: E402
import godwit  # noqa: E402
import peers  # noqa: E402
import secure  # noqa: E402

ROUNDS = 3
TICK = os.sysconf("SC_CLK_TCK")


def sbin(name):
    return os.path.join(peers.ROOT, "usr", "sbin", name)


def environment():
    return {**os.environ, "LD_LIBRARY_PATH": peers.LIBRARIES}


def cpu_of_group(leader):
    """User + system seconds of all processes of a process group, the dead included."""
    total = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == leader:
            total += sum(int(n) for n in fields[11:15])
    return total / TICK


def source(port, count, size, sessions, *flags):
    """Sends `count` messages; the seconds it took."""
    start = time.monotonic()
    subprocess.run([sbin("smtp-source"), "-s", str(sessions), "-m", str(count), "-l",
                    str(size), "-f", "a@client.test", "-t", "b@far.bench", *flags,
                    f"127.0.0.1:{port}"], check=True, env=environment(), timeout=300)
    return time.monotonic() - start


class DiscardSink:
    """smtp-sink; with `quit_after` it ends by itself after so many messages."""

    def __init__(self, quit_after=None):
        self.port = peers.free_port()
        flags = ["-M", str(quit_after)] if quit_after else []
        self.process = subprocess.Popen(
            [sbin("smtp-sink"), "-u", "root", *flags, f"127.0.0.1:{self.port}", "1000"],
            env=environment(), start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        godwit.wait_for(self._listens, "smtp-sink")

    def _listens(self):
        with open("/proc/net/tcp") as f:
            return any(line.split()[1] == f"0100007F:{self.port:04X}" and
                       line.split()[3] == "0A" for line in f.readlines()[1:])

    def stop(self):
        self.process.kill()
        self.process.wait()


def table(title, rows):
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join(f"{cell:>12}" if i else f"{cell:<44}"
                               for i, cell in enumerate(row)))
    sys.stdout.flush()


def verdict(good):
    return "met" if good else "MISSED"


def accept_once(folder, count, sessions, threads=0):
    config = f"threads: {threads}\n" if threads else None
    with godwit.Godwit(os.path.join(folder, "data"), "--hold", config=config) as g:
        before = cpu_of_group(g.process.pid)
        seconds = source(g.port, count, 4096, sessions, "-d")
        return seconds / count, (cpu_of_group(g.process.pid) - before) / count


def sink_once(count, sessions):
    sink = DiscardSink()
    try:
        before = cpu_of_group(sink.process.pid)
        seconds = source(sink.port, count, 4096, sessions, "-d")
        return seconds / count, (cpu_of_group(sink.process.pid) - before) / count
    finally:
        sink.stop()


def median(values):
    return statistics.median(values)


def row_accept():
    ours, theirs = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
            ours.append(accept_once(folder, 20000, 100))
        theirs.append(sink_once(20000, 100))
    rate = median(t[0] for t in theirs) / median(t[0] for t in ours)
    cpu = median(t[1] for t in ours) / median(t[1] for t in theirs)
    table("durable accept, held: 4 KiB, 100 sessions (smtp-sink discards)", [
        ("", "msg/s", "us CPU/msg"),
        ("godwit, synced before the 250", f"{1 / median(t[0] for t in ours):.0f}",
         f"{1e6 * median(t[1] for t in ours):.0f}"),
        ("smtp-sink", f"{1 / median(t[0] for t in theirs):.0f}",
         f"{1e6 * median(t[1] for t in theirs):.0f}"),
        ("rate, at least 1.0 x", f"{rate:.2f} x", verdict(rate >= 1.0)),
        ("CPU, at most 1.2 x", f"{cpu:.2f} x", verdict(cpu <= 1.2))])


def relay_once(kind, folder, count, size=4096, flags=(), config=None):
    sink = DiscardSink(quit_after=count)
    try:
        if kind == "godwit":
            server = godwit.Godwit(os.path.join(folder, "data"), "--next-hop",
                                   f"127.0.0.1:{sink.port}", config=config)
        else:
            server = peers.postfix(os.path.join(folder, "postfix"),
                                   f"relayhost = [127.0.0.1]:{sink.port}\n"
                                   "virtual_mailbox_domains =\n"
                                   "smtpd_client_connection_count_limit = 0\n")
        with server:
            before = cpu_of_group(server.process.pid)
            start = time.monotonic()
            source(server.port, count, size, 20, *flags)
            sink.process.wait(300)
            seconds = time.monotonic() - start
            return seconds / count, (cpu_of_group(server.process.pid) - before) / count
    finally:
        sink.stop()


def relay_row(how, flags):
    ours, theirs = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
            ours.append(relay_once("godwit", folder, 10000, flags=flags))
        with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
            theirs.append(relay_once("postfix", folder, 3000, flags=flags))
    rate = median(t[0] for t in theirs) / median(t[0] for t in ours)
    cpu = median(t[1] for t in theirs) / median(t[1] for t in ours)
    table(f"accept + queue + relay to smtp-sink: 4 KiB, 20 sessions, {how}", [
        ("", "msg/s", "us CPU/msg"),
        ("godwit", f"{1 / median(t[0] for t in ours):.0f}",
         f"{1e6 * median(t[1] for t in ours):.0f}"),
        ("Postfix", f"{1 / median(t[0] for t in theirs):.0f}",
         f"{1e6 * median(t[1] for t in theirs):.0f}"),
        ("rate, at least 10 x", f"{rate:.1f} x", verdict(rate >= 10)),
        ("CPU, at most 1/15", f"1/{cpu:.1f}", verdict(cpu >= 15))])


def row_relay():
    relay_row("reused connections", ["-d"])
    relay_row("a connection a message", [])


def row_large():
    values = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
            values.append(relay_once("godwit", folder, 2000, 100000))
    cpu = 1e6 * median(t[1] for t in values)
    table("100 KB messages relayed to smtp-sink", [
        ("", "msg/s", "us CPU/msg"),
        ("godwit", f"{1 / median(t[0] for t in values):.0f}", f"{cpu:.0f}"),
        ("CPU, at most 500 us", f"{cpu:.0f} us", verdict(cpu <= 500))])


def bare_rates():
    """{(what, key): (ours, bare)} in microseconds of CPU, without any server."""
    program = os.path.join(os.path.dirname(PROGRAM), "dkim-bench")
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return {(what, key): (int(ours) / 1000, int(bare) / 1000)
            for what, key, ours, bare in (line.split() for line in lines.splitlines())}


def signing_config(folder, algorithm):
    """smtp-source says From: <a@client.test>, and is trusted."""
    if algorithm is None:
        return None
    path = os.path.join(folder, "key.pem")
    subprocess.run([PROGRAM, "dkim", "keygen", path, "--algorithm", algorithm], check=True,
                   capture_output=True)
    return ("domains: { client.test: { relay: true, dkim: [{ selector: s, key: '%s' }] } }\n"
            % path)


def row_signing():
    """What a signature costs beside the relay's own work, and beside what the crypto library
    alone takes for it."""
    rates = bare_rates()
    rows = [("", "us ours", "us bare")]
    for (what, key), (ours, bare) in rates.items():
        rows.append((f"{what} {key}", f"{ours:.1f}", f"{bare:.1f}"))
        rows.append((f"{what} {key}, at most 1.3 x the bare rate", f"{ours / bare:.2f} x",
                     verdict(ours <= 1.3 * bare)))
    table("DKIM of a 4 KiB message, without a server", rows)
    cpu = {None: [], "rsa": [], "ed25519": []}
    for _ in range(ROUNDS):
        for algorithm, values in cpu.items():
            with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
                values.append(relay_once("godwit", folder, 5000, flags=["-d"],
                                         config=signing_config(folder, algorithm)))
    without = median(t[1] for t in cpu[None])
    rows = [("", "msg/s", "us CPU/msg"),
            ("unsigned", f"{1 / median(t[0] for t in cpu[None]):.0f}", f"{1e6 * without:.0f}")]
    for algorithm in ("rsa", "ed25519"):
        each = median(t[1] for t in cpu[algorithm])
        bare = rates["sign", algorithm][1]
        rows.append((f"signed, {algorithm}", f"{1 / median(t[0] for t in cpu[algorithm]):.0f}",
                     f"{1e6 * each:.0f}"))
        rows.append(("  what is more, beside the bare rate", f"{1e6 * (each - without):.0f} us",
                     f"{1e6 * (each - without) / bare:.2f} x"))
    table("relay with signing and without: 4 KiB, 20 sessions", rows)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def sync_times(folder, count=2000):
    """What the disk itself takes: 8 KiB overwritten in place and synced."""
    path = os.path.join(folder, "probe")
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, bytes(16 << 20), 0)
    os.fsync(fd)
    times = []
    block = os.urandom(8192)
    for i in range(count):
        start = time.monotonic()
        os.pwrite(fd, block, (i * 8192) % (16 << 20))
        os.fdatasync(fd)
        times.append(time.monotonic() - start)
        time.sleep(0.001)
    os.close(fd)
    return times


async def paced_session(port, schedule, latencies, body):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b"HELO bench\r\n")
    await reader.readline()
    loop = asyncio.get_running_loop()
    for due in schedule:
        await asyncio.sleep(max(0, due - loop.time()))
        writer.write(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@far.bench>\r\nDATA\r\n")
        for _ in range(3):
            await reader.readline()
        writer.write(body)
        start = loop.time()
        line = await reader.readline()
        latencies.append(loop.time() - start)
        assert line.startswith(b"250"), line
    writer.close()


async def paced(port, rate, seconds, sessions=50):
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.5
    body = b"Subject: bench\r\n\r\n" + (b"x" * 76 + b"\r\n") * 52 + b".\r\n"
    latencies = []
    count = int(rate * seconds)
    await asyncio.gather(*(
        paced_session(port, [begin + n / rate for n in range(i, count, sessions)],
                      latencies, body) for i in range(sessions)))
    return latencies


def row_latency():
    """The disk's own times drift from second to second: both sides in turn, five times, and
    the middle of each percentile."""
    disk, ours = [], []
    with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
        with godwit.Godwit(os.path.join(folder, "data"), "--hold") as g:
            for _ in range(5):
                disk.append(sync_times(folder, 1000))
                ours.append(asyncio.run(paced(g.port, 500, 4)))

    def middle(rounds, share):
        return median(percentile(times, share) for times in rounds)

    ratio = middle(ours, 0.99) / middle(disk, 0.99)
    table("latency of the 250 after the final dot, 500 msg/s offered", [
        ("", "p50 us", "p99 us"),
        ("godwit", f"{1e6 * middle(ours, 0.5):.0f}", f"{1e6 * middle(ours, 0.99):.0f}"),
        ("the disk's own fdatasync", f"{1e6 * middle(disk, 0.5):.0f}",
         f"{1e6 * middle(disk, 0.99):.0f}"),
        ("p99, at most 3 x the disk's", f"{ratio:.2f} x", verdict(ratio <= 3))])


def resident(group):
    total = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total


def idle_row(count, channel, most):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = godwit.tls_context()
    with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
        with godwit.Godwit(os.path.join(folder, "data"), "--hold") as g:
            clients = []
            for n in range(count + 1):
                c = godwit.Client(g.port, channel="clear")
                clients.append(c)
                if channel == "starttls":
                    c.starttls(context)
                assert c.code("EHLO idle.test") == 250
                if n == 0: # what the first one brings is no connection's
                    before = resident(g.process.pid)
            each = (resident(g.process.pid) - before) / count
            for c in clients:
                c.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    table(f"{count} idle connections, {channel}", [
        ("", "bytes each"),
        ("godwit", f"{each:.0f}"),
        (f"at most {most // 1024} KB", verdict(each <= most))])


def row_idle():
    idle_row(9000, "clear", 8192)
    idle_row(4500, "starttls", 40 * 1024)


def row_threads():
    one, two = [], []
    for _ in range(ROUNDS):
        for threads, values in ((1, one), (2, two)):
            with tempfile.TemporaryDirectory(dir=godwit.TOP + "/build") as folder:
                values.append(accept_once(folder, 20000, 100, threads)[1])
    ratio = median(two) / median(one)
    table("two loop threads against one: CPU a message, accept", [
        ("", "us CPU/msg"),
        ("one", f"{1e6 * median(one):.0f}"), ("two", f"{1e6 * median(two):.0f}"),
        ("at most 1.1 x", f"{ratio:.2f} x", verdict(ratio <= 1.1))])


ROWS = {"accept": row_accept, "relay": row_relay, "large": row_large, "signing": row_signing,
        "latency": row_latency, "idle": row_idle, "threads": row_threads,
        "handshakes": lambda: secure.row_handshakes(table),
        "login": lambda: secure.row_login(table),
        "capture": lambda: capture.row_capture(table, verdict, source),
        "search": lambda: capture.row_search(table, verdict),
        "wake": lambda: capture.row_wake(table, verdict),
        "sandbox": lambda: capture.row_sandbox(table, verdict)}


def main():
    if PROGRAM is None:
        print(__doc__)
        return 2
    trouble = peers.take("postfix")
    if trouble is not None:
        print(f"bench: cannot unpack Postfix: {trouble}", file=sys.stderr)
        return 1
    for name in sys.argv[2:] or ROWS:
        ROWS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
