"""Where a message is, and what became of it: `why`, `events`, and the file of events."""
import json
import os
import socket
import subprocess
import threading

from godwit import Client, Godwit, Sink, wait_for

SLOW = "queue: { retry_first: 1h, retry_max: 1h }\n"
MAIL = b"Subject: x\r\nMessage-ID: <one@client.test>\r\n\r\nhi\r\n"


def send(g, recipients=("b@far.test",), content=MAIL):
    with Client(g.port) as c:
        code, text = c.message(content, recipients=recipients)
        assert code == 250, text
        return text, text.split()[-1]


def why(g, what, *more):
    done = g.tool("why", what, "--data", g.data, "--json", *more)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def events(g, after=0):
    done = g.tool("events", "--after", str(after), "--data", g.data)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def names(life):
    return [e["event"] for e in life["events"]]


def ended(g, id, last=("relayed", "delivered", "bounced", "deleted", "discarded")):
    """Accepted mail is in no queue for a moment: what came last has to be an end."""
    def life():
        (one,) = why(g, id)
        return not one["queue"] and names(one)[-1] in last and one
    return wait_for(life, "its end")


def test_the_life_of_a_message_that_is_gone(data):
    with Sink() as sink, Godwit(data, "--next-hop", sink.address) as g:
        said, id = send(g)
        life = ended(g, id)
        accepted, relayed = life["events"]
        assert accepted["event"] == "accepted" and accepted["from"] == "a@client.test"
        assert accepted["to"] == ["b@far.test"] and accepted["helo"] == "client.test"
        assert f"{accepted['status']} {accepted['reply']}" == said and accepted["code"] == 250
        assert accepted["message_id"] == "one@client.test" and accepted["size"] > 0
        assert relayed["event"] == "relayed" and relayed["to"] == "b@far.test"
        assert relayed["attempts"] == 1 and relayed["peer"].endswith(str(sink.port))
        assert "transaction_ms" in relayed or "connect_ms" in relayed or relayed["code"] == 250
        for what in ("b@far.test", "A@client.test", "<one@client.test>", "one@client.test"):
            assert [l["id"] for l in why(g, what)] == [id]
        words = g.tool("why", id, "--data", data).stdout
        assert f"told: 250 {said}" in words and "handed on, attempt 1" in words
        assert "nothing of it is in the queue" in words


def test_what_waits_says_why_and_until_when(data):
    def greylists(verb, argument, count):
        return b"451 4.7.1 come again\r\n" if verb == "RCPT" and "slow@" in argument else None
    with Sink(script=greylists) as sink, Godwit(data, "--next-hop", sink.address,
                                                config=SLOW) as g:
        _, id = send(g, ["slow@far.test", "quick@far.test"])
        life = wait_for(lambda: (lambda l: l if len(l["events"]) == 3 else None)(why(g, id)[0]),
                        "both attempts")
        assert sorted(names(life)[1:]) == ["deferred", "relayed"]
        put_off = next(e for e in life["events"] if e["event"] == "deferred")
        assert put_off["reply"] == "come again" and put_off["said_by_peer"]
        assert put_off["next"] > put_off["time"]
        (waiting,) = life["queue"]
        assert waiting["address"] == "slow@far.test" and waiting["next"] == put_off["next"]
        words = g.tool("why", "slow@far.test", "--data", data).stdout
        assert "is tried next in" in words and "451 4.7.1 come again" in words


def test_the_trouble_of_the_site_is_told(data):
    with Sink() as sink:
        address = sink.address
    with Godwit(data, "--next-hop", address, config=SLOW) as g:
        _, id = send(g)
        life = wait_for(lambda: (lambda l: l if l["queue"] and l["queue"][0]["reason"] else None)
                        (why(g, id)[0]), "the trouble")
        assert life["queue"][0]["next"] > 0
        words = g.tool("why", id, "--data", data).stdout
        assert "refused" in words and "is tried next in" in words


def test_the_trouble_of_the_site_is_remembered(data):
    sink = Sink()
    address = (sink.host, sink.port)
    sink.listener.close()
    config = "queue: { retry_first: 300ms, retry_max: 300ms }\n"
    with Godwit(data, "--next-hop", sink.address, config=config) as g:
        _, id = send(g)
        wait_for(lambda: g.events("site-failed"), "the failure")
        sink.listener = socket.create_server(address)
        with sink:
            life = ended(g, id)
        assert names(life) == ["accepted", "relayed"]
        assert life["site_failures"] and "refused" in life["site_failures"][0]["reply"]
        assert "could not be reached" in g.tool("why", id, "--data", data).stdout


def test_held_released_and_deleted_by_whom(data):
    with Sink() as sink, Godwit(data, "--hold", "--next-hop", sink.address) as g:
        _, id = send(g)
        assert why(g, id)[0]["events"][0]["held"]
        assert "is held, until it is released" in g.tool("why", id, "--data", data).stdout
        g.tool("queue", "release", id, "--data", data, check=True)
        life = ended(g, id)
        who = "root" if os.getuid() == 0 else f"uid {os.getuid()}"
        assert names(life) == ["accepted", "released", "relayed"]
        assert life["events"][1]["account"] == who
        _, other = send(g)
        g.tool("queue", "delete", other, "--data", data, check=True)
        assert names(ended(g, other)) == ["accepted", "deleted"]


def test_a_bounce_is_tied_to_its_original(data):
    def refuses(verb, argument, count):
        return b"550 5.1.1 no such user\r\n" if verb == "RCPT" and "gone@" in argument else None
    with Sink(script=refuses) as sink, Godwit(data, "--next-hop", sink.address) as g:
        _, id = send(g, ["gone@far.test"])
        life = ended(g, id, ("reported",))
        assert names(life) == ["accepted", "bounced", "reported"]
        report = ended(g, life["events"][2]["text"])
        assert report["events"][0]["event"] == "report-of" and report["events"][0]["text"] == id
        assert report["events"][1]["to"] == "a@client.test"


def test_many_at_once_are_all_kept(data):
    count = 6000
    with Godwit(data, "--hold") as g:
        with Client(g.port, channel="clear") as c:
            assert c.code("EHLO client.test") == 250
            for n in range(0, count, 100):
                c.send(b"".join(b"MAIL FROM:<>\r\nRCPT TO:<b%d@far.test>\r\nDATA\r\n" % m
                                for m in range(n, n + 1)))
                for m in range(n, n + 100):
                    assert [c.reply()[0] for _ in range(3)] == [250, 250, 354]
                    more = (b"MAIL FROM:<>\r\nRCPT TO:<b%d@far.test>\r\nDATA\r\n" % (m + 1)
                            if m + 1 < n + 100 else b"")
                    c.send(MAIL + b".\r\n" + more)
                    assert c.reply()[0] == 250
        assert [l["events"][0]["to"] for l in why(g, "b4321@far.test")] == [["b4321@far.test"]]
        status = json.loads(g.tool("status", "--json", "--data", data).stdout)
        assert status["events"] == count and status["events_lost"] == 0
        after = seen = 0
        while page := events(g, after):
            seen, after = seen + len(page), page[-1]["cursor"]
        assert seen == count and not g.events("fault") and not g.events("history")


def test_who_is_not_known_is_told_how_long_it_would_be(data):
    with Godwit(data, "--hold") as g:
        for what in ("0000100000009", "nobody@far.test"):
            done = g.tool("why", what, "--data", data)
            assert done.returncode == 66 and "30 days" in done.stderr
        assert g.tool("why", "--data", data).returncode == 64
    with Godwit(data, "--hold", config="history: { keep: 0s }\n") as g:
        _, id = send(g)
        done = g.tool("why", id, "--data", data)
        assert done.returncode == 66 and "no history is kept" in done.stderr


def test_many_are_listed_newest_first_up_to_a_limit(data):
    with Godwit(data, "--hold") as g:
        ids = [send(g)[1] for _ in range(5)]
        assert [l["id"] for l in why(g, "b@far.test")] == ids[::-1]
        done = g.tool("why", "b@far.test", "--limit", "2", "--json", "--data", data)
        assert [json.loads(l)["id"] for l in done.stdout.splitlines()] == ids[:2:-1]
        assert "there are more" in done.stderr


def test_events_go_on_after_a_cursor_and_follow(data):
    with Godwit(data, "--hold") as g:
        first = send(g)[1]
        (one,) = events(g)
        assert one["id"] == first and one["event"] == "accepted"
        second = send(g)[1]
        assert [e["id"] for e in events(g, one["cursor"])] == [second]
        follower = subprocess.Popen(
            [*g.command[:g.command.index("serve")], "events", "--follow", "--after",
             str(one["cursor"]), "--data", data], stdout=subprocess.PIPE, text=True)
        try:
            assert json.loads(follower.stdout.readline())["id"] == second
            third = send(g)[1]
            assert json.loads(follower.stdout.readline())["id"] == third
        finally:
            follower.kill()
            follower.wait()
            follower.stdout.close()


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(line) for line in f.read().split("\n")[:-1]]


def test_the_file_has_every_event_and_may_be_moved_away(data, tmp_path):
    path = str(tmp_path / "events.jsonl")
    config = f"events: {{ file: {path} }}\n"
    with Sink() as sink, Godwit(data, "--next-hop", sink.address, config=config) as g:
        _, id = send(g)
        wait_for(lambda: [e["event"] for e in lines_of(path)] == ["accepted", "relayed"],
                 "its lines")
        os.rename(path, path + ".1")
        send(g)
        wait_for(lambda: len(lines_of(path)) == 2, "the lines of the second")
        cursors = [e["cursor"] for e in lines_of(path + ".1") + lines_of(path)]
        assert cursors == [1, 2, 3, 4]


def send_until_it_is_gone(port, told):
    try:
        with Client(port) as c:
            while True:
                code, text = c.message(MAIL)
                if code == 250:
                    told.append(text.split()[-1])
    except (OSError, EOFError, AssertionError):
        pass    # killed in the middle of it


def test_kill_9_loses_no_event_of_what_was_acknowledged(data, tmp_path):
    """Killed while mail comes in and goes out: of what was told 250 neither the acceptance nor
    the end is missing, in the history and in the file."""
    path = str(tmp_path / "events.jsonl")
    config = f"events: {{ file: {path} }}\n"
    told = []
    with Sink() as sink, Godwit(data, "--next-hop", sink.address, config=config) as g:
        for _ in range(4):
            before = len(told)
            senders = [threading.Thread(target=send_until_it_is_gone, args=(g.port, told))
                       for _ in range(4)]
            for sender in senders:
                sender.start()
            wait_for(lambda: len(told) > before + 100, "some mail")
            g.kill()
            for sender in senders:
                sender.join()
            g.start()
        wait_for(lambda: not g.queue(), "an empty queue")
        after, numbers = [], []
        while page := events(g, numbers[-1] if numbers else 0):
            after += page
            numbers += [e["cursor"] for e in page]
        assert numbers == sorted(set(numbers))
        for name in ("accepted", "relayed"):
            assert {e["id"] for e in after if e["event"] == name} >= set(told), name
        wait_for(lambda: {e["cursor"] for e in lines_of(path)} >= set(numbers),
                 "all of it in the file")
