"""The rows of the sandbox: capture beside maildev, search, waking who waits, start, memory."""
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

import box
import godwit
import peers

COUNT = 20000
MESSAGES = 100000


def maildev_folder():
    """maildev as its lock file says, or None."""
    folder = os.path.join(peers.FOLDER, "bench-node")
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(godwit.TOP, "tests", "bench", "peers", name), folder)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                          capture_output=True, text=True, timeout=300)
    return folder if done.returncode == 0 else None


class Maildev:
    def __init__(self, folder):
        self.smtp, self.web = peers.free_port(), peers.free_port()
        self.process = subprocess.Popen(
            ["node", os.path.join(folder, "node_modules", "maildev", "bin", "maildev"), "-s", str(self.smtp),
             "-w", str(self.web), "--silent", "--mail-directory", tempfile.mkdtemp(dir=godwit.TOP + "/build")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        godwit.wait_for(lambda: probe(self.smtp), "maildev")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def probe(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def capture_rates(source):
    """Messages a second that each takes in from the same generator, 4 KiB, 20 sessions."""
    folder = maildev_folder()
    ours, indexed, theirs = [], [], []
    for _ in range(3):
        with box.Sandbox("--quiet") as s:
            start = time.monotonic()
            ours.append(COUNT / source(s.smtp, COUNT, 4096, 20, "-d"))
            godwit.wait_for(lambda s=s: s.own("GET", "/messages?limit=1")["count"] == COUNT, "the index", 120)
            indexed.append(COUNT / (time.monotonic() - start))
        if folder:
            m = Maildev(folder)
            theirs.append(2000 / source(m.smtp, 2000, 4096, 20, "-d"))
            m.stop()
    return (statistics.median(ours), statistics.median(indexed),
            statistics.median(theirs) if theirs else None)


def row_capture(table, verdict, source):
    ours, indexed, theirs = capture_rates(source)
    rows = [("", "msg/s"), ("godwit sandbox, 250 said", f"{ours:.0f}"),
            ("godwit sandbox, found by a search", f"{indexed:.0f}")]
    if theirs:
        rows.append(("maildev", f"{theirs:.0f}"))
        rows.append(("beside maildev", f"{ours / theirs:.1f} x"))
    else:
        rows.append(("maildev", "npm cannot take it"))
    rows.append(("at least 5,000 captured a second", verdict(ours >= 5000)))
    table("capture into the sandbox, 4 KiB", rows)


def search_ms(sandbox, words):
    path = "/messages?" + urllib.parse.urlencode({"search": words, "limit": 50})
    times = []
    for _ in range(7):
        start = time.monotonic()
        found = sandbox.own("GET", path)["count"]
        times.append((time.monotonic() - start) * 1000)
    return statistics.median(times), found


def fill(sandbox, count):
    """Bodies that differ, many a session."""
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "theta", "kappa", "lambda", "sigma"]

    def some(first):
        with socket.create_connection(("127.0.0.1", sandbox.smtp)) as c:
            f = c.makefile("rb")
            f.readline()
            c.sendall(b"EHLO x\r\n")
            while not f.readline().startswith(b"250 "):
                pass
            for n in range(first, count, 8):
                text = " ".join(words[(n * k) % 10] for k in range(1, 60))
                body = f"Subject: message {n}\r\nFrom: a{n % 97}@a.test\r\nTo: b@b.test\r\n\r\n{text} unique{n}\r\n".encode()
                c.sendall(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nBDAT %d LAST\r\n" % len(body) + body)
                for _ in range(3):
                    f.readline()
    threads = [threading.Thread(target=some, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    godwit.wait_for(lambda: sandbox.own("GET", "/messages?limit=1")["count"] == count, "the index", 300)


def row_search(table, verdict):
    with box.Sandbox("--quiet") as s:
        fill(s, MESSAGES)
        rows, worst = [("", "found", "ms")], 0
        for words in ("unique77123", "subject:\"message 4711\"", "from:a13@a.test", "alpha", "no-such-word"):
            ms, found = search_ms(s, words)
            worst = max(worst, ms)
            rows.append((words, str(found), f"{ms:.1f}"))
        rows.append(("each under 20 ms", "", verdict(worst < 20)))
        table(f"search of {MESSAGES} messages, with HTTP and Python", rows)


def row_wake(table, verdict):
    """From the 250 to the answer of the wait, while 50 wait: each in turn, by one thread, so that
    nobody's scheduling but the sandbox's is in it."""
    late = []
    with box.Sandbox("--quiet") as s:
        inboxes = [s.own("POST", "/inboxes", {}) for _ in range(50)]
        waiting = []
        for i in inboxes:
            c = socket.create_connection(("127.0.0.1", s.http))
            c.sendall(f"GET {box.OWN}/wait?inbox={i['id']}&timeout=60s HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            waiting.append(c)
        smtp = socket.create_connection(("127.0.0.1", s.smtp))
        replies = smtp.makefile("rb")
        replies.readline()
        smtp.sendall(b"EHLO x\r\n")
        while not replies.readline().startswith(b"250 "):
            pass
        for i, c in zip(inboxes, waiting):
            smtp.sendall(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<%s>\r\nBDAT 17 LAST\r\nSubject: x\r\n\r\nx\r\n"
                         % i["address"].encode())
            for _ in range(3):
                replies.readline()
            said = time.monotonic()
            c.recv(4096)
            late.append(1000 * (time.monotonic() - said))
            c.close()
        smtp.close()
    late.sort()
    table("50 waiters, from the 250 to their answer", [
        ("", "ms"), ("median", f"{late[25]:.2f}"), ("worst", f"{late[-1]:.2f}"),
        ("within 5 ms", verdict(late[-1] <= 5))])


def memory(sandbox):
    total = 0
    for pid in [sandbox.process.pid, *godwit.descendants(sandbox.process.pid)]:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith(("Private_Dirty", "Private_Clean")))
    return total / 1024


def row_sandbox(table, verdict):
    starts = []
    for _ in range(7):
        start = time.monotonic()
        s = box.Sandbox("--quiet")
        s.get("/readyz")
        starts.append((time.monotonic() - start) * 1000)
        s.stop()
    with box.Sandbox("--quiet") as s:
        before = memory(s)
        large = box.mail("large", files=[("x", "a/b", os.urandom(5 * 1024 * 1024))])
        for _ in range(3):
            threads = [threading.Thread(target=s.deliver, args=(large,)) for _ in range(5)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        s.own("GET", "/wait?count=15&timeout=30s&unread=1", timeout=60)
        after = memory(s)
    stripped = os.path.join(tempfile.mkdtemp(dir=godwit.TOP + "/build"), "godwit")
    subprocess.run(["strip", "-o", stripped, godwit.PROGRAM], check=True)
    size = os.path.getsize(stripped) / 1e6
    table("the sandbox: start, memory, size", [
        ("", ""), ("from exec to an answer over HTTP", f"{statistics.median(starts):.1f} ms"),
        ("under 50 ms", verdict(statistics.median(starts) < 50)),
        ("private memory at first", f"{before:.1f} MB"),
        ("after 15 mails of 5 MB, five at a time", f"{after:.1f} MB"),
        ("stripped", f"{size:.1f} MB"), ("under 10 MB", verdict(size < 10))])
