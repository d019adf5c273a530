"""Mailboxes with a quota: a full one says so at RCPT, another one takes the mail."""
import os

import pytest

import godwit
from godwit import Client

CONFIG = """
domains:
  our.test:
    users: [ann, bob]
    aliases: { sales: ann, both: [ann, bob] }
    quota: 20000
    deliver: { maildir: "%s/{domain}/{user}" }
relay_clients: []
"""


@pytest.fixture
def mail(tmp_path):
    path = tmp_path / "mail"
    path.mkdir()
    return str(path)


@pytest.fixture
def server(data, mail):
    with godwit.Godwit(data, config=CONFIG % mail, hostname="our.test") as g:
        yield g


def count(mail, user):
    folder = os.path.join(mail, "our.test", user, "new")
    return len(os.listdir(folder)) if os.path.isdir(folder) else 0


def rcpt(server, user, parameters=""):
    with Client(server.port) as c:
        assert c.code("EHLO x") == 250
        assert c.code(f"MAIL FROM:<a@far.test>{parameters}") == 250
        return c.ask(f"RCPT TO:<{user}@our.test>")


def deliver(server, mail, user, size):
    before = count(mail, user)
    line = b"x" * 98 + b"\r\n"
    with Client(server.port) as c:
        assert c.message(b"Subject: x\r\n\r\n" + line * (size // 100),
                         recipients=[f"{user}@our.test"])[0] == 250
    godwit.wait_for(lambda: count(mail, user) > before, "the delivery")


def test_a_full_mailbox_says_so_at_rcpt(server, mail):
    deliver(server, mail, "ann", 15000)
    assert rcpt(server, "ann")[0] == 250
    code, text = rcpt(server, "ann", " SIZE=15000")
    assert (code, text) == (452, "4.2.2 Mailbox full")
    assert rcpt(server, "ann", " SIZE=1000")[0] == 250
    for name in ("1.a,S=3000", "2.b,S=5000"):   # put there by somebody else
        with open(os.path.join(mail, "our.test", "ann", "cur", name), "wb") as f:
            f.write(b"y" * int(name.split("=")[1]))
    os.unlink(os.path.join(mail, "our.test", "ann", "maildirsize"))
    for user in ("ann", "Ann", '"ann"', "sales"):
        assert rcpt(server, user) == (452, "4.2.2 Mailbox full")
    assert rcpt(server, "both")[0] == 250
    assert rcpt(server, "bob")[0] == 250
    assert not os.path.exists(os.path.join(mail, "our.test", "bob"))


def test_pipelined_recipients_are_told_apart(server, mail):
    deliver(server, mail, "ann", 15000)
    with Client(server.port) as c:
        c.send(b"EHLO x\r\nMAIL FROM:<a@far.test> SIZE=9000\r\nRCPT TO:<ann@our.test>\r\n"
               b"RCPT TO:<bob@our.test>\r\nRCPT TO:<nobody@our.test>\r\nDATA\r\n")
        assert [c.reply()[0] for _ in range(6)] == [250, 250, 452, 250, 550, 354]
        c.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        assert c.reply()[0] == 250
    godwit.wait_for(lambda: count(mail, "bob") == 1, "the delivery")
    assert count(mail, "ann") == 1


def test_a_client_that_leaves_while_the_disk_is_asked_harms_nobody(server, mail):
    deliver(server, mail, "ann", 15000)
    for _ in range(20):   # fewer than one client may have open
        with Client(server.port, greeting=False) as c:
            c.send(b"EHLO x\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<ann@our.test>\r\n")
    assert rcpt(server, "ann", " SIZE=9000")[0] == 452
    assert server.stop() == 0
