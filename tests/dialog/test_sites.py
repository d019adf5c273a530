"""Limits by where mail goes: shared under a name, changed by replies, by an operator, and
shown with the one that binds."""
import json

import pytest

from godwit import Client, Godwit, Sink, wait_for

EX_USAGE, EX_UNAVAILABLE = 64, 69


def to(hop, sites, more=""):
    return f"sites: {sites}\n{more}routes:\n  - {{ deliver: {{ smtp: '{hop}' }} }}\n"


def submit(g, *recipients):
    for recipient in recipients:
        with Client(g.port) as c:
            assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="",
                             recipients=(recipient,))[0] == 250


def site(g, *words):
    return g.tool("site", *words, "--data", g.data)


def shown(g, name):
    done = site(g, "show", name, "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_which_limit_binds_is_said_and_a_reload_lifts_it(data, sink):
    with Godwit(data, config=to(sink.address, "{ slow: { domains: far.test, rate: 1/h } }")) as g:
        submit(g, "a@far.test", "b@far.test", "c@near.test")
        sink.wait(2)
        wait_for(lambda: shown(g, "far.test")[0]["connections"] >= 0 and
                 shown(g, "far.test")[0]["limit"] == "rate", "the rate to bind")
        (one,) = shown(g, "slow")
        assert (one["name"], one["ready"], one["taken"]) == ("slow", 1, 1)
        words = site(g, "show", "far.test").stdout
        assert "held back by  the rate of the configuration, for another 5" in words
        assert "rate          1 messages a hour" not in words
        assert "rate          1 message an hour" in words
        assert "ceiling       1 message an hour, by the rate" in words
        rows = site(g, "list").stdout.splitlines()
        assert rows[0].split()[:2] == ["READY", "CONNS"] and len(rows) == 3
        with open(g.data + ".yaml", "w") as f:
            f.write(to(sink.address, "{}"))
        assert g.tool("reload", "--data", g.data).returncode == 0
        sink.wait(3)


def test_a_reply_suspends_a_site_and_an_operator_resumes_it(data):
    listed = [True]

    def script(verb, *_):
        if verb == "MAIL" and listed[0]:
            return b"550 5.7.1 blocked using our list (S3150)\r\n"
        return None

    rule = "{ default: { connections: 1, replies: [{ code: 550, text: s3150, then: suspend }] } }"
    with Sink(script=script) as sink, Godwit(data, config=to(sink.address, rule)) as g:
        submit(g, "a@far.test")
        wait_for(lambda: g.events("site-suspended"), "the suspension in the log")
        submit(g, "b@far.test")
        wait_for(lambda: shown(g, "far.test")[0]["ready"] == 1, "what waits")
        words = site(g, "show", "far.test").stdout
        assert "it is suspended for what it replied, for another 14m" in words
        assert "because of    550 5.7.1 5.7.1 " not in words
        assert "blocked using our list (S3150)" in words
        listed[0] = False
        assert site(g, "resume", "far.test").stdout == "resume: 1 site\n"
        sink.wait(1)
        wait_for(lambda: g.events("site-resumed"), "the end of it in the log")


def test_an_operator_suspends_all_sites_of_a_name(data, sink):
    with Godwit(data, config=to(sink.address, "{ far: { domains: '*.far.test' } }")) as g:
        submit(g, "a@one.far.test", "b@two.far.test")
        sink.wait(2)
        done = site(g, "suspend", "far", "--for", "2h", "--reason", "they asked us to")
        assert (done.returncode, done.stdout) == (0, "suspend: 1 site\n")
        submit(g, "c@two.far.test", "d@near.test")
        sink.wait(3)
        wait_for(lambda: shown(g, "far")[0]["ready"] == 1, "what waits")
        words = site(g, "show", "two.far.test").stdout
        assert "it is suspended by an operator, for another 1h" in words
        assert "because of    they asked us to" in words
        assert site(g, "resume", "far").returncode == 0
        sink.wait(4)


@pytest.mark.parametrize("words, code, says", [
    (("suspend", "nobody.test"), EX_UNAVAILABLE, "no mail goes to 'nobody.test'"),
    (("show", "nobody.test"), EX_UNAVAILABLE, "no mail goes to 'nobody.test'"),
    (("resume", "nobody.test"), EX_UNAVAILABLE, "no mail goes to 'nobody.test'"),
    (("suspend", "x.test", "--for", "2w"), EX_USAGE, "a time such as 30s, 15m, 4h or 2d"),
    (("suspend", "x.test", "--for", "0s"), EX_USAGE, "a time such as"),
    (("suspend", "x.test", "--for", "9999d"), EX_USAGE, "a time such as"),
    (("resume", "x.test", "--for", "2h"), EX_USAGE, "--for goes with suspend"),
    (("suspend",), EX_USAGE, ""),
])
def test_what_cannot_be_done_is_said(data, words, code, says):
    with Godwit(data) as g:
        done = site(g, *words)
        assert done.returncode == code and says in done.stderr


def test_nothing_goes_anywhere_yet(data):
    with Godwit(data) as g:
        assert site(g, "list").stdout == "no mail goes anywhere just now\n"
        assert site(g, "list", "--json").stdout == ""


def queue(g, *words):
    return g.tool("queue", *words, "--data", g.data)


def test_an_operator_acts_on_those_who_are_meant(data, sink):
    """hold, list and delete by where it goes, by sender and by age, all of which must fit."""
    with Godwit(data, config=to(sink.address, "{ big: { domains: '*.big.test' } }",
                                more="queue: { hold: true }\n")) as g:
        for sender in ("ann@here.test", "bob@here.test"):
            with Client(g.port) as c:
                assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender=sender, recipients=(
                    "a@one.big.test", "b@near.test", "c@two.big.test")
                    if sender[0] == "b" else ("a@one.big.test",))[0] == 250

        def rows(*words):
            done = queue(g, "list", "--json", *words)
            return [json.loads(line)["recipient"]["address"] for line in done.stdout.splitlines()]

        assert len(rows()) == 4
        assert rows("--domain", "One.big.test") == ["a@one.big.test"] * 2
        assert len(rows("--domain", "*.big.test")) == 3
        assert len(rows("--sender", "BOB@here.test")) == 3
        assert rows("--sender", "@here.test", "--domain", "two.big.test") == ["c@two.big.test"]
        assert rows("--older", "1h") == []
        assert queue(g, "list", "--older", "1h").stdout == "nothing in the queue fits\n"
        done = queue(g, "release", "all", "--domain", "two.big.test")
        assert (done.returncode, done.stdout) == (0, "release: 1 message\n")
        sink.wait(1)
        assert queue(g, "delete", "all", "--sender", "ann@here.test").returncode == 0
        assert rows("--domain", "one.big.test") == ["a@one.big.test"]
        for wrong in (("hold", "0000100000001", "--domain", "x.test"), ("show", "all", "--older",
                      "1x"), ("list", "--older", "soon")):
            assert queue(g, *wrong).returncode == EX_USAGE
