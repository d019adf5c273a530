"""Who knows from outside what must be true: what was acknowledged, what arrived.

Load writes down each message before its end of data leaves, and each 250 that it read.
The sink writes down each delivery and each report that came back to the sender. After
the faults, Oracle.judge() holds both against each other and against the queue:

  I1 each recipient of an acknowledged message is delivered, reported or still queued
  I2 a second delivery only of what was in flight when a fault struck
  I3 the bytes that arrive are the bytes that were acknowledged
  I4 nothing arrives that was not offered whole (an offered one whose 250 was never read
     may arrive: a ghost), and no recipient both arrives and is reported
"""
import collections
import hashlib
import random
import re
import smtplib
import socket
import threading
import time

import godwit

# A delivery is in flight until its outcome is synced: how long that may take at most.
SETTLE_SECONDS = 5.0
# The sink may read what lay in its socket a moment after the sender's death.
UNREAD_SECONDS = 0.5
FATES = ("take", "take", "take", "refuse", "later")

Arrival = collections.namedtuple("Arrival", "at digest")


class Message:
    def __init__(self, token, recipients, content):
        self.token = token
        self.recipients = recipients
        self.digest = hashlib.sha256(content).hexdigest()
        self.state = "new"     # new, offered (the end of data left), acked, refused


def make_content(token, size, random_source):
    head = (f"From: <sender@client.test>\r\nSubject: {token}\r\nX-Token: {token}\r\n"
            "\r\n").encode()
    line = bytes(random_source.choices(b"abcdefghij .", k=70)).rstrip() + b"\r\n"
    return head + (b"." + line) * (size // 70)


class Oracle:
    """The ledger, and a sink that fills its other half."""

    def __init__(self, seed=1, fates=FATES):
        self.fates = fates
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.messages = {}
        self.arrivals = collections.defaultdict(list)   # (token, recipient)
        self.reports = collections.defaultdict(list)
        self.strangers = []
        self.damaged = []                               # reports of what cannot be read
        self.deferred = set()
        self.faults = []
        self.paused = False
        self.sink = godwit.Sink(script=self._script)
        self.sink.messages = self                       # keep() hands deliveries to us

    def __enter__(self):
        self.sink.__enter__()
        return self

    def __exit__(self, *_):
        self.sink.stop()

    # ---- the receiving side ----

    def _script(self, verb, argument, count):
        if self.paused:
            return b"421 4.3.2 not now\r\n" if verb == "CONNECT" else "drop"
        if verb != "RCPT":
            return None
        recipient = re.match(r"TO:<(.*?)>", argument).group(1)
        if recipient.startswith("refuse-"):
            return b"550 5.1.1 nobody here\r\n"
        with self.lock:
            if recipient.startswith("later-") and recipient not in self.deferred:
                self.deferred.add(recipient)
                return b"451 4.2.0 later\r\n"
        return None

    def append(self, received):
        """A message that the sink took."""
        content = godwit.without_trace(received.content)
        with self.lock:
            if received.sender == "":
                self._report(received.content)
                return
            token = re.search(rb"^X-Token: (\S+)", content, re.M)
            if token is None:
                self.strangers.append(received)
                return
            arrival = Arrival(time.monotonic(), hashlib.sha256(content).hexdigest())
            for recipient in received.recipients:
                self.arrivals[token.group(1).decode(), recipient].append(arrival)

    def _report(self, content):
        token = re.search(rb"^X-Token: (\S+)", content, re.M)
        named = re.findall(rb"^Final-Recipient: rfc822; ?(\S+)", content, re.M | re.I)
        if token is None and b"the message is damaged" in re.sub(rb"\s+", b" ", content):
            self.damaged.append(content)
            return
        if token is None or not named:
            self.strangers.append(content)
            return
        for recipient in named:
            self.reports[token.group(1).decode(), recipient.decode()].append(time.monotonic())

    # ---- the sending side ----

    def new_message(self, sizes=(100, 3000, 3000, 70000, 300000, 1500000)):
        with self.lock:
            number = len(self.messages)
            token = f"t{number}"
            count = self.random.choice((1, 1, 1, 2, 3))
            fates = [self.random.choice(self.fates) for _ in range(count)]
            # Few are large, as in life.
            weights = [8, 8, 8, 4, 2, 1][:len(sizes)]
            content = make_content(token, self.random.choices(sizes, weights)[0], self.random)
            recipients = [f"{fate}-{token}-{i}@far.test" for i, fate in enumerate(fates)]
            message = Message(token, recipients, content)
            self.messages[token] = message
        return message, content

    def offer(self, client, **more):
        """One message over an open smtplib.SMTP; raises when the connection goes."""
        message, content = self.new_message(**more)
        code, _ = client.mail("sender@client.test")
        for recipient in message.recipients:
            if code == 250:
                code, _ = client.rcpt(recipient)
        if code == 250:
            client.putcmd("data")
            code, _ = client.getreply()
        if code != 354:
            message.state = "refused"
            return code
        client.send(re.sub(rb"(?m)^\.", b"..", content))
        message.state = "offered"
        client.send(b".\r\n")
        code, _ = client.getreply()
        message.state = "acked" if code == 250 else "refused"
        return code

    @property
    def acked(self):
        return [m for m in list(self.messages.values()) if m.state == "acked"]

    def fault(self):
        """Told just before each kill, cut or start anew."""
        self.faults.append(time.monotonic())

    # ---- the judgement ----

    def missing(self, queued=()):
        """Recipients of acknowledged messages that are nowhere."""
        queued = set(queued)
        with self.lock:
            return [r for m in self.acked for r in m.recipients
                    if not self.arrivals.get((m.token, r))
                    and not self.reports.get((m.token, r)) and r not in queued]

    def judge(self, queued=()):
        """All invariants; what was counted, as a dictionary."""
        lost = self.missing(queued)
        assert not lost, f"I1: {len(lost)} lost: {lost[:5]}"
        assert not self.strangers, f"I4: {self.strangers[:1]}"
        with self.lock:
            twice = self._judge_arrivals()
            for key, at in self.reports.items():
                assert len(at) == 1 or self._in_flight(at), f"I2: {key} reported {len(at)} times"
                assert key not in self.arrivals, f"I4: {key} arrived and was reported"
            ghosts = {token for token, _ in [*self.arrivals, *self.reports]
                      if self.messages[token].state == "offered"}
            refused = {token for token, _ in [*self.arrivals, *self.reports]
                       if self.messages[token].state in ("new", "refused")}
        assert not refused, f"I4: refused and yet arrived: {sorted(refused)[:5]}"
        return {"acked": len(self.acked), "offered": len(self.messages), "twice": twice,
                "ghosts": len(ghosts), "faults": len(self.faults),
                "arrived": len(self.arrivals), "reported": len(self.reports)}

    def _judge_arrivals(self):
        twice = 0
        for (token, recipient), arrivals in self.arrivals.items():
            message = self.messages[token]
            assert recipient in message.recipients, f"I4: {recipient} was never said"
            for arrival in arrivals:
                assert arrival.digest == message.digest, f"I3: {token} has changed"
            if len(arrivals) > 1:
                twice += 1
                times = [a.at for a in arrivals]
                assert self._in_flight(times), \
                    f"I2: {recipient} arrived at {times}, faults at {self.faults}"
        return twice

    def _in_flight(self, times):
        """Whether a fault lies shortly behind each of them but the last."""
        times = sorted(times)
        return all(any(a - UNREAD_SECONDS <= f <= min(b, a + SETTLE_SECONDS) for f in self.faults)
                   for a, b in zip(times, times[1:]))

    def wait_for_all(self, patience=60.0):
        try:
            godwit.wait_for(lambda: not self.missing(), "every acknowledged recipient", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}: missing {self.missing()}") from None


class Load:
    """Clients that hand over messages as fast as they are taken, through any fault."""

    def __init__(self, oracle, port, clients=3, sizes=None):
        self.oracle = oracle
        self.port = port                # a function: it changes when godwit is started anew
        self.sizes = {} if sizes is None else {"sizes": sizes}
        self.stopping = threading.Event()
        self.codes = collections.Counter()
        self.troubles = []
        self.threads = [threading.Thread(target=self._client, daemon=True)
                        for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(godwit.PATIENCE)
            assert not thread.is_alive(), "a client hangs"

    def _client(self):
        while not self.stopping.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.port(), timeout=20) as client:
                    client.ehlo("client.test")
                    while not self.stopping.is_set():
                        code = self.oracle.offer(client, **self.sizes)
                        self.codes[code] += 1
                        if code != 250:
                            client.rset()
                            self.stopping.wait(0.02)
            except (OSError, smtplib.SMTPException, EOFError):
                self.codes["gone"] += 1
                self.stopping.wait(0.02)
            except Exception as trouble:  # a mistake of the test must not pass as quiet
                self.troubles.append(trouble)
                raise
