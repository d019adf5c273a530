"""Requests whose bodies make no sense: refused, by every route of every dialect, and nothing breaks."""
import os
import re

import pytest

import box
import godwit

ROUTE = re.compile(r'{ API_(POST|PUT|PATCH|DELETE), (BASE )?"([^"]*)"(?: BASE)?')
BASES = re.compile(r'#define BASE "([^"]*)"')
# Members that some dialect knows.
NAMES = """inbox address name ttl quota tags patterns from to subject count since timeout none match read then when
step times IDs Read Search Tags Name To From Cc Bcc HTML Text Attachments Headers Sender Recipient host port email
AcceptChance requestor matches conditions inboxId countType body attachments rawEmailBase64 pattern mailFrom
rcptTo data base64Contents selector select headers links code url events secret text html jsonrpc id method params
forward reply drop webhook zone records lists template emailAddress seen""".split()
VALUES = [None, True, -1, 10**18, 1.5, "", "x", "\x00", [], [None], [1, "a"], {}, {"equals": 1}, [{}], [[]]]
# One of each that is as it should be, so that values are looked at one by one.
WHOLE = [{}, {"inbox": "x"}, {"to": ["a@b.test"], "subject": "x"},
         {"From": {"Email": "a@b.test"}, "To": [{"Email": "c@d.test"}]}, {"url": "http://127.0.0.1:1/", "tries": 1}]


def routes():
    folder = os.path.join(godwit.TOP, "src", "api")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".c"):
            with open(os.path.join(folder, name)) as f:
                text = f.read()
            base = BASES.search(text)
            for method, has_base, path in ROUTE.findall(text):
                yield method, (base.group(1) if has_base else "") + path


def bodies_for(path, one, at):
    where = path.replace("*", one)
    bodies = [b"", b"{", b"[]", b"null", b'"x"', b"[" * 5000, b'{"a":' * 5000, b"\xff\xfe"]
    for body in bodies:
        yield where, body
    for n, name in enumerate(NAMES):
        for v in range(3):
            value = VALUES[(n * 7 + v * 5 + at) % len(VALUES)]
            waits = {"timeout": 1} if path.endswith(("/wait", "/assert")) else {}
            yield where, {**waits, **WHOLE[(n + v) % len(WHOLE)], name: value}


@pytest.fixture(scope="module")
def own_sandbox():
    with box.Sandbox("--egress", "loopback") as s:
        assert s.get("/readyz").status == 200 and s.deliver(box.mail("both have begun"))
        yield s


def pids(sandbox):
    with open(f"/proc/{sandbox.process.pid}/task/{sandbox.process.pid}/children") as f:
        return f.read()


@pytest.mark.parametrize("method, path", sorted(set(routes())))
def test_a_body_that_makes_no_sense_is_refused(own_sandbox, method, path):
    """Waits are let go: what they are asked for is short."""
    before = pids(own_sandbox)
    message = own_sandbox.deliver(box.mail("one"))
    key = "key-" + path + method
    inbox = own_sandbox.own("POST", "/inboxes", {}, key=key)["id"]
    query = "?timeout=1&retryTimeout=1&inboxId=" + inbox
    for one in (message, inbox):
        for where, body in bodies_for(path, one, len(path)):
            answer = own_sandbox.ask(method, where + (query if "godwit" not in path else ""), body, key=key)
            assert answer.status < 500, (where, body, answer.status, answer.text)
    assert pids(own_sandbox) == before, "a process ended"
