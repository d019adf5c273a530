"""Whom nothing is sent to: by a failure for good, by hand, over a kill, in and out."""
import json
import os

import pytest

from godwit import Client, Godwit, Sink, wait_for

EX_USAGE, EX_DATAERR, EX_UNAVAILABLE = 64, 65, 69
ON = "suppression: { then: refuse }\n"


def to(hop, more=ON):
    return f"{more}routes:\n  - {{ deliver: {{ smtp: '{hop}' }} }}\n"


def tool(g, *words, **more):
    return g.tool("suppression", *words, "--data", g.data, **more)


def listed(g):
    return [json.loads(line) for line in tool(g, "list", "--json").stdout.splitlines()]


def rcpt(g, recipient):
    with Client(g.port) as c:
        assert c.code("EHLO client.test") == 250
        assert c.code("MAIL FROM:<me@here.test>") == 250
        return c.ask(f"RCPT TO:<{recipient}>")


def unknown(verb, argument, *_):
    if verb == "RCPT" and "gone" in argument.lower():
        return b"550 5.1.1 No such user here\r\n"
    if verb == "RCPT" and "spam" in argument:
        return b"550 5.7.1 Your message looks like spam\r\n"
    return None


def test_a_failure_for_good_puts_the_recipient_on_the_list(data):
    with Sink(script=unknown) as sink, Godwit(data, config=to(sink.address)) as g:
        with Client(g.port) as c:
            assert c.message(b"Subject: x\r\n\r\nhi\r\n", sender="me@here.test",
                             recipients=("Gone@far.test", "spam@far.test",
                                         "there@far.test"))[0] == 250
        wait_for(lambda: len(g.events("failed")) >= 2 and listed(g), "the failures")
        (entry,) = listed(g)
        assert (entry["address"], entry["why"]) == ("gone@far.test", "userunknown")
        assert "No such user here" in entry["text"]
        assert 89 < (entry["until"] - entry["since"]) / 86400000 < 91
        code, text = rcpt(g, "GONE@far.test")
        assert code == 550 and "(suppressed: userunknown)" in text
        assert rcpt(g, "spam@far.test")[0] == 250
        shown = tool(g, "show", "Gone@Far.test")
        assert shown.returncode == 0 and "userunknown" in shown.stdout
        assert tool(g, "remove", "Gone@Far.test").returncode == 0
        assert rcpt(g, "gone@far.test")[0] == 250
        assert tool(g, "remove", "gone@far.test").returncode == EX_UNAVAILABLE
        assert tool(g, "list").stdout == "nobody is on the list\n"


def test_what_is_added_by_hand_survives_a_kill(data, sink):
    with Godwit(data, config=to(sink.address)) as g:
        done = tool(g, "add", "a@far.test", "B@far.test", "--reason", "asked us to stop")
        assert done.returncode == 0
        g.kill()
    with Godwit(data, config=to(sink.address)) as g:
        wait_for(lambda: rcpt(g, "b@far.test")[0] == 550, "the list to be read")
        assert [e["address"] for e in listed(g)] == ["a@far.test", "b@far.test"]
        assert listed(g)[0]["text"] == "asked us to stop" and listed(g)[0]["until"] == 0


def test_nobody_is_asked_unless_the_configuration_says_so(data, sink):
    with Godwit(data, config=to(sink.address, "")) as g:
        assert tool(g, "add", "a@far.test").returncode == 0
        assert rcpt(g, "a@far.test")[0] == 250
        with open(g.data + ".yaml", "w") as f:
            f.write(to(sink.address))
        assert g.tool("reload", "--data", g.data).returncode == 0
        assert rcpt(g, "a@far.test")[0] == 550


def test_a_list_goes_out_and_in_again(data, sink, tmp_path):
    names = [f"user{n:04}@far.test" for n in range(1203)]
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.write_text("# of the old system\n\n" + "\r\n".join(names[:1200]) + "\n")
    with Godwit(data, config=to(sink.address)) as g:
        done = tool(g, "import", str(plain), "--for", "2d")
        assert (done.returncode, done.stdout) == (0, "1200 addresses are new or changed\n")
        assert tool(g, "import", "-", input="\n".join(names[1200:])).returncode == 0
        first = listed(g)
        assert [e["address"] for e in first] == names
        other.write_text(tool(g, "list", "--json").stdout)
        assert tool(g, "remove", *names).returncode == 0
        assert listed(g) == []
        assert tool(g, "import", str(other)).returncode == 0
        assert listed(g) == first


@pytest.mark.parametrize("words, code, says", [
    (("add", "nobody"), EX_DATAERR, "no list of addresses"),
    (("add", "a@b.test", "--for", "2w"), EX_USAGE, "a time such as"),
    (("show", "a@b.test"), EX_UNAVAILABLE, "not on the list"),
    (("import", "/nowhere/file"), None, "/nowhere/file"),
    (("add",), EX_USAGE, ""),
])
def test_what_cannot_be_done_is_said(data, words, code, says):
    with Godwit(data) as g:
        done = tool(g, *words)
        assert done.returncode != 0 and says in done.stderr
        if code not in (None, EX_DATAERR):
            assert done.returncode == code
        assert os.path.isdir(g.data)
