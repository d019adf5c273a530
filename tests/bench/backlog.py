#!/usr/bin/python3
"""backlog.py [MESSAGES [DOMAINS]]: what a queue that does not move costs.

Puts so many messages of one recipient, over so many domains, on hold, and tells: memory
of the engine above an empty one, a recipient; and after a kill how long it takes until a
client is greeted again. Not part of make test: it takes a minute and half a gigabyte.
"""
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import godwit  # noqa: E402

BATCH = 500
BODY = b"From: <a@client.test>\r\nSubject: x\r\n\r\n" + b"x" * 500 + b"\r\n.\r\n"


def memory(g):
    engine, = godwit.descendants(g.process.pid)
    with open(f"/proc/{engine}/smaps_rollup") as f:
        facts = dict(line.split(":", 1) for line in f if ":" in line)
    return {key: int(facts[key].split()[0]) * 1024 for key in ("Rss", "Anonymous")}


def fill(port, first, count, domains):
    with godwit.Client(port) as c:
        c.ask("EHLO client.test")
        for at in range(first, first + count, BATCH):
            batch = range(at, min(at + BATCH, first + count))
            c.send(b"".join(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b%d@d%d.test>\r\nDATA\r\n"
                            % (i, i % domains) for i in batch[:1]))
            for i in batch:
                for code in (250, 250, 354):
                    assert c.reply()[0] == code
                following = i + 1
                c.send(BODY + (b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b%d@d%d.test>\r\nDATA\r\n"
                               % (following, following % domains) if following in batch else b""))
                assert c.reply()[0] == 250


def main():
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    domains = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        with godwit.Godwit(os.path.join(folder, "data"), "--hold", "--log-level", "error",
                           "--next-hop", "127.0.0.1:9", start=False) as g:
            g.start(wait=False)
            g.ports = godwit.wait_for(g._listening, "the port")
            fill(g.port, 0, 2000, 10)
            g.tool("queue", "delete", "all", "--data", g.data)
            empty = memory(g)
            start = time.monotonic()
            fork_fill(g.port, messages, domains)
            print(f"{messages} messages over {domains} domains in "
                  f"{time.monotonic() - start:.1f} s")
            full = memory(g)
            for key in empty:
                print(f"{key}: {empty[key] >> 10} KiB empty, {full[key] >> 10} KiB full: "
                      f"{(full[key] - empty[key]) / messages:.0f} bytes a recipient")
            g.kill()
            start = time.monotonic()
            g.start(wait=False)
            g.ports = godwit.wait_for(g._listening, "the port")
            with godwit.Client(g.port):
                print(f"greeted {time.monotonic() - start:.2f} s after the start")
            full = memory(g)
            for key in empty:
                print(f"{key} after the restart: {full[key] >> 10} KiB: "
                      f"{(full[key] - empty[key]) / messages:.0f} bytes a recipient")


def fork_fill(port, messages, domains, processes=4):
    children = []
    for n in range(processes):
        first, end = messages * n // processes, messages * (n + 1) // processes
        child = os.fork()
        if child == 0:
            fill(port, first, end - first, domains)
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    main()
