"""The other ways out: Maildir and its quota, LMTP and its replies, and nowhere."""
import os

import pytest

import godwit
from godwit import Client

FAST = "queue: { retry_first: 200ms, retry_max: 500ms }\n"


def mails(path):
    new = os.path.join(path, "new")
    return [open(os.path.join(new, name), "rb").read() for name in sorted(os.listdir(new))] \
        if os.path.isdir(new) else []


def submit(g, content, recipients, sender="a@client.test"):
    with Client(g.port) as c:
        code, text = c.message(content, sender, recipients)
        assert code == 250, text


def test_maildir_holds_what_was_sent(data, tmp_path, content):
    config = f"domains: {{ our.test: {{ users: [anna, bert], " \
        f"deliver: {{ maildir: '{tmp_path}/{{domain}}/{{user}}' }} }} }}\n"
    with godwit.Godwit(data, config=config) as g:
        submit(g, content, ["anna@our.test", "BERT@our.test"])
        for user in ("anna", "bert"):
            mail, = godwit.wait_for(lambda: mails(str(tmp_path / "our.test" / user)), "the mail")
            assert mail.replace(b"\r\n", b"\n").endswith(content.replace(b"\r\n", b"\n"))
            assert b"Return-Path: <a@client.test>" in mail
            godwit.wait_for(lambda: os.listdir(tmp_path / "our.test" / user / "tmp") == [],
                            "nothing left in tmp")
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        godwit.wait_for(lambda: len(g.events("delivered")) == 2, "both in the log")


def test_maildir_over_its_quota(data, tmp_path, content):
    """There was room at RCPT and is none now: 4.2.2, and it arrives when there is."""
    config = FAST + f"domains: {{ our.test: {{ users: [anna], quota: 64KiB, " \
        f"deliver: {{ maildir: '{tmp_path}/{{user}}' }} }} }}\n"
    large = content + (b"x" * 70 + b"\r\n") * 600
    box = tmp_path / "anna"
    with godwit.Godwit(data, config=config) as g:
        submit(g, large, ["anna@our.test"])
        godwit.wait_for(lambda: g.events("delivered"), "the first")
        submit(g, large, ["anna@our.test"])
        event = godwit.wait_for(lambda: g.events("deferred"), "a deferral")[0]
        assert event["status"] == "4.2.2"
        for path in [*(box / "new").iterdir(), box / "maildirsize"]:
            path.unlink()
        godwit.wait_for(lambda: len(g.events("delivered")) == 2, "the second")
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert len(mails(str(box))) == 1


def test_lmtp_answers_for_each_recipient(data, content):
    fates = {"good": None, "gone": b"550 5.1.1 gone\r\n", "full": b"452 4.2.2 full\r\n",
             "also": None}

    def script(verb, argument, count):
        return fates[argument[:4]] if verb == "DOT" else None
    with godwit.Sink(lmtp=True, script=script) as sink:
        config = "queue: { retry_first: 1h }\n" \
            f"routes: [{{ deliver: {{ lmtp: '{sink.address}' }} }}]\n"
        with godwit.Godwit(data, config=config) as g:
            submit(g, content, [f"{name}@our.test" for name in fates], sender="")
            message = sink.wait(1)[0]
            assert message.recipients == ["good@our.test", "also@our.test"]
            assert godwit.without_trace(message.content).endswith(content)
            godwit.wait_for(lambda: len(g.queue()) == 1, "one that waits")
            assert g.queue()[0]["recipient"]["address"] == "full@our.test"
            godwit.wait_for(lambda: g.recipients("failed") == ["gone@our.test"], "the failed one")
            godwit.wait_for(lambda: g.recipients("delivered") ==
                            ["also@our.test", "good@our.test"], "the delivered ones")
            assert not any(command.startswith("EHLO") for command in sink.commands)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_lmtp_gone_between_its_replies(data, content, after):
    """Who was answered for is done, the others are tried again: nobody twice."""
    count = {"answers": 0}

    def script(verb, argument, _):
        if verb != "DOT":
            return None
        count["answers"] += 1
        return "drop" if count["answers"] == after + 1 else None
    with godwit.Sink(lmtp=True, script=script) as sink:
        config = FAST + f"routes: [{{ deliver: {{ lmtp: '{sink.address}' }} }}]\n"
        with godwit.Godwit(data, config=config) as g:
            names = ["one@our.test", "two@our.test", "six@our.test"]
            submit(g, content, names, sender="")
            godwit.wait_for(lambda: g.queue() == [], "an empty queue")
            godwit.wait_for(lambda: g.recipients("delivered") == sorted(names), "each, once")
            tried = [c for c in sink.commands if c.startswith("DOT")]
            assert len(tried) == 3 + 1


def test_discard_is_on_the_record(data, content):
    with godwit.Godwit(data, config="routes: [{ deliver: discard }]\n") as g:
        submit(g, content, ["b@far.test", "c@far.test"])
        godwit.wait_for(lambda: len(g.events("discarded")) == 2, "both")
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert g.events("reported") == []


def test_alias_to_near_and_far(data, tmp_path, content):
    config = f"domains: {{ our.test: {{ users: [anna], aliases: {{ team: [anna, out@far.test] }}, " \
        f"deliver: {{ maildir: '{tmp_path}/{{user}}' }} }} }}\n"
    with godwit.Sink() as sink, \
            godwit.Godwit(data, config=config + f"routes: [{{ deliver: {{ smtp: '{sink.address}' }} }}]\n") as g:
        submit(g, content, ["team@our.test"])
        assert sink.wait(1)[0].recipients == ["out@far.test"]
        godwit.wait_for(lambda: len(mails(str(tmp_path / "anna"))) == 1, "the near one")
