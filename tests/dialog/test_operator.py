"""What an operator does while mail flows: what was said is true afterwards."""
import collections
import os
import threading
import time

import godwit
from godwit import Client, Godwit, Sink, wait_for

FAST = "queue: { retry_first: 200ms, retry_max: 500ms }\n"
SENDERS, MESSAGES, ROUNDS = 4, 100, 12


def send(port, sender, accepted):
    with Client(port) as c:
        for i in range(MESSAGES):
            recipient = f"m{sender}-{i}@far.test"
            assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="", recipients=[recipient])[0] == 250
            accepted.append(recipient)


def test_hold_release_retry_and_delete_under_load(data):
    """Each message ends in one of two ways: deleted or relayed, never both, never twice."""
    def slow(verb, argument, count):
        if verb == "DOT":
            time.sleep(0.02)
        return b"451 4.2.0 later\r\n" if verb == "RCPT" and count % 3 == 0 else None
    accepted = []
    with Sink(script=slow) as sink, Godwit(data, "--next-hop", sink.address, config=FAST) as g:
        senders = [threading.Thread(target=send, args=(g.port, i, accepted))
                   for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(ROUNDS):
            for word in ("hold", "delete", "retry", "release"):
                done = g.tool("queue", word, "all", "--data", data)
                assert done.returncode == 0, done.stderr
        for sender in senders:
            sender.join()
        g.tool("queue", "release", "all", "--data", data)
        wait_for(lambda: not g.queue(), "an empty queue")
        total = SENDERS * MESSAGES
        wait_for(lambda: len(g.events("relayed")) + len({e["id"] for e in g.events("deleted")})
                 >= total, "the end of each in the log")
        relayed = collections.Counter(e["id"] for e in g.events("relayed"))
        deleted = {e["id"] for e in g.events("deleted")}
        assert not deleted & set(relayed)
        assert {e["id"] for e in g.events("accepted")} == deleted | set(relayed)
        assert set(relayed.values()) <= {1} and len(sink.messages) == len(relayed)
        assert len(accepted) == total


def test_deleted_while_it_is_tried_says_so_and_is_gone_after_that(data):
    gate = threading.Event()

    def script(verb, argument, count):
        if verb == "RCPT":
            gate.wait(godwit.PATIENCE)
            return b"451 4.2.0 later\r\n"
        return None
    with Sink(script=script) as sink, Godwit(data, "--next-hop", sink.address, config=FAST) as g:
        with Client(g.port) as c:
            assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="")[0] == 250
        wait_for(lambda: any(c.startswith("RCPT") for c in sink.commands), "the attempt")
        row, = g.queue()
        done = g.tool("queue", "delete", row["id"], "--data", data)
        assert done.returncode == 0 and "being tried just now" in done.stderr
        assert len(g.queue()) == 1 and not g.events("deleted")
        gate.set()
        wait_for(lambda: not g.queue(), "it to be gone")
        wait_for(lambda: g.events("deleted"), "the deletion in the log")
        assert not sink.messages


def test_a_hop_that_takes_few_connections_gets_no_more(data):
    """421 for the connection too many: the others go on, and the site is not called dead."""
    counts = {"now": 0, "refused": 0}
    lock = threading.Lock()

    class Few(Sink):
        def _session(self, connection):
            with lock:
                counts["now"] += 1
                refused = counts["now"] > 3
                counts["refused"] += refused
            try:
                if refused:
                    connection.sendall(b"421 4.7.0 too many connections\r\n")
                    connection.close()
                else:
                    super()._session(connection)
            finally:
                with lock:
                    counts["now"] -= 1

    def slow(verb, argument, count):
        if verb == "DOT":
            time.sleep(0.005)
    with Few(script=slow) as sink:
        with Godwit(data, "--hold", "--next-hop", sink.address,
                    config="queue: { retry_first: 1h, retry_max: 2h }\n") as g:
            with Client(g.port) as c:
                for i in range(200):
                    assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="",
                                     recipients=[f"m{i}@far.test"])[0] == 250
            first = g.queue()[0]["id"]
            g.tool("queue", "release", first, "--data", data)
            sink.wait(1)
            g.tool("queue", "release", "all", "--data", data)
            sink.wait(200)
            wait_for(lambda: not g.queue(), "an empty queue")
            assert not g.events("site-failed") and not g.events("deferred")


def test_status_is_answered_when_descriptors_are_used_up(data):
    """That is when somebody asks why nothing more is taken."""
    with Godwit(data, wrapper=("prlimit", "--nofile=64:64")) as g:
        engine = f"/proc/{godwit.descendants(g.process.pid)[-1]}/fd"
        crowd = []
        try:
            code = 220  # 421: one that is needed for a moment elsewhere was the last
            while len(os.listdir(engine)) < 64 and code == 220:
                crowd.append(Client(g.port, greeting=False))
                code, _ = crowd[-1].reply()
            for _ in range(3):
                done = g.tool("status", "--data", data)
                assert done.returncode == 0, done.stderr
        finally:
            for client in crowd:
                client.close()
