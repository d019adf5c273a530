"""Receivers that throttle, greylist, are away or refuse, in real time and beside a good one:
everything arrives, the good one waits for nobody, and what is said is heeded."""
import collections
import threading
import time

from godwit import Client, Godwit, Sink, wait_for

MESSAGES = 30


class Throttle:
    """So many a second of its own; more gets 421 and is counted."""

    def __init__(self, most):
        self.most, self.taken, self.refused = most, collections.Counter(), 0
        self.lock = threading.Lock()

    def __call__(self, verb, *_):
        if verb != "MAIL":
            return None
        with self.lock:
            second = int(time.monotonic())
            self.taken[second] += 1
            if self.taken[second] <= self.most:
                return None
            self.refused += 1
        return b"451 4.7.28 You send faster than we like\r\n"


class Greylist:
    """Each sender is taken the second time."""

    def __init__(self):
        self.seen, self.lock = set(), threading.Lock()

    def __call__(self, verb, argument, *_):
        if verb != "MAIL":
            return None
        with self.lock:
            sender = argument.split(">")[0]
            if sender in self.seen:
                return None
            self.seen.add(sender)
        return b"450 4.7.1 Greylisted, come again\r\n"


def submit(g, domain):
    with Client(g.port) as c:
        for n in range(MESSAGES):
            assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender=f"s{n}@here.test",
                             recipients=(f"r{n}@{domain}",))[0] == 250


def test_all_of_it_arrives_and_the_good_one_waits_for_nobody(data, sink):
    throttle = Throttle(5)
    with Sink(script=throttle) as slow, Sink(script=Greylist()) as grey, \
            Sink() as away:
        held = away.address
        config = ("queue: { retry_first: 1s, retry_max: 2s }\n"
                  "sites: { default: { replies: [{ status: 4.7.28, then: slow, for: 5s }] } }\n"
                  "routes:\n"
                  f"  - {{ to: '@slow.test', deliver: {{ smtp: '{slow.address}' }} }}\n"
                  f"  - {{ to: '@grey.test', deliver: {{ smtp: '{grey.address}' }} }}\n"
                  f"  - {{ to: '@late.test', deliver: {{ smtp: '{held}' }} }}\n"
                  f"  - {{ deliver: {{ smtp: '{sink.address}' }} }}\n")
        with Godwit(data, config=config) as g:
            done = g.tool("site", "list", "--data", g.data)
            assert done.returncode == 0
            for domain in ("slow.test", "grey.test", "late.test", "good.test"):
                submit(g, domain)
            sink.wait(MESSAGES)
            away.wait(MESSAGES)
            grey.wait(MESSAGES)
            wait_for(lambda: g.events("site-slowed"), "the throttle to be heeded")
            assert not any(e["to"].endswith("good.test") for e in g.events("deferred"))
            # What the throttle has found is an hourly pace: nobody waits for the last of it.
            assert throttle.refused < MESSAGES * 3
            shown = g.tool("site", "show", "slow.test", "--data", g.data).stdout
            assert "by its replies" in shown and "faster than we like" in shown
            assert g.tool("site", "resume", "slow.test", "--data", g.data).returncode == 0
