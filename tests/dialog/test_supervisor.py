"""The process that stays: what it does about an engine that dies."""
import os
import signal
import threading

import godwit
from godwit import Client, Godwit, wait_for


def kill_engine(g):
    """Once there is one. Its number."""
    engine, = wait_for(lambda: godwit.descendants(g.process.pid), "an engine")
    os.kill(engine, signal.SIGKILL)
    wait_for(lambda: engine not in godwit.descendants(g.process.pid), "it to be gone")
    return engine


def starts(g):
    return g.output().count('"started"')


def test_an_engine_that_dies_is_started_again_and_what_it_had_goes_on(data):
    later = {"reply": b"451 4.3.0 later\r\n"}
    with godwit.Sink(script=lambda verb, *_: later["reply"] if verb == "RCPT" else None) as sink, \
            Godwit(data, "--next-hop", sink.address,
                   config="queue: { retry_first: 200ms, retry_max: 300ms }\n") as g:
        with Client(g.port) as c:
            assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="")[0] == 250
        wait_for(lambda: g.events("deferred"), "a deferral")
        for i in range(3):
            kill_engine(g)
            wait_for(lambda: starts(g) == i + 2, "the next engine")
        assert "the engine died of signal 9" in g.output()
        later["reply"] = None
        sink.wait(1)
        with Client(g.port) as c:
            assert c.code("NOOP") == 250
        assert g.stop() == 0


def test_clients_wait_in_the_socket_while_the_engine_is_away(data):
    """The ports are the supervisor's: nobody is refused between two engines."""
    with Godwit(data, "--capture") as g:
        kill_engine(g)
        with Client(g.port) as c:
            assert c.code("NOOP") == 250


def test_told_to_end_between_two_engines(data):
    with Godwit(data, "--capture") as g:
        for i in range(3):
            kill_engine(g)
            wait_for(lambda: starts(g) == i + 2, "the next engine")
        kill_engine(g)
        g.process.terminate()
        assert g.process.wait(godwit.PATIENCE) == 0


def refused(data, said, config=None):
    with Godwit(data, "--capture", config=config, start=False) as g:
        g.start(wait=False)
        assert g.process.wait(godwit.PATIENCE) == 73
        assert said in g.output() and "starting the engine again" not in g.output()


def test_what_no_restart_mends_ends_it(data):
    refused(data, "cannot start the resolver /nowhere/anchor",
            "dns: { servers: ['127.0.0.1:9'], trust_anchor: /nowhere/anchor }\n")
    with open(os.path.join(data, "spool", "format"), "w") as f:
        f.write("of another age\n")
    refused(data, f"cannot open the spool in {data}: corrupt")


def test_hops_that_do_not_speak_hold_no_end_up(data):
    """What has not begun is called off; it is tried again by the next godwit."""
    quiet = threading.Event()

    def script(verb, argument, count):
        if verb == "CONNECT":
            quiet.wait(godwit.PATIENCE)
        return None
    with godwit.Sink(script=script) as sink:
        with Godwit(data, "--next-hop", sink.address) as g:
            with Client(g.port) as c:
                for _ in range(3):
                    assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="")[0] == 250
            wait_for(lambda: sink.sessions > 0, "a connection")
            assert g.stop() == 0
            assert [e["text"] for e in g.events("stopped")] == ["clean"]
            assert not g.events("site-failed") and not g.events("deferred")
            quiet.set()
            g.start()
            sink.wait(3)
