"""The sandbox's own API over real sockets: what was sent is there to the octet, apart from other
people's, found again, waited for, and gone when it should be."""
import json
import os
import signal
import socket
import threading
import time
import urllib.parse

import pytest

import box
import godwit


def inbox(sandbox, key=None, **wish):
    return sandbox.own("POST", "/inboxes", wish, key=key)


def raw(sandbox, identifier, key=None):
    return sandbox.get(f"{box.OWN}/messages/{identifier}/raw", key=key).body


def dialogue(sandbox, octets):
    """Says it all at once, reads to the end."""
    with socket.create_connection(("127.0.0.1", sandbox.smtp), timeout=20) as s:
        s.sendall(octets)
        said = b""
        while piece := s.recv(65536):
            said += piece
    return said


# ---- what was sent ----

@pytest.mark.parametrize("octets", [
    b"Subject: a\r\n\r\nplain\r\n", b"Subject: bare\n\nline\nends\n", b"Subject: cr\r\n\r\na\rb\r\n",
    b"no header at all", b"Subject: 8 bit \xe4\xff\r\n\r\n\x80\x00\x01\r\n",
    b"Subject: long\r\n\r\n" + b"x" * 5000 + b"\r\n",
    b"Subject: dots\r\n\r\n..\r\n.x\r\n", b""], ids=["plain", "lf", "cr", "none", "binary", "long",
                                                    "dots", "empty"])
def test_octets_are_kept(sandbox, key, octets):
    """BDAT hands over octets as they are: line ends of any kind, NUL, nothing."""
    i = inbox(sandbox, key)
    said = dialogue(sandbox, b"EHLO x\r\nMAIL FROM:<a@a.test> BODY=BINARYMIME\r\nRCPT TO:<%s>\r\n"
                    b"BDAT %d LAST\r\n%sQUIT\r\n" % (i["address"].encode(), len(octets), octets))
    assert b"queued as" in said, said
    found = sandbox.wait(key, inbox=i["id"])
    message = found["messages"][0]
    assert raw(sandbox, message["id"], key) == octets
    assert message["size"] == len(octets)
    assert message["flags"]["bareLf"] == octets.replace(b"\r\n", b"").count(b"\n")
    assert message["flags"]["nul"] == octets.count(b"\0")


def test_bare_line_ends_never_end_the_data(sandbox, key):
    i = inbox(sandbox, key)
    body = b"Subject: x\r\n\r\none\n.\ntwo\r.\rthree\n.\r\nfour\r\n"
    said = dialogue(sandbox, b"EHLO x\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<%s>\r\nDATA\r\n%s.\r\n"
                    b"QUIT\r\n" % (i["address"].encode(), body))
    assert said.count(b"queued as") == 1
    message = sandbox.wait(key, inbox=i["id"])["messages"][0]
    assert raw(sandbox, message["id"], key) == body
    assert message["flags"]["bareLf"] == 3 and message["flags"]["bareCr"] == 2


def test_envelope_and_transcript_stand_apart(sandbox, key):
    i = inbox(sandbox, key)
    m = box.mail("s", "t", to="shown@else.test")
    identifier = sandbox.deliver(m, sender="bounce@a.test", to=(i["address"],),
                                 login=("someone", "secret-word"))
    message = sandbox.wait(key, inbox=i["id"])["messages"][0]
    assert message["id"] == identifier
    assert message["envelope"]["from"] == "bounce@a.test"
    assert message["envelope"]["to"] == [i["address"]]
    assert message["envelope"]["account"] == "someone"
    assert message["to"][0]["address"] == "shown@else.test"
    assert message["bcc"][0]["address"] == i["address"]
    assert b"Received" not in raw(sandbox, identifier, key)

    def closed():
        session = sandbox.own("GET", f"/sessions/{message['session']}")
        return session if session["closed"] else None
    session = godwit.wait_for(closed, "the end of the session")
    lines = [line["text"] for line in session["lines"]]
    assert lines[0].startswith("220 ")
    assert any("queued as " + identifier in line for line in lines)
    assert not any("secret" in line for line in lines), lines
    assert session["messages"] == [identifier] and not session["aborted"]


def test_refused_and_broken_off_sessions_are_kept(sandbox):
    dialogue(sandbox, b"EHLO x\r\nMAIL FROM:<not an address\r\nRCPT TO:<>\r\nQUIT\r\n")
    with socket.create_connection(("127.0.0.1", sandbox.smtp), timeout=20) as s:
        s.sendall(b"EHLO broken\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nDATA\r\nSubject: x")
        while b"354" not in s.recv(65536):
            pass

    def both():
        found = sandbox.own("GET", "/sessions?refused=1")["sessions"]
        return any(s["refusals"] for s in found) and any(s["aborted"] and s["helo"] == "broken"
                                                         for s in found)
    godwit.wait_for(both, "the sessions in the list")


def test_large_message(sandbox, key):
    i = inbox(sandbox, key)
    octets = os.urandom(3 * 1024 * 1024)
    m = box.mail("large", files=[("big.bin", "application/x-big", octets)])
    sandbox.deliver(m, to=(i["address"],))
    message = sandbox.wait(key, inbox=i["id"])["messages"][0]
    file = message["files"][0]
    assert (file["name"], file["size"], file["type"]) == ("big.bin", len(octets), "application/x-big")
    part = sandbox.get(f"{box.OWN}/messages/{message['id']}/parts/{file['part']}", key=key)
    assert part.body == octets
    assert 'filename="big.bin"' in part.headers["Content-Disposition"]


# ---- whose it is ----

def test_workspaces_never_see_each_other(sandbox, key):
    other = key + "-other"
    i = inbox(sandbox, key)
    identifier = sandbox.deliver(box.mail("mine"), to=(i["address"],))
    sandbox.wait(key, inbox=i["id"])
    for method, path in [("GET", f"/messages/{identifier}"), ("GET", f"/messages/{identifier}/raw"),
                         ("DELETE", f"/messages/{identifier}"), ("GET", f"/inboxes/{i['id']}"),
                         ("GET", f"/inboxes/{i['address']}"), ("DELETE", f"/inboxes/{i['id']}"),
                         ("DELETE", f"/inboxes/{i['id']}/messages"),
                         ("PATCH", f"/messages/{identifier}")]:
        for stranger in (other, None):
            answer = sandbox.ask(method, box.OWN + path, {"read": True} if method == "PATCH" else None,
                                 key=stranger)
            assert answer.status == 404, (method, path, stranger, answer.text)
    assert sandbox.own("GET", "/messages", key=other)["count"] == 0
    assert sandbox.own("GET", "/inboxes", key=other)["inboxes"] == []
    sandbox.own("POST", "/reset", key=other)
    sandbox.ask("DELETE", "/api/v1/messages")
    assert sandbox.own("GET", "/messages", key=key)["count"] == 1
    common = [m["id"] for m in sandbox.own("GET", "/messages?limit=1000")["messages"]]
    assert identifier not in common


def test_one_message_in_two_inboxes_is_two(sandbox, key):
    a, b = inbox(sandbox, key), inbox(sandbox, key + "-b")
    sandbox.deliver(box.mail("both"), to=(a["address"], b["address"]))
    first = sandbox.wait(key, inbox=a["id"])["messages"][0]
    second = sandbox.wait(key + "-b", inbox=b["id"])["messages"][0]
    assert first["id"] != second["id"]
    sandbox.own("DELETE", f"/messages/{first['id']}", key=key)
    assert raw(sandbox, second["id"], key + "-b")


@pytest.mark.parametrize("to", ["{local}+tag@{domain}", "any.one@{run}.runs.test",
                                "x@deep.{run}.below.test", "{LOCAL}@{domain}"])
def test_addresses_that_are_an_inboxes(sandbox, key, to):
    run = "r" + os.urandom(4).hex()
    i = inbox(sandbox, key, patterns=[f"*@{run}.runs.test", f"*@*.{run}.below.test"])
    local, domain = i["address"].split("@")
    address = to.format(local=local, LOCAL=local.upper(), domain=domain, run=run)
    sandbox.deliver(box.mail("pattern"), to=(address,))
    assert sandbox.wait(key, inbox=i["id"])["found"]


def test_mail_of_who_logs_in_as_an_inbox(sandbox, key):
    i = inbox(sandbox, key)
    sandbox.deliver(box.mail("by log-in"), to=("anybody@far.test",), login=(i["address"], "x"))
    assert sandbox.wait(key, inbox=i["id"])["found"]


def test_an_address_is_one_inboxes(sandbox, key):
    i = inbox(sandbox, key, address="taken-" + os.urandom(4).hex())
    answer = sandbox.ask("POST", box.OWN + "/inboxes", {"address": i["address"]}, key=key + "2")
    assert answer.status == 400 and "another" in answer.json["message"]
    for bad in ("a b@x.test", "a@b@c.test", "@x.test", "x" * 300):
        assert sandbox.ask("POST", box.OWN + "/inboxes", {"address": bad}, key=key).status == 400
    for bad in ("x@y.test", "*@", "*@*", "*@a*b.test"):
        assert sandbox.ask("POST", box.OWN + "/inboxes", {"patterns": [bad]}, key=key).status == 400


def test_quota_and_lifetime(sandbox, key):
    i = inbox(sandbox, key, quota=2, ttl="1s")
    ids = [sandbox.deliver(box.mail(f"n{n}"), to=(i["address"],)) for n in range(4)]

    def newest():
        answer = sandbox.get(f"{box.OWN}/messages?inbox={i['id']}", key=key)
        return [m["id"] for m in answer.json["messages"]] == ids[:1:-1] or answer.json["count"] == 0
    godwit.wait_for(newest, "the two newest")

    def gone():
        return sandbox.get(f"{box.OWN}/inboxes/{i['id']}", key=key).status == 404
    godwit.wait_for(gone, "the end of the inbox")
    assert sandbox.own("GET", "/messages", key=key)["count"] == 0


# ---- waiting ----

def test_wait_before_and_after(sandbox, key):
    i = inbox(sandbox, key)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(sandbox.wait(key, inbox=i["id"])))
    thread.start()
    sandbox.deliver(box.mail("Code", "Your verification code is 482913."), to=(i["address"],))
    thread.join(timeout=20)
    assert answers[0]["code"] == "482913"
    again = sandbox.wait(key, inbox=i["id"])  # it is there already
    assert again["messages"][0]["id"] == answers[0]["messages"][0]["id"]
    nothing = sandbox.get(f"{box.OWN}/wait?inbox={i['id']}&since={again['cursor']}&timeout=50ms", key=key)
    assert nothing.status == 408 and nothing.json["found"] is False


def test_wait_matches_and_counts(sandbox, key):
    i = inbox(sandbox, key)
    for n in range(3):
        sandbox.deliver(box.mail(f"Order {n}", sender=f"Shop {n} <s{n}@shop.test>"), to=(i["address"],))
    assert sandbox.wait(key, inbox=i["id"], subject="order 1")["message"]["subject"] == "Order 1"
    assert sandbox.wait(key, inbox=i["id"], count=3)["count"] == 3
    body = {"inbox": i["id"], "match": {"from": {"matches": "^s[12]@shop"}, "subject": {"contains": "2"}},
            "timeout": "10s"}
    assert sandbox.own("POST", "/wait", body, key=key)["message"]["subject"] == "Order 2"
    assert sandbox.own("POST", "/wait", {"match": {"header": {"From": "shop 0"}}}, key=key)["found"]
    for bad in ({"match": {"colour": "x"}}, {"match": {"from": {"matches": "("}}}, {"timeout": "soon"},
                {"count": 0}, {"match": {"from": {"like": "x"}}}):
        assert sandbox.ask("POST", box.OWN + "/wait", bad, key=key).status == 400, bad
    assert sandbox.get(f"{box.OWN}/wait?inbox=none", key=key).status == 404


def test_a_burst_is_told_once(sandbox, key):
    """Messages that were taken up in one turn were counted twice."""
    i = inbox(sandbox, key)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(sandbox.wait(key, inbox=i["id"], count=20)))
    thread.start()
    one = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<%s>\r\nBDAT 14 LAST\r\nSubject: x\r\n\r\n" % i["address"].encode()
    assert dialogue(sandbox, b"EHLO x\r\n" + one * 20 + b"QUIT\r\n").count(b"queued as") == 20
    thread.join(timeout=20)
    ids = [m["id"] for m in answers[0]["messages"]]
    assert len(ids) == len(set(ids)) == 20


def test_negative_wait(sandbox, key):
    i = inbox(sandbox, key)
    quiet = sandbox.get(f"{box.OWN}/wait?inbox={i['id']}&none=100ms", key=key)
    assert quiet.status == 200 and quiet.json["found"] is False
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        sandbox.get(f"{box.OWN}/wait?inbox={i['id']}&none=30s", key=key)))
    thread.start()
    sandbox.deliver(box.mail("unwanted"), to=(i["address"],))
    thread.join(timeout=20)
    assert answers[0].status == 409
    assert answers[0].json["messages"][0]["subject"] == "unwanted"


def test_many_waiters(sandbox, key):
    boxes = [inbox(sandbox, key) for _ in range(50)]
    answers = {}

    def ask(i):
        answers[i["id"]] = sandbox.wait(key, inbox=i["id"], timeout="30s")
    threads = [threading.Thread(target=ask, args=(i,)) for i in boxes]
    for t in threads:
        t.start()
    for i in boxes:
        sandbox.deliver(box.mail("for " + i["id"]), to=(i["address"],))
    for t in threads:
        t.join(timeout=60)
    assert all(answers[i["id"]]["message"]["subject"] == "for " + i["id"] for i in boxes)


# ---- found again ----

SEARCHES = [
    ("welcome", {"a"}), ("WELCOME", {"a"}), ("elcom", {"a"}), ('"your order"', {"b"}),
    ("your order", {"b", "c"}), ("from:ann", {"a"}), ("to:bob@", {"a", "b"}), ("subject:order", {"b", "c"}),
    ("-subject:order", {"a"}), ("!from:ann", {"b", "c"}), ("has:attachment", {"c"}), ("-has:attachments", {"a", "b"}),
    ("is:read", set()), ("is:unread", {"a", "b", "c"}), ("larger:1k", {"c"}), ("smaller:1k", {"a", "b"}),
    ("larger:0.001M", {"c"}), ("after:2000-01-01", {"a", "b", "c"}), ("before:2000-01-01", set()),
    ("cc:carl", {"b"}), ("reply-to:desk", {"b"}), ("addressed:desk", {"b"}), ("or", {"b", "c"}),
    ("12:30", {"c"}), ("nothing-like-it", set()), ("100%", {"a"}), ("ünï", {"b"}),
    ('subject:"order 2"', {"c"}), ("message-id:abc123", {"b"}), ("is:tagged", set()), ("", {"a", "b", "c"}),
]


@pytest.fixture(scope="module")
def library(sandbox):
    key = "library"
    i = inbox(sandbox, key, address="him")  # one that no search is for
    to = (i["address"],)
    names = {}
    names[sandbox.deliver(box.mail("Welcome", "be 100% at home", sender="Ann <ann@a.test>", to="bob@b.test"), to=to)] = "a"
    names[sandbox.deliver(box.mail("Order 1", "this is your order, ünïcode", sender="shop@s.test", to="bob@b.test",
                                   Cc="Carl <carl@c.test>", Reply_To="desk@s.test", Message_ID="<abc123@s.test>"), to=to)] = "b"
    names[sandbox.deliver(box.mail("Order 2", "your next order at 12:30", sender="shop@s.test", to="eve@e.test",
                                   files=[("f.bin", "application/x-f", b"x" * 2000)]), to=to)] = "c"
    sandbox.wait(key, inbox=i["id"], count=3)
    return key, names


@pytest.mark.parametrize("search, wanted", SEARCHES)
def test_search(sandbox, library, search, wanted):
    key, names = library
    found = sandbox.own("GET", "/messages?" + urllib.parse.urlencode({"search": search}), key=key)
    assert {names[m["id"]] for m in found["messages"]} == wanted
    assert found["count"] == len(wanted)


@pytest.mark.parametrize("search", ["larger:much", "before:soon", "x" * 5000, "a " * 80])
def test_searches_that_cannot_be_read(sandbox, library, search):
    answer = sandbox.get(f"{box.OWN}/messages?" + urllib.parse.urlencode({"search": search}), key=library[0])
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert answer.json["message"]


def test_tags_and_marks(sandbox, library, key):
    i = inbox(sandbox, key)
    identifier = sandbox.deliver(box.mail("tagged"), to=(i["address"],))
    sandbox.wait(key, inbox=i["id"])
    changed = sandbox.own("PATCH", f"/messages/{identifier}", {"read": True, "tags": ["red", "two words"]}, key=key)
    assert changed["read"] and changed["tags"] == ["red", "two words"]
    found = sandbox.own("GET", "/messages?search=" + urllib.parse.quote('tag:"two words"'), key=key)
    assert [m["id"] for m in found["messages"]] == [identifier]


def test_tags_that_a_message_brings_along(sandbox, key):
    """Tags of Mailpit's /send were let fall."""
    i = inbox(sandbox, key)
    sandbox.deliver(box.mail("by a field", X_Tags="red,  two words ,, " + "x" * 101), to=(i["address"],))
    sandbox.deliver(box.mail("many", X_Tags=",".join(f"t{n:03}" for n in range(150))), to=(i["address"],))
    sent = {"From": {"Email": "a@a.test"}, "To": [{"Email": i["address"]}], "Subject": "by HTTP",
            "Text": "x", "Tags": ["blue", "two words"]}
    assert sandbox.ask("POST", "/api/v1/send", sent, key=key).status == 200
    sandbox.wait(key, inbox=i["id"], count=3)
    tags = {m["subject"]: m["tags"] for m in sandbox.own("GET", "/messages", key=key)["messages"]}
    assert tags["by a field"] == ["red", "two words"] and tags["by HTTP"] == ["blue", "two words"]
    assert len(tags["many"]) == 100
    found = sandbox.own("GET", "/messages?search=" + urllib.parse.quote('tag:"two words"'), key=key)
    assert found["count"] == 2
    refused = sandbox.ask("POST", "/api/v1/send", {**sent, "Tags": ["x" * 90] * 100}, key=key)
    assert refused.status == 400 and "tags" in refused.text


def test_who_waits_for_the_last_of_a_thousand_inboxes_is_told(sandbox, key):
    """What was told of one turn ended at eight hundred; the last one is another workspace's."""
    addresses = [inbox(sandbox, key)["address"] for _ in range(999)]
    last = inbox(sandbox, key + "-2")["address"]
    with socket.create_connection(("127.0.0.1", sandbox.http), timeout=20) as s:
        s.sendall(f"GET {box.OWN}/events HTTP/1.1\r\nHost: localhost\r\nx-api-key: {key}-2\r\n\r\n".encode())
        said = s.recv(65536)
        assert said.startswith(b"HTTP/1.1 200")
        identifier = sandbox.deliver(box.mail("to all"), to=[*addresses, last])
        end = time.monotonic() + 30
        while f"{identifier}-1000".encode() not in said:
            assert time.monotonic() < end
            said += s.recv(65536)
    assert sandbox.own("GET", "/messages?limit=1", key=key)["count"] == 999


@pytest.mark.parametrize("query", ["inbx=a", "before=yesterday", "after=2026-13-45x", "since=a", "limit=ten", "start=-1",
                                   "search=after:soon", "bef%6Fre=x"])
def test_a_filter_that_is_not_understood_deletes_nothing(sandbox, key, query):
    """It was passed over, and all mail of the workspace was deleted."""
    i = inbox(sandbox, key)
    sandbox.deliver(box.mail("stays"), to=(i["address"],))
    sandbox.wait(key, inbox=i["id"])
    for method in ("DELETE", "GET"):
        refused = sandbox.ask(method, f"{box.OWN}/messages?{query}", key=key)
        assert refused.status == 400 and refused.json["message"], refused.text
    assert sandbox.own("GET", "/messages", key=key)["count"] == 1
    assert sandbox.ask("GET", f"{box.OWN}/sessions?{query}", key=key).status == 400


@pytest.mark.parametrize("time_", ["2026-01-31", "2026-01-31T10:00Z", "2026-01-31T10:00:00.250%2B02:00",
                                   "2026-01-31+10:00:00", "2026-01-31T10:00:00-05:30"])
def test_times_that_are_understood(sandbox, key, time_):
    assert sandbox.own("GET", f"/messages?after={time_}", key=key)["count"] == 0


@pytest.mark.parametrize("body", [{"sujbect": "x"}, {"count": "2"}, {"count": 5000000000}, {"count": 0}, {"since": "1"},
                                  {"exact": 1}, {"match": "x"}, {"subject": 5}, {"inbox": 5}, {"timeout": []}])
def test_a_wish_that_is_not_understood_is_refused(sandbox, key, body):
    """It was passed over, and any mail was what was waited for."""
    assert sandbox.ask("POST", box.OWN + "/wait", body, key=key).status == 400
    for query in ("count=x", "count=0", "count=5000000000", "sujbect=x", "timeout=soon"):
        assert sandbox.ask("GET", f"{box.OWN}/wait?{query}", key=key).status == 400


def test_a_wish_in_a_body_is_the_same_as_in_parameters(sandbox, key):
    i = inbox(sandbox, key)
    for subject in ("other", "wanted"):
        sandbox.deliver(box.mail(subject), to=(i["address"],))
    for wish in ({"subject": "wanted"}, {"subject": {"equals": "wanted"}}, {"match": {"subject": "wanted"}}):
        found = sandbox.own("POST", "/wait", {"inbox": i["id"], **wish}, key=key)
        assert [m["subject"] for m in found["messages"]] == ["wanted"]


def test_reset(sandbox, key):
    i = inbox(sandbox, key)
    for n in range(20):
        sandbox.deliver(box.mail(f"n{n}"), to=(i["address"],))
    sandbox.wait(key, inbox=i["id"], count=20)
    sandbox.own("POST", "/reset", key=key)
    assert sandbox.own("GET", "/messages", key=key)["count"] == 0
    assert sandbox.own("GET", f"/inboxes/{i['id']}", key=key)["id"] == i["id"]
    sandbox.deliver(box.mail("after"), to=(i["address"],))
    assert sandbox.wait(key, inbox=i["id"])["message"]["subject"] == "after"


def test_events_go_on_where_they_ended(sandbox, key):
    i = inbox(sandbox, key)
    first = sandbox.deliver(box.mail("one"), to=(i["address"],))
    cursor = sandbox.wait(key, inbox=i["id"])["message"]["seq"]
    second = sandbox.deliver(box.mail("two"), to=(i["address"],))
    sandbox.wait(key, inbox=i["id"], count=2)
    with socket.create_connection(("127.0.0.1", sandbox.http), timeout=20) as s:
        s.sendall(f"GET {box.OWN}/events HTTP/1.1\r\nHost: localhost\r\nx-api-key: {key}\r\n"
                  f"Last-Event-ID: {cursor}\r\n\r\n".encode())
        said = b""
        while second.encode() not in said:
            said += s.recv(65536)
        third = sandbox.deliver(box.mail("three"), to=(i["address"],))
        while third.encode() not in said:
            piece = s.recv(65536)
            assert piece
            said += piece
    assert first.encode() not in said
    assert b"event: message" in said


def test_select_and_text(sandbox, key):
    i = inbox(sandbox, key)
    html = "<table><tr class='row a'><td>one</td><td id=x>two <b>bold</b></td></tr><tr><td>three</td></tr></table>"
    identifier = sandbox.deliver(box.mail("html", html=html), to=(i["address"],))
    sandbox.wait(key, inbox=i["id"])

    def select(selector):
        query = urllib.parse.urlencode({"selector": selector})
        return sandbox.get(f"{box.OWN}/messages/{identifier}/select?{query}", key=key)
    assert [m["text"] for m in select("td").json["matches"]] == ["one", "two bold", "three"]
    assert select("tr.row > td:nth-child(2)").json["matches"][0]["html"].startswith("<td id=x>two")
    assert select("#x b, tr:not(.row) td").json["count"] == 2
    assert select("td[id^=x] ~ td").json["count"] == 0
    assert select("table tr + tr td").json["matches"][0]["text"] == "three"
    for bad in ("td[", ">", "a,,b", ":hover", "td:nth-child()", "(" * 100):
        assert select(bad).status == 400, bad


GOOD = {"count": 1, "subject": "Welcome", "from": "app@", "to": {"contains": "@sandbox.test"},
        "text": {"matches": "Hi \\w+"}, "html": {"lacks": "<script"}, "headers": {"X-Kind": "welcome", "X-Debug": None},
        "code": "482913", "leaks": False, "select": [{"selector": "a.button", "text": "Verify", "count": 1}],
        "links": {"contains": ["/verify?"], "hosts": ["app.test"]}, "attachments": ["terms.pdf"]}


def expect(sandbox, key, i, **changes):
    body = {**GOOD, "inbox": i["id"], **changes}
    return sandbox.ask("POST", box.OWN + "/assert", body, key=key)


@pytest.fixture(scope="module")
def welcome(sandbox):
    i = inbox(sandbox, "welcome")
    sandbox.deliver(box.mail("Welcome to it", "Hi Ann, your verification code is 482913.", sender="App <app@app.test>",
                             to=i["address"], X_Kind="welcome", files=[("terms.pdf", "application/pdf", b"%PDF")],
                             html="<p>Hi Ann, your verification code is 482913.</p>"
                                  "<a class='button' href='https://app.test/verify?t=1'>Verify</a>"), to=(i["address"],))
    sandbox.wait("welcome", inbox=i["id"])
    return i


def test_expectations_that_hold(sandbox, welcome):
    answer = expect(sandbox, "welcome", welcome)
    assert answer.status == 200 and answer.json["pass"] and answer.json["message"] == "", answer.text


@pytest.mark.parametrize("changes", [
    {"count": 2, "timeout": "50ms"}, {"subject": "Goodbye"}, {"from": "other@"}, {"text": {"equals": "Hi"}},
    {"html": {"lacks": "code"}}, {"headers": {"X-Kind": "else"}}, {"headers": {"X-Kind": None}}, {"headers": {"X-None": "x"}},
    {"code": "111111"}, {"code": False}, {"select": [{"selector": "a.button", "count": 2}]}, {"select": [{"selector": "h9"}]},
    {"select": [{"selector": "a", "text": "Cancel"}]}, {"links": {"contains": ["/reset"]}},
    {"links": {"hosts": ["else.test"]}}, {"attachments": ["none.pdf"]}], ids=str)
def test_expectations_that_do_not(sandbox, welcome, changes):
    answer = expect(sandbox, "welcome", welcome, **changes)
    failed = [c for c in answer.json["checks"] if not c["pass"]]
    assert answer.status == 422 and not answer.json["pass"]
    assert len(failed) == 1 and answer.json["message"].startswith(failed[0]["check"] + ": wanted ")


@pytest.mark.parametrize("wrong, name", [
    ({"subjct": "x"}, "subjct"), ({"subject": 3}, "subject"), ({"subject": {"contain": "x"}}, "subject"),
    ({"text": {}}, "text"), ({"html": {"matches": "("}}, "html"), ({"select": [{"selector": "a["}]}, "selector"),
    ({"select": [{"text": "x"}]}, "selector"), ({"select": "a"}, "select"), ({"links": {"host": []}}, "host"),
    ({"links": {"contains": "x"}}, "contains"), ({"headers": {"X-A": 1}}, "X-A"), ({"code": 5}, "code"),
    ({"attachments": "a.pdf"}, "attachments"), ({"leaks": True}, "leaks"), ({"timeout": "soon"}, "timeout"),
    ({"count": -1}, "count"), ({"match": {"subject": 1}}, "match")], ids=str)
def test_an_expectation_that_is_not_understood_does_not_pass(sandbox, welcome, wrong, name):
    answer = expect(sandbox, "welcome", welcome, **wrong)
    assert answer.status == 400 and name in answer.json["message"]


def test_lacks_is_of_all_people(sandbox, key):
    i = sandbox.own("POST", "/inboxes", {}, key=key)
    sandbox.deliver(box.mail("people", to="One <one@a.test>, Two <two@b.test>"), to=(i["address"],))
    for wish, found in (({"lacks": "c.test"}, True), ({"lacks": "b.test"}, False),
                        ({"contains": "one", "lacks": "three"}, True), ({"contains": "one", "lacks": "two"}, False)):
        answer = sandbox.ask("POST", f"{box.OWN}/wait", {"inbox": i["id"], "to": wish, "timeout": 50}, key=key)
        assert answer.status == (200 if found else 408), wish


def test_left_over_variables(sandbox, key):
    i = inbox(sandbox, key)
    sandbox.deliver(box.mail("Hello {{name}}", "Dear undefined,"), to=(i["address"],))
    answer = sandbox.ask("POST", box.OWN + "/assert", {"inbox": i["id"], "leaks": False}, key=key)
    assert answer.status == 422 and "{{name}}" in answer.json["message"] and "undefined" in answer.json["message"]
    for bad in ({"colour": 1}, {"count": -1}, {"match": {"x": 1}}, {"timeout": "soon"}):
        assert sandbox.ask("POST", box.OWN + "/assert", bad, key=key).status == 400


def test_processes_have_given_up_what_they_do_not_need(sandbox):
    own = godwit.descendants(sandbox.process.pid)
    assert len(own) == 2
    for pid in own:
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.split(":", 1) for line in f)
        assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1"


# ---- what goes on ----

def test_kept_through_a_kill(tmp_path):
    data = str(tmp_path / "kept")
    sandbox = box.Sandbox(data=data)
    i = inbox(sandbox, "k")
    ids = [sandbox.deliver(box.mail(f"n{n}", files=[("x", "a/b", os.urandom(300000))] if n == 3 else ()),
                           to=(i["address"],)) for n in range(8)]
    for pid in [*godwit.descendants(sandbox.process.pid), sandbox.process.pid]:
        os.kill(pid, signal.SIGKILL)
    sandbox.process.wait()
    with box.Sandbox(data=data) as again:
        found = again.wait("k", inbox=i["id"], count=8)
        assert sorted(m["id"] for m in found["messages"]) == sorted(ids)
        assert len(again.get(f"{box.OWN}/messages/{ids[3]}/raw", key="k").body) > 300000
        new = again.deliver(box.mail("new"), to=(i["address"],))
        assert new not in ids
        assert again.wait("k", inbox=i["id"], count=9)["found"]


def test_mail_goes_on_while_content_is_gone(sandbox):
    with box.Sandbox() as s:
        i = inbox(s, "k")
        content = max(godwit.descendants(s.process.pid), key=lambda p: "x")
        for pid in godwit.descendants(s.process.pid):
            with open(f"/proc/{pid}/net/tcp") as _, open(f"/proc/{pid}/maps") as maps:
                if "sandbox.db" in " ".join(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")):
                    content = pid
        os.kill(content, signal.SIGKILL)
        identifier = s.deliver(box.mail("meanwhile"), to=(i["address"],))

        def there():
            try:
                return s.get(f"{box.OWN}/messages/{identifier}", key="k").status == 200
            except OSError:
                return False
        godwit.wait_for(there, "the message, once the process is back")


def test_nothing_is_left_behind():
    sandbox = box.Sandbox()
    sandbox.deliver(box.mail())
    folders = [f for f in ("/dev/shm", os.environ.get("TMPDIR", "/tmp"))]

    def own():
        found = []
        for folder in folders:
            for name in os.listdir(folder):
                if name.startswith("godwit-sandbox-"):
                    found.append(os.path.join(folder, name))
        return found
    before = own()
    assert before
    assert sandbox.stop() == 0
    mine = [f for f in before if not os.path.exists(f)]
    assert mine


def test_oldest_go_first():
    with box.Sandbox("--max-messages", "5") as s:
        ids = [s.deliver(box.mail(f"n{n}")) for n in range(9)]

        def five():
            found = [m["id"] for m in s.own("GET", "/messages")["messages"]]
            return len(found) <= 5 and ids[-1] in found and ids[0] not in found
        godwit.wait_for(five, "the oldest to go")


def test_no_room_is_said():
    with box.Sandbox("--max-bytes", "16M") as s:
        octets = os.urandom(4 * 1024 * 1024)
        m = box.mail("large", files=[("x", "a/b", octets)]).as_bytes(policy=box.SMTP)
        for _ in range(12):
            said = dialogue(s, b"EHLO x\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nBDAT %d LAST\r\n"
                            % len(m) + m + b"QUIT\r\n")
            assert b"queued as" in said or b"452 4.3.1" in said, said[-300:]
        assert s.own("GET", "/messages")["count"] < 12


@pytest.mark.parametrize("arguments, words", [
    (["--http", "nowhere"], "address such as"), (["--max-bytes", "lots"], "a number such as 500M"),
    (["--web-root", "mail"], "a path such as"), (["--max-age", "soon"], "a number such as 12h"),
    (["--smtp", "nowhere"], "")])
def test_wrong_flags(arguments, words):
    import subprocess
    done = subprocess.run([godwit.PROGRAM, "sandbox", *arguments], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and words in done.stderr and done.stderr.startswith("godwit: ")


def test_two_cannot_share_a_folder(tmp_path):
    import subprocess
    with box.Sandbox(data=str(tmp_path / "d")):
        done = subprocess.run([godwit.PROGRAM, "sandbox", "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0",
                               "--data", str(tmp_path / "d")], capture_output=True, text=True, timeout=20)
        assert done.returncode != 0 and "another sandbox uses" in done.stderr


def test_users_and_root():
    with box.Sandbox("--auth", "ann:pass", "--web-root", "/mail/") as s:
        assert s.get("/mail/api/v1/info").status == 401
        assert s.get("/mail/livez").status == 200
        import base64
        good = {"Authorization": "Basic " + base64.b64encode(b"ann:pass").decode()}
        wrong = {"Authorization": "Basic " + base64.b64encode(b"ann:pasS").decode()}
        assert s.get("/mail/api/v1/info", headers=good).status == 200
        assert s.get("/mail/api/v1/info", headers=wrong).status == 401
        assert s.get("/api/v1/info", headers=good).status == 404
        assert b'src="/mail/app.js"' in s.get("/mail/", headers=good).body
        assert json.loads(s.get("/mail/api/v1/info", headers=good).body)["Messages"] == 0


def test_starttls():
    import smtplib
    import ssl
    with box.Sandbox() as s:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP("127.0.0.1", s.smtp, timeout=20) as client:
            client.starttls(context=context)
            client.sendmail("a@a.test", ["b@b.test"], box.mail("tls").as_bytes())
        message = s.wait()["messages"][0]
        assert message["envelope"]["tls"].startswith("TLSv1.")
