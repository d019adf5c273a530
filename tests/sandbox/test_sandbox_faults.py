"""Scripted faults: the same at each run, counted, and nobody else's."""
import os
import signal
import smtplib
import socket
import threading
import urllib.parse

import pytest

import box
import godwit
from test_sandbox_core import dialogue, inbox


@pytest.fixture(autouse=True)
def clean(sandbox):
    yield
    sandbox.own("DELETE", "/faults")


def fault(sandbox, key=None, **rule):
    return sandbox.own("POST", "/faults", rule, key=key)


def hits(sandbox, rule, wanted, key=None):
    godwit.wait_for(lambda: sandbox.own("GET", f"/faults/{rule['id']}", key=key)["hits"] == wanted,
                    f"{wanted} hits")


def codes(sandbox, *lines, body=b"Subject: x\r\n\r\nx\r\n"):
    """The codes of the replies to a list of commands, one at a time."""
    said = []
    with smtplib.SMTP("127.0.0.1", sandbox.smtp, timeout=30) as client:
        client.ehlo("client.test")
        for line in lines:
            client.send(body + b".\r\n" if line == "." else line + "\r\n")
            said.append(client.getreply()[0])
    return said


def test_twice_then_it_is_taken(sandbox):
    rule = fault(sandbox, step="rcpt", when={"recipient": "flaky@*"}, times=2, then={"reply": "451 4.7.1 Later"})
    rcpt = "RCPT TO:<flaky@x.test>"
    assert codes(sandbox, "MAIL FROM:<a@a.test>", rcpt, rcpt, rcpt, "RCPT TO:<other@x.test>") == [250, 451, 451, 250, 250]
    hits(sandbox, rule, 2)


def test_the_third_only(sandbox):
    fault(sandbox, step="rcpt", skip=2, times=1, then={"reply": "550 5.1.1 No"})
    rcpt = "RCPT TO:<b@b.test>"
    assert codes(sandbox, "MAIL FROM:<a@a.test>", rcpt, rcpt, rcpt, rcpt) == [250, 250, 250, 550, 250]


@pytest.mark.parametrize("when, meets", [({"sender": "a@a.test"}, True), ({"sender": "b@*"}, False),
                                         ({"client": "127.*"}, True), ({"helo": "client.test"}, True),
                                         ({"recipient": ["x@*", "b@b.test"]}, True), ({"account": "ann"}, False),
                                         ({"recipient": "b@b.test", "helo": "else"}, False)])
def test_whom_it_is_for(sandbox, when, meets):
    fault(sandbox, step="rcpt", when=when, then={"reply": "550 5.1.1 No"})
    assert codes(sandbox, "MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == [250, 550 if meets else 250]


@pytest.mark.parametrize("step, wanted", [("mail", [452]), ("data", [250, 250, 354, 452])])
def test_steps(sandbox, step, wanted):
    fault(sandbox, step=step, then={"reply": "452 4.3.1 Full"})
    lines = ["MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "DATA", "."]
    assert codes(sandbox, *lines[:len(wanted)]) == wanted


def test_connect_and_close(sandbox):
    rule = fault(sandbox, step="connect", times=1, then={"reply": "421 4.3.2 Busy"})
    with pytest.raises(smtplib.SMTPConnectError):
        smtplib.SMTP("127.0.0.1", sandbox.smtp, timeout=30)
    smtplib.SMTP("127.0.0.1", sandbox.smtp, timeout=30).quit()
    hits(sandbox, rule, 1)


def test_drop_after_data(sandbox):
    fault(sandbox, step="data", when={"recipient": "drop@x.test"}, times=1, then={"drop": True})
    said = dialogue(sandbox, b"EHLO x\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<drop@x.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
    assert said.endswith(b"\r\n") and b"354" in said and b"queued" not in said
    assert sandbox.own("GET", "/messages?search=to:drop@x")["count"] == 0


def test_what_a_dropped_session_had_to_say_is_nobody_elses(sandbox):
    """Replies to pipelined commands before the drop came out in another client's session."""
    rule = fault(sandbox, step="mail", when={"sender": "gone@a.test"}, then={"drop": True})
    for _ in range(5):
        dialogue(sandbox, b"EHLO x\r\nMAIL FROM:<gone@a.test>\r\nRCPT TO:<b@b.test>\r\n")
        with smtplib.SMTP("127.0.0.1", sandbox.smtp, timeout=30) as client:
            assert client.docmd("HELO y")[0] == 250
    hits(sandbox, rule, 5)


def test_size_and_rate(sandbox):
    fault(sandbox, step="data", when={"recipient": "small@x.test"}, then={"over_bytes": 1000})
    lines = ("MAIL FROM:<a@a.test>", "RCPT TO:<small@x.test>", "DATA", ".")
    assert codes(sandbox, *lines)[-1] == 250
    assert codes(sandbox, *lines, body=b"Subject: x\r\n\r\n" + b"x" * 900 + b"\r\n" + b"y" * 200 + b"\r\n")[-1] == 552
    fault(sandbox, step="rcpt", when={"recipient": "often@x.test"},
          then={"reply": "450 4.7.0 Too often", "above": {"count": 3, "per_ms": 3600000}})
    rcpt = "RCPT TO:<often@x.test>"
    assert codes(sandbox, "MAIL FROM:<a@a.test>", *[rcpt] * 5) == [250, 250, 250, 250, 450, 450]


def test_greylist(sandbox):
    fault(sandbox, step="rcpt", when={"recipient": "*@grey.test"}, then={"greylist_ms": 300})
    rcpt = "RCPT TO:<a@grey.test>"
    assert codes(sandbox, "MAIL FROM:<a@a.test>", rcpt)[1] == 451
    godwit.wait_for(lambda: codes(sandbox, "MAIL FROM:<a@a.test>", rcpt)[1] == 250, "the end of the greylist")
    assert codes(sandbox, "MAIL FROM:<else@a.test>", rcpt)[1] == 451


def test_login(sandbox):
    rule = fault(sandbox, step="login", when={"account": "ann"}, times=1, then={"reply": "454 4.7.0 Temporary"})
    plain = "AUTH PLAIN AGFubgB4"
    assert codes(sandbox, plain, plain) == [454, 235]
    hits(sandbox, rule, 1)


def test_session_names_its_faults(sandbox, key):
    i = inbox(sandbox, key)
    rule = fault(sandbox, key, inbox=i["id"], step="rcpt", times=1, then={"reply": "451 4.7.1 Later"})
    codes(sandbox, "MAIL FROM:<a@a.test>", f"RCPT TO:<{i['address']}>", f"RCPT TO:<{i['address']}>", "DATA", ".")
    message = sandbox.wait(key, inbox=i["id"])["messages"][0]
    assert sandbox.own("GET", f"/sessions/{message['session']}")["faults"] == [rule["id"]]


def test_a_keys_faults_are_for_its_own_mail(sandbox, key):
    mine, other = inbox(sandbox, key), inbox(sandbox, key + "-other")
    rule = fault(sandbox, key, step="rcpt", then={"reply": "550 5.1.1 No"})
    assert codes(sandbox, "MAIL FROM:<a@a.test>", f"RCPT TO:<{mine['address']}>", f"RCPT TO:<{other['address']}>",
                 "RCPT TO:<anybody@x.test>") == [250, 550, 250, 250]
    assert sandbox.get(f"{box.OWN}/faults/{rule['id']}", key=key + "-other").status == 404
    assert sandbox.ask("DELETE", f"{box.OWN}/faults/{rule['id']}").status == 404
    answer = sandbox.ask("POST", box.OWN + "/faults", {"step": "connect", "then": {"drop": True}}, key=key)
    assert answer.status == 400 and "with a key" in answer.json["message"]
    later = inbox(sandbox, key)
    godwit.wait_for(lambda: codes(sandbox, "MAIL FROM:<a@a.test>", f"RCPT TO:<{later['address']}>")[1] == 550,
                    "the rule to know the new inbox")
    sandbox.own("DELETE", "/faults", key=key)


@pytest.mark.parametrize("rule", [
    {}, {"step": "rcpt"}, {"step": "never", "then": {"drop": True}}, {"step": "rcpt", "then": {"reply": "250 ok"}},
    {"step": "rcpt", "then": {"reply": "550 x\r\n250 y"}}, {"step": "rcpt", "then": {"delay_ms": -1}},
    {"step": "rcpt", "when": {"colour": "red"}, "then": {"drop": True}}, {"step": "rcpt", "when": {"sender": 1}, "then": {"drop": True}},
    {"step": "rcpt", "times": "two", "then": {"drop": True}}, {"step": "rcpt", "inbox": "none", "then": {"drop": True}},
    {"step": "rcpt", "then": {"above": {"count": 0}}}, {"step": "rcpt", "percent": 101, "then": {"drop": True}}])
def test_rules_that_cannot_be_used(sandbox, rule):
    answer = sandbox.ask("POST", box.OWN + "/faults", rule)
    assert answer.status == 400 and answer.json["message"]
    assert codes(sandbox, "MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == [250, 250]


def test_rules_come_back_with_the_process():
    with box.Sandbox() as s:
        fault(s, step="rcpt", then={"reply": "550 5.1.1 No"})
        for pid in godwit.descendants(s.process.pid):
            os.kill(pid, signal.SIGKILL)

        def refused():
            try:
                return codes(s, "MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == [250, 550]
            except (OSError, smtplib.SMTPException):
                return False
        godwit.wait_for(refused, "the rule in the new process")


# ---- names that say what becomes of mail to them ----

def test_magic_recipients(sandbox):
    at = "@simulator.sandbox.test>"
    assert codes(sandbox, "MAIL FROM:<a@a.test>", "RCPT TO:<reply-550" + at, "RCPT TO:<reply-451-2" + at,
                 "RCPT TO:<reply-451-2" + at, "RCPT TO:<reply-451-2" + at, "RCPT TO:<success" + at,
                 "RCPT TO:<greylist-3600" + at, "RCPT TO:<reply-250" + at,
                 "RCPT TO:<reply-550@simulator.else.test>") == [250, 550, 451, 451, 250, 250, 451, 250, 250]


@pytest.mark.parametrize("name, what", [("bounce", "delivery-status"), ("delayed-bounce", "delivery-status"),
                                        ("delay", "delivery-status"), ("complaint", "feedback-report"), ("ooto", None)])
def test_what_comes_back(sandbox, key, name, what):
    i = inbox(sandbox, key)
    sandbox.deliver(box.mail("first", Message_ID="<orig-1@a.test>"), sender=i["address"],
                    to=(f"{name}+tag@simulator.sandbox.test",))
    message = sandbox.wait(key, inbox=i["id"], timeout="20s")["messages"][0]
    assert message["envelope"]["from"] == ""
    raw = sandbox.get(f"{box.OWN}/messages/{message['id']}/raw", key=key).body
    assert b"<orig-1@a.test>" in raw
    if what:
        assert what.encode() in raw and name.encode() in raw
    import json
    import subprocess
    if what == "delivery-status":
        done = subprocess.run([godwit.PROGRAM, "parse", "bounce", "-"], input=raw, capture_output=True)
        assert json.loads(done.stdout) and ("4.4.1" if name == "delay" else "5.1.1").encode() in done.stdout
    if what == "feedback-report":
        done = subprocess.run([godwit.PROGRAM, "parse", "arf", "-"], input=raw, capture_output=True)
        assert json.loads(done.stdout)["feedback_type"] == "Abuse"
    quiet = sandbox.get(f"{box.OWN}/wait?inbox={i['id']}&since={message['seq']}&none=200ms", key=key)
    assert quiet.status == 200


def test_no_answer_to_nobody(sandbox):
    sandbox.deliver(box.mail("x"), sender="", to=("bounce@simulator.sandbox.test",))
    sandbox.deliver(box.mail("x", Auto_Submitted="auto-replied"), sender="a@auto.test", to=("ooto@simulator.sandbox.test",))
    search = urllib.parse.quote("to:a@auto.test")
    assert sandbox.get(f"{box.OWN}/wait?search={search}&none=300ms").status == 200


# ---- chances, as others have them ----

def test_mailpits_chaos(sandbox):
    assert sandbox.get("/api/v1/chaos").json["Sender"] == {"ErrorCode": 451, "Probability": 0}
    said = sandbox.ask("PUT", "/api/v1/chaos", {"Recipient": {"ErrorCode": 452, "Probability": 100}}).json
    assert said["Recipient"] == {"ErrorCode": 452, "Probability": 100} and said["Sender"]["Probability"] == 0
    assert codes(sandbox, "MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == [250, 452]
    assert sandbox.ask("PUT", "/api/v1/chaos", {"Sender": {"ErrorCode": 700, "Probability": 1}}).status == 400
    sandbox.ask("PUT", "/api/v1/chaos", {})
    assert codes(sandbox, "MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>") == [250, 250]


def test_mailhogs_jim(sandbox):
    assert sandbox.get("/api/v2/jim").status == 404
    assert sandbox.ask("POST", "/api/v2/jim", {"RejectSenderChance": 1.0, "AcceptChance": 1.0}).status == 201
    assert sandbox.get("/api/v2/jim").json["RejectSenderChance"] == 1.0
    assert codes(sandbox, "MAIL FROM:<a@a.test>") == [550]
    assert sandbox.ask("DELETE", "/api/v2/jim").status == 200
    assert codes(sandbox, "MAIL FROM:<a@a.test>") == [250]


def test_chances_are_the_same_each_time():
    def run():
        with box.Sandbox() as s:
            fault(s, step="rcpt", percent=50, then={"reply": "451 4.7.1 Later"})
            return codes(s, "MAIL FROM:<a@a.test>", *["RCPT TO:<b@b.test>"] * 60)
    first = run()
    assert 10 < first.count(451) < 50 and run() == first


def test_many_at_once(sandbox):
    """Rules are in force when their request is answered."""
    wrong = []

    def one(n):
        try:
            key = f"many-{n}"
            i = inbox(sandbox, key)
            fault(sandbox, key, inbox=i["id"], step="rcpt", then={"reply": f"5{50 + n % 5} 5.1.1 No"})
            said = codes(sandbox, "MAIL FROM:<a@a.test>", f"RCPT TO:<{i['address']}>")
            if said != [250, 550 + n % 5]:
                wrong.append(said)
        except Exception as error:  # noqa: BLE001 - told below
            wrong.append(repr(error))
    threads = [threading.Thread(target=one, args=(n,)) for n in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_chaos_that_changes_nothing_is_answered_at_once(sandbox):
    """It waited for a revision that never came, and answered 503 behind its patience."""
    for _ in range(2):
        assert sandbox.ask("PUT", "/api/v1/chaos", {}).status == 200
        assert sandbox.ask("DELETE", f"{box.OWN}/faults").status == 200


def test_more_faults_than_can_be_are_refused():
    """One too many, and no later one came into force."""
    with box.Sandbox() as s:
        for n in range(1000):
            fault(s, step="rcpt", when={"recipient": f"{n}@limit.test"}, then={"reply": "550 5.1.1 No"})
        said = s.ask("POST", f"{box.OWN}/faults", {"step": "rcpt", "then": {"reply": "550 No"}})
        assert said.status == 400 and "as many faults as there can be" in said.json["message"]
        long = s.ask("POST", f"{box.OWN}/faults", {"step": "rcpt", "when": {"recipient": ["x" * 1000] * 20},
                                                  "then": {"reply": "550 No"}})
        assert long.status == 400 and "too long" in long.json["message"]
        assert codes(s, "MAIL FROM:<a@a.test>", "RCPT TO:<999@limit.test>") == [250, 550]
        assert s.ask("DELETE", f"{box.OWN}/faults").status == 200
        fault(s, step="mail", then={"reply": "451 4.3.0 Later"})
        assert codes(s, "MAIL FROM:<a@a.test>") == [451]


def test_a_fault_counts_on_when_an_inbox_is_made(sandbox, key):
    """The addresses that it is for were part of what it was known by, and it began anew."""
    i = inbox(sandbox, key)
    fault(sandbox, key, step="rcpt", times=1, then={"reply": "451 4.7.1 Later"})
    assert codes(sandbox, "MAIL FROM:<a@a.test>", f"RCPT TO:<{i['address']}>") == [250, 451]
    other = inbox(sandbox, key)
    fault(sandbox, "another-key", step="rcpt", then={"reply": "451 4.7.1 Later"})
    assert codes(sandbox, "MAIL FROM:<a@a.test>", f"RCPT TO:<{i['address']}>",
                 f"RCPT TO:<{other['address']}>") == [250, 250, 250]


@pytest.mark.parametrize("wrong", [
    {"then": {"reply": "451 Later", "delay": 5}}, {"then": {"drop": 1}}, {"then": []},
    {"then": {"reply": 451}}, {"when": []}, {"when": {"recipients": "a@b"}}, {"times": "2"},
    {"percent": 101}, {"tmes": 1}, {"then": {"above": 3}}, {"inbox": 3}])
def test_a_rule_that_is_not_understood_is_refused(sandbox, wrong):
    rule = {"step": "rcpt", "then": {"reply": "451 4.7.1 Later"}, **wrong}
    answer = sandbox.ask("POST", f"{box.OWN}/faults", rule)
    assert answer.status == 400 and answer.json["message"]


# ---- a reply that is cut off ----

def everything(sandbox, *groups):
    """All octets until the server closes; each group of commands behind as many replies as were asked for."""
    said, wanted = b"", 1
    with socket.create_connection(("127.0.0.1", sandbox.smtp), timeout=20) as s:
        def read(enough):
            nonlocal said
            while not enough():
                got = s.recv(65536)
                if not got:
                    return False
                said += got
            return True
        for group in groups:
            if not read(lambda: len([r for r in said.split(b"\r\n")[:-1] if r[3:4] == b" "]) >= wanted):
                return said
            s.sendall(group)
            wanted += 1 if group.startswith(b"Subject") else group.count(b"\r\n")
        s.shutdown(socket.SHUT_WR)
        read(lambda: False)
    return said


@pytest.mark.parametrize("step, rest", [
    ("connect", b"220 "), ("helo", b"250-"), ("mail", b"250 "), ("rcpt", b"250 "), ("data", b"250 ")])
def test_an_answer_is_cut_off(sandbox, step, rest):
    """What was said before it goes out whole, in a group of commands, too."""
    f = fault(sandbox, step=step, times=1, then={"cut_after": 4})
    group = [b"EHLO c.test\r\n", b"MAIL FROM:<a@a.test>\r\nRCPT TO:<cut@b.test>\r\nDATA\r\n", b"Subject: cut\r\n\r\nx\r\n.\r\n"]
    said = everything(sandbox, *group)
    assert said.endswith(rest) and not said.endswith(b"\r\n")
    replies = said[:-4].split(b"\r\n")
    assert replies[-1] == b"" and len([r for r in replies if r[3:4] == b" "]) == ["connect", "helo", "mail", "rcpt", "", "data"].index(step)
    godwit.wait_for(lambda: sandbox.own("GET", f"/faults/{f['id']}")["hits"] == 1, "the hit")
    whole = everything(sandbox, *group)
    assert whole.count(b"\r\n250 2.0.0 ") >= 1
    found = [sandbox.own("GET", f"/sessions/{s['id']}") for s in sandbox.own("GET", "/sessions?limit=3")["sessions"]]
    cut = next(s for s in found if s["faults"])
    assert cut["lines"][-1] == {**cut["lines"][-1], "from": "server", "text": rest.decode()}
    sandbox.own("DELETE", f"/faults/{f['id']}")


def test_a_refusal_is_cut_off_and_a_recipient_asks_for_it(sandbox):
    f = fault(sandbox, step="mail", then={"reply": "451 4.3.0 Try again later", "cut_after": 9})
    assert everything(sandbox, b"EHLO c\r\n", b"MAIL FROM:<a@a.test>\r\n").endswith(b"\r\n451 4.3.0")
    sandbox.own("DELETE", f"/faults/{f['id']}")
    said = everything(sandbox, b"EHLO c\r\n", b"MAIL FROM:<a@a.test>\r\nRCPT TO:<cut-6@simulator.sandbox.test>\r\n")
    assert said.endswith(b"\r\n250 2.")
    for wrong in ({"cut_after": 5, "drop": True}, {"cut_after": 1001}, {"cut_after": "x"}):
        assert sandbox.ask("POST", f"{box.OWN}/faults", {"step": "mail", "then": wrong}).status == 400
    assert sandbox.ask("POST", f"{box.OWN}/faults", {"step": "login", "then": {"cut_after": 5}}).status == 400


def test_what_was_cut_at_the_end_of_data_was_kept(sandbox, key):
    i = inbox(sandbox, key)
    fault(sandbox, key, step="data", then={"cut_after": 3})
    said = everything(sandbox, b"EHLO c\r\n", b"MAIL FROM:<a@a.test>\r\n", f"RCPT TO:<{i['address']}>\r\n".encode(),
                      b"DATA\r\n", b"Subject: kept\r\n\r\nx\r\n.\r\n")
    assert said.endswith(b"\r\n250") and sandbox.wait(key=key, inbox=i["id"])["message"]["subject"] == "kept"
