"""The whole program, built with ThreadSanitizer, under load while it is reloaded, asked and
told: no race, nothing lost, nothing twice.

`make test` makes that build; without it the test is skipped."""
import glob
import os
import threading

import pytest

import godwit
from godwit import Client, Godwit, Sink, wait_for

SANITIZED = os.path.join(godwit.TOP, "build", "tsan", "godwit")
SENDERS, MESSAGES, ROUNDS = 4, 200, 25


@pytest.fixture
def sanitized(monkeypatch):
    if not os.path.exists(SANITIZED):
        pytest.skip("there is no build/tsan/godwit: tools/build build/tsan -Db_sanitize=thread")
    monkeypatch.setattr(godwit, "PROGRAM", SANITIZED)


def config(hops, turn):
    """Both hops have work; who gets which domain changes with every reload."""
    return ("queue: { retry_first: 200ms, retry_max: 500ms }\n"
            f"sites: {{ default: {{ connections: {3 + turn % 3} }} }}\nroutes:\n"
            + "".join(f"  - {{ to: '@d{i}.test', deliver: {{ smtp: "
                      f"'{hops[(i + turn) % 2].address}' }} }}\n" for i in range(4)))


def send(port, sender, accepted):
    with Client(port) as c:
        for i in range(MESSAGES):
            name = f"m{sender}-{i}"
            reply = c.message(f"Subject: {name}\r\n\r\n{name}\r\n".encode(), sender="",
                              recipients=[f"{name}@d{i % 4}.test"])
            assert reply[0] == 250
            accepted.append(f"{name}@d{i % 4}.test")


def test_no_race_while_reloaded_and_asked(sanitized, data, tmp_path):
    def script(verb, argument, count):
        if verb == "RCPT" and count % 7 == 0:
            return b"451 4.3.0 later\r\n"
        return b"421 4.3.2 enough\r\n" if verb == "MAIL" and count % 23 == 0 else None
    environment = {"TSAN_OPTIONS": f"log_path={tmp_path}/race exitcode=66"}
    accepted = []
    with Sink(script=script) as one, Sink(script=script) as two, \
            Godwit(data, "--log-level", "debug", config=config((one, two), 0),
                   environment=environment) as g:
        senders = [threading.Thread(target=send, args=(g.port, i, accepted))
                   for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        for turn in range(ROUNDS):
            with open(data + ".yaml", "w") as f:
                f.write(config((one, two), turn))
            assert g.tool("reload", "--data", data).returncode == 0
            for words in (["status"], ["queue", "list"], ["queue", "hold", "all"],
                          ["queue", "release", "all"], ["queue", "retry", "all"]):
                assert g.tool(*words, "--data", data).returncode == 0
        for sender in senders:
            sender.join()
        assert len(accepted) == SENDERS * MESSAGES
        wait_for(lambda: not g.queue(), "an empty queue")
        got = sorted(r for sink in (one, two) for m in sink.messages for r in m.recipients)
        assert got == sorted(accepted)
        code = g.stop()
    races = "".join(open(path).read() for path in sorted(glob.glob(f"{tmp_path}/race.*")))
    assert not races, races[:8000]
    assert code == 0
