"""kill -9 while a filter's edits are taken over: a message is there as a whole, edited, or
not at all; and what was acknowledged is there."""
import random
import re
import smtplib
import threading

import godwit
import milter

ROUNDS = 6
SIZE = 150000           # more than what stays in memory


def new_body(number):
    return b"".join(b"%08d %08d\r\n" % (number, i) for i in range(SIZE // 19))


def edit(session, command, data):
    """Header, body and recipient all follow from the number in the subject."""
    if command != "E":
        return None
    number = int(dict(session.headers())["Subject"])
    body = new_body(number)
    return [milter.header("i", "X-Number", str(number), 0),
            *[b"b" + body[i:i + 65535] for i in range(0, len(body), 65535)],
            b"-<before@far.test>\0", b"+<after-%d@far.test>\0" % number, b"c"]


class Load:
    def __init__(self, first):
        self.next, self.acked, self.stop = first, [], False

    def run(self, port):
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=godwit.PATIENCE) as client:
                while not self.stop:
                    self.next += 1
                    client.sendmail("a@client.test", ["before@far.test"],
                                    f"Subject: {self.next}\r\n\r\n" + "old\r\n" * 20000)
                    self.acked.append(self.next)
        except (OSError, smtplib.SMTPException):
            pass


def check(message):
    number = int(re.search(rb"(?m)^X-Number: (\d+)\r\n", message.content)[1])
    head, body = message.content.split(b"\r\n\r\n", 1)
    assert b"\r\nSubject: %d" % number in head
    assert body == new_body(number)
    assert list(message.recipients) == [f"after-{number}@far.test"]
    return number


def test_killed_while_edits_are_committed(tmp_path):
    moments = random.Random(11)
    acked = set()
    with godwit.Sink() as sink, milter.Milter(edit) as m:
        config = f"milters: [{{ socket: '{m.socket}' }}]\n"
        g = godwit.Godwit(str(tmp_path / "data"), "--next-hop", sink.address, config=config)
        try:
            for turn in range(ROUNDS):
                loads = [Load(turn * 100000 + n * 10000) for n in range(3)]
                threads = [threading.Thread(target=x.run, args=(g.port,)) for x in loads]
                for t in threads:
                    t.start()
                enough = moments.randint(1, 12)
                godwit.wait_for(lambda: sum(len(x.acked) for x in loads) >= enough, "load")
                g.kill()
                for x in loads:
                    x.stop = True
                for t in threads:
                    t.join(godwit.PATIENCE)
                acked |= {number for x in loads for number in x.acked}
                g.start()
            godwit.wait_for(lambda: g.queue() == [], "an empty queue", 120)
        finally:
            g.kill()
        arrived = {check(message) for message in sink.messages}
        assert acked <= arrived and len(acked) >= ROUNDS
