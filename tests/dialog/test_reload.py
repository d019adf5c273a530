"""Another configuration while godwit runs: what it changes, what it must not, and what a
restart of the engine makes of it."""
import os
import signal
import socket

import pytest

import godwit
from godwit import Client, Godwit, Sink, wait_for

SLOW = "queue: { retry_first: 1h, retry_max: 2h }\n"


def to(hop, more=""):
    return SLOW + more + f"routes:\n  - {{ deliver: {{ smtp: '{hop}' }} }}\n"


def write(g, text):
    """As editors do: nobody reads half of it."""
    with open(g.data + ".new", "w") as f:
        f.write(text)
    os.replace(g.data + ".new", g.data + ".yaml")


def reload(g, text=None):
    if text is not None:
        write(g, text)
    return g.tool("reload", "--data", g.data)


def submit(g, recipients=("b@far.test",)):
    with Client(g.port) as c:
        assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="", recipients=recipients)[0] == 250


@pytest.fixture
def nobody():
    """An address where nobody listens, and nobody else can."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield "127.0.0.1:%d" % s.getsockname()[1]


def test_what_waits_for_a_dead_hop_takes_the_new_route(data, sink, nobody):
    with Godwit(data, config=to(nobody)) as g:
        submit(g)
        wait_for(lambda: g.events("site-failed"), "the hop to be found dead")
        submit(g)
        assert reload(g, to(sink.address)).returncode == 0
        sink.wait(2)
        wait_for(lambda: not g.queue(), "an empty queue")


def test_what_is_due_later_takes_the_new_route_when_it_is_tried(data, sink):
    with Sink(script=lambda verb, *_: b"451 4.3.0 later\r\n" if verb == "RCPT" else None) as old, \
            Godwit(data, config=to(old.address)) as g:
        submit(g)
        wait_for(lambda: g.events("deferred"), "a deferral")
        assert reload(g, to(sink.address)).returncode == 0
        assert not sink.messages
        assert g.tool("queue", "retry", "all", "--data", data).returncode == 0
        sink.wait(1)


def test_an_open_connection_of_the_old_route_is_not_used(data, sink):
    with Sink() as old, Godwit(data, config=to(old.address)) as g:
        submit(g)
        old.wait(1)
        assert reload(g, to(sink.address)).returncode == 0
        for _ in range(3):
            submit(g)
        sink.wait(3)
        assert len(old.messages) == 1


def test_limits_of_sites_follow(data, sink):
    people = [f"p{i}@far.test" for i in range(4)]
    with Godwit(data, config=to(sink.address)) as g:
        submit(g, people)
        assert len(sink.wait(1)[0].recipients) == 4
        more = "sites: { default: { recipients_per_message: 1 } }\n"
        assert reload(g, to(sink.address, more)).returncode == 0
        submit(g, people)
        assert [len(m.recipients) for m in sink.wait(5)[1:]] == [1, 1, 1, 1]


def test_the_last_of_many_reloads_counts(data, sink, nobody):
    with Godwit(data, config=to(nobody)) as g:
        for i in range(20):
            write(g, to(sink.address if i == 19 else nobody))
            os.kill(g.process.pid, signal.SIGHUP)
        submit(g)
        sink.wait(1)


@pytest.mark.parametrize("more,said", [
    ("hostname: other.test\n", "hostname has changed"),
    ("threads: 7\n", "threads has changed"),
    ("log: { form: human }\n", "log.form has changed"),
    ("dns: { servers: ['127.0.0.1:53'] }\n", "dns has changed"),
    ("limits: { message: 1MiB }\n", "limits.message has changed"),
])
def test_what_belongs_to_the_start_is_refused(data, sink, nobody, more, said):
    base = "log: { form: json }\n" + to(sink.address)
    path = data + ".yaml"
    with open(path, "w") as f:
        f.write(base)
    with Godwit(data, config=base, hostname=None, start=False) as g:
        g.command = [godwit.PROGRAM, "serve", "--data", data, "--listen", "127.0.0.1:0",
                     "--config", path]
        g.start()
        text = to(nobody, more)
        done = reload(g, text if "log:" in text else "log: { form: json }\n" + text)
        assert done.returncode != 0
        assert said in done.stderr and "restart" in done.stderr, done.stderr
        wait_for(lambda: g.events("reload-failed"), "the refusal in the log")
        submit(g)
        sink.wait(1)


def test_a_changed_listener_is_named_and_the_old_one_stays(data, sink, nobody):
    listen = "listen:\n  - {{ address: '{}', role: submission }}\n"
    with Godwit(data, listen=(), config=listen.format("127.0.0.1:0") + to(sink.address)) as g:
        done = reload(g, listen.format(nobody) + to(nobody))
        assert done.returncode != 0
        address, port = nobody.split(":")
        assert f"listener [{address}]:{port} is new" in done.stderr
        assert "restart" in done.stderr and "the old configuration holds" in done.stderr
        submit(g)
        sink.wait(1)
        assert reload(g, listen.format("127.0.0.1:0") + to(sink.address)).returncode == 0


def kill_engine(g):
    engine, = godwit.descendants(g.process.pid)
    os.kill(engine, signal.SIGKILL)
    wait_for(lambda: g.output().count('"started"') == 2, "the next engine")


def test_an_engine_that_dies_does_not_undo_a_reload(data, sink, nobody):
    """Nor does the next one take up what nobody asked to be loaded."""
    with Godwit(data, config=to(nobody)) as g:
        assert reload(g, to(sink.address)).returncode == 0
        write(g, "routes: [half\n")
        kill_engine(g)
        submit(g)
        sink.wait(1)
        write(g, to(nobody))
        assert reload(g).returncode == 0


def test_an_engine_that_dies_keeps_its_ports(data, sink):
    with Godwit(data, config=to(sink.address)) as g:
        before = g.port
        kill_engine(g)
        g.ports = [before]
        submit(g)
        sink.wait(1)


def test_the_log_file_is_made_anew(data, sink, tmp_path):
    path = tmp_path / "godwit.log"
    config = f"log: {{ file: '{path}' }}\n" + to(sink.address)
    with Godwit(data, config=config, start=False) as g:
        g.start(wait=False)
        wait_for(lambda: path.exists() and '"started"' in path.read_text(), "the start")
        g.ports = wait_for(g._listening, "the ports")
        os.rename(path, tmp_path / "godwit.log.1")
        os.kill(g.process.pid, signal.SIGHUP)
        wait_for(lambda: path.exists() and '"reloaded"' in path.read_text(), "the new file")
        submit(g)
        wait_for(lambda: '"relayed"' in path.read_text(), "lines in the new file")
        assert '"relayed"' not in (tmp_path / "godwit.log.1").read_text()
