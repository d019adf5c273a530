"""The commands as people and programs call them: what is printed, and the exit codes."""
import json
import os
import re
import socket
import subprocess
import threading

import pytest

import godwit
from godwit import PROGRAM, Godwit, Sink, wait_for

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_NOHOST, EX_UNAVAILABLE, EX_TEMPFAIL, EX_CONFIG = (
    64, 65, 67, 68, 69, 75, 78)
COMMANDS = ["serve", "sandbox", "wait", "inbox", "assert", "config", "user", "rules", "queue", "site", "suppression", "status", "why", "events", "trace", "cert", "reload", "check",
            "classify", "report", "parse", "dkim", "send", "sign", "sendmail", "mailq", "newaliases", "tls-policy",
            "version", "help"]


def run(*arguments, input=None, program=PROGRAM, cwd=None, **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GODWIT_")}
    return subprocess.run([program, *arguments], input=input, capture_output=True,
                          text=not isinstance(input, bytes), timeout=60, cwd=cwd,
                          stdin=subprocess.DEVNULL if input is None else None,
                          env={**kept, **environment})


def free_address():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        return f"127.0.0.1:{s.getsockname()[1]}"


# ---- the tables of flags

def test_help_lists_every_command():
    done = run("help")
    assert done.returncode == 0
    listed = re.findall(r"^  ([\w-]+) ", done.stdout, re.M)
    assert sorted(listed) == sorted(COMMANDS)
    nothing = run()
    assert nothing.returncode == EX_USAGE and nothing.stdout == done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command):
    by_word, by_flag = run("help", command), run(command, "--help")
    assert by_word.returncode == 0 and f"usage: godwit {command}" in by_word.stdout
    assert by_flag.returncode == 0 and by_flag.stdout == by_word.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_manual_name_the_same_flags(command):
    page = "godwit-sendmail.1" if command in ("sendmail", "mailq", "newaliases") else "godwit.1"
    if command == "serve":
        page = "godwit-serve.8"
    with open(os.path.join(godwit.TOP, "docs", "man", page)) as f:
        manual = f.read()
    helped = run("help", command).stdout
    for flag in re.findall(r"^  --([a-z-]+)", helped, re.M):
        assert re.search(rf"^\.It Fl Fl {flag}\b", manual, re.M), flag
    for flag in re.findall(r"^  -(\w+)", helped, re.M):
        assert re.search(rf"^\.It Fl {flag}\b", manual, re.M), flag
    if page == "godwit.1":
        assert re.search(rf"\b{command}\b", manual)


@pytest.mark.parametrize("page", ["godwit.1", "godwit-serve.8", "godwit-sendmail.1",
                                  "godwit.yaml.5"])
def test_manual_is_clean(page):
    path = os.path.join(godwit.TOP, "docs", "man", page)
    try:
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path],
                              capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("mandoc is not installed")
    assert done.returncode == 0, done.stdout


def keys_of_schema(schema, at="", found=None, root=None):
    found = set() if found is None else found
    root = root or schema
    if "$ref" in schema:
        part = root
        for step in schema["$ref"].lstrip("#/").split("/"):
            part = part[step]
        return keys_of_schema(part, at, found, root)
    for name, below in schema.get("properties", {}).items():
        found.add(name)
        keys_of_schema(below, name, found, root)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            keys_of_schema(schema[key], at, found, root)
    for key in ("oneOf", "anyOf", "allOf"):
        for below in schema.get(key, []):
            keys_of_schema(below, at, found, root)
    return found


def test_manual_names_every_key_of_the_configuration():
    schema = json.loads(run("config", "schema").stdout)
    with open(os.path.join(godwit.TOP, "docs", "man", "godwit.yaml.5")) as f:
        manual = f.read()
    keys = keys_of_schema(schema)
    assert {"hostname", "retry_first", "body_memory"} <= keys
    missing = [k for k in keys if not re.search(rf"^\.It .*\bCm {k}\b", manual, re.M)]
    assert not missing


def test_manual_names_the_defaults():
    schema = json.loads(run("config", "schema").stdout)
    with open(os.path.join(godwit.TOP, "docs", "man", "godwit.yaml.5")) as f:
        items = re.split(r"^\.It ", f.read(), flags=re.M)
    checked = 0
    sections = [schema["properties"][name]["properties"]
                for name in ("limits", "timeouts", "queue", "dns", "log")]
    sections.append(schema["properties"]["sites"]["properties"]["default"]["properties"])
    for keys in sections:
        for name, key in keys.items():
            default = key.get("$comment", "").removeprefix("default: ")
            if default in ("", "false"):
                continue
            texts = [i for i in items if i.startswith(f"Cm {name}\n")]
            assert any(re.search(rf"(?<![0-9a-zA-Z]){re.escape(default)}(?![0-9a-zA-Z])", t)
                       for t in texts), (name, default)
            checked += 1
    assert checked > 30


@pytest.mark.parametrize("arguments, said", [
    (["qeue"], "did you mean 'queue'?"),
    (["frobnicate"], "see 'godwit help'"),
    (["serve", "--lisen", "x"], "did you mean '--listen'?"),
    (["serve", "--next_hop=x"], "did you mean '--next-hop'?"),
    (["serve", "--frobnicate"], "see 'godwit help serve'"),
    (["serve", "-x"], "two dashes"),
    (["serve", "extra"], "takes no 'extra'"),
    (["serve", "--hold=yes"], "takes no value"),
    (["serve", "--data"], "needs a value"),
    (["serve", "--data", "a", "--data", "b"], "said twice"),
    (["serve", "--quick-start", "--next-hop", "a:1"], "--quick-start sends nothing"),
    (["queue"], "what is to be done"),
    (["queue", "lst"], "did you mean 'list'?"),
    (["queue", "show"], "needs ID"),
    (["queue", "show", "nonsense!"], "is no message id"),
    (["queue", "list", "more"], "takes no 'more'"),
    (["send"], "to whom"),
    (["send", "--to", "nobody"], "is no mail address"),
    (["send", "--to", "a@b", "--message", "-", "--body", "x"], "whole message"),
    (["send", "--to", "a@b", "--server", "nowhere"], "is not HOST:PORT"),
    (["sendmail"], "to whom"),
    (["sendmail", "-bd"], "godwit serve"),
    (["sendmail", "-f", "a b", "x@y"], "is no mail address"),
    (["help", "nothing"], "there is no command"),
])
def test_wrong_arguments_are_explained(arguments, said):
    done = run(*arguments)
    assert done.returncode == EX_USAGE
    assert said in done.stderr and done.stderr.startswith("godwit: ")


def test_version():
    done = run("version")
    assert re.fullmatch(r"godwit \d+\.\d+\.\d+\n", done.stdout)
    assert run("--version").stdout == done.stdout


# ---- configuration

def test_config_check_names_the_place_and_the_nearest_key(tmp_path):
    file = tmp_path / "godwit.yaml"
    file.write_text("hostname: a.test\nqueue:\n  retry_frist: 5m\n")
    done = run("config", "check", "--config", str(file))
    assert done.returncode == EX_CONFIG
    assert f"{file}:3:" in done.stderr and "retry_first" in done.stderr
    file.write_text("hostname: a.test\n")
    done = run("config", "check", "--config", str(file))
    assert done.returncode == 0 and "good" in done.stdout
    assert run("config", "check", GODWIT_CONFIG=str(file)).stdout == done.stdout


def test_a_circle_of_aliases_is_named_by_check_and_serve(tmp_path):
    path = tmp_path / "godwit.yaml"
    path.write_text("hostname: x.test\ndomains:\n  a.test:\n    aliases:\n      ann: bob\n"
                    "      bob: [ann]\n")
    for command in (["config", "check"], ["serve", "--data", str(tmp_path / "data")]):
        done = run(*command, "--config", str(path))
        assert done.returncode == EX_CONFIG
        assert f"{path}:5:7: domains.a.test.aliases.ann: " in done.stderr
        assert "ann -> bob@a.test -> ann@a.test" in done.stderr


def test_config_show_and_schema(tmp_path):
    file = tmp_path / "godwit.yaml"
    file.write_text("hostname: shown.test\n")
    shown = run("config", "show", "--config", str(file))
    assert shown.returncode == 0 and "shown.test" in shown.stdout
    schema = json.loads(run("config", "schema").stdout)
    assert "hostname" in schema["properties"]


# ---- a running godwit

def test_nobody_runs_there(tmp_path):
    for arguments in (["queue", "list"], ["status"], ["reload"], ["queue", "retry", "all"]):
        done = run(*arguments, "--data", str(tmp_path))
        assert done.returncode == EX_UNAVAILABLE
        assert done.stderr == f"godwit: no godwit is running with the data folder {tmp_path}\n"


@pytest.fixture
def holding(sink, data):
    with Godwit(data, "--next-hop", sink.address, "--hold") as g:
        yield g


def held(g, count):
    return wait_for(lambda: len(g.queue()) == count and g.queue(), f"{count} rows")


def send(g, *arguments):
    return run("send", "--server", g.address, *arguments)


def test_queue_list_show_release(holding, sink):
    g = holding
    assert "the queue is empty" in run("queue", "list", "--data", g.data).stdout
    done = send(g, "--from", "a@client.test", "--to", "b@far.test", "--to", "c@far.test",
                "--subject", "Held back")
    assert done.returncode == 0
    rows = held(g, 2)
    message = rows[0]["id"]
    assert {r["recipient"]["address"] for r in rows} == {"b@far.test", "c@far.test"}
    table = run("queue", "list", "--data", g.data).stdout.splitlines()
    assert table[0].split() == ["ID", "AGE", "SIZE", "SENDER", "RECIPIENT", "STATE", "NEXT", "WHY"]
    assert len(table) == 3
    for line in table[1:]:
        assert line.startswith(message) and "held" in line
        assert line.index("a@client.test") == table[0].index("SENDER")
        assert line.index("held") == table[0].index("STATE")
    assert run("sendmail", "-bp", "--data", g.data).stdout.splitlines()[0] == table[0]
    shown = run("queue", "show", message, "--data", g.data).stdout
    assert "Subject: Held back" in shown and "recipient  b@far.test" in shown
    as_json = [json.loads(line) for line in
               run("queue", "show", message, "--data", g.data, "--json").stdout.splitlines()]
    assert "header" in as_json[0] and len(as_json) == 3
    assert run("queue", "release", message, "--data", g.data).returncode == 0
    assert sink.wait(1)[0].sender == "a@client.test"
    wait_for(lambda: not g.queue(), "an empty queue")


def test_queue_delete_and_unknown_ids(holding, sink):
    g = holding
    send(g, "--from", "a@client.test", "--to", "b@far.test")
    message = held(g, 1)[0]["id"]
    absent = "0000zzzzzzzzz"
    done = run("queue", "show", absent, "--data", g.data)
    assert done.returncode == EX_UNAVAILABLE and "no such message" in done.stderr
    done = run("queue", "delete", absent, "--data", g.data)
    assert done.returncode == EX_UNAVAILABLE and done.stdout == ""
    done = run("queue", "delete", absent, message, "--data", g.data)
    assert done.returncode == EX_UNAVAILABLE
    wait_for(lambda: not g.queue(), "an empty queue")
    done = run("queue", "delete", "all", "--data", g.data)
    assert done.returncode == 0 and "0 messages" in done.stdout
    assert not sink.messages


def test_queue_retry_and_hold(data):
    answers = {"reply": b"451 4.2.0 not \x1b[31mnow\r\n"}
    with Sink(script=lambda verb, argument, count:
              answers["reply"] if verb == "RCPT" else None) as sink, \
            Godwit(data, "--next-hop", sink.address) as g:
        assert send(g, "--from", "a@client.test", "--to", "b@far.test").returncode == 0
        wait_for(lambda: g.queue() and g.queue()[0]["recipient"]["attempts"] == 1
                 and not g.queue()[0]["recipient"]["in_flight"], "a first attempt")
        table = run("queue", "list", "--data", g.data).stdout
        assert "waiting" in table and "451 4.2.0 not" in table and "\x1b" not in table
        shown = run("queue", "show", g.queue()[0]["id"], "--data", g.data).stdout
        assert "1 attempts so far" in shown and "(in " in shown
        message = g.queue()[0]["id"]
        assert run("queue", "hold", message, "--data", g.data).returncode == 0
        assert g.queue()[0]["recipient"]["state"] == "held"
        answers["reply"] = None
        assert run("queue", "release", message, "--data", g.data).returncode == 0
        run("queue", "retry", "all", "--data", g.data)
        sink.wait(1)
        wait_for(lambda: not g.queue(), "an empty queue")


def test_status(relay):
    done = run("status", "--data", relay.data)
    assert done.returncode == 0
    assert done.stdout.startswith("mx.godwit.test, process ")
    assert re.search(r"messages in the queue +0\n", done.stdout)
    as_json = json.loads(run("status", "--json", "--data", relay.data).stdout)
    assert as_json["hostname"] == "mx.godwit.test" and as_json["messages"] == 0
    assert run("status", GODWIT_DATA=relay.data).returncode == 0


def test_reload(sink, data, tmp_path):
    config = f"routes:\n  - {{ deliver: {{ smtp: '{sink.address}' }} }}\n"
    with Godwit(data, config=config) as g:
        assert run("reload", "--data", g.data).returncode == 0
        wait_for(lambda: g.events("reloaded"), "a reload")
        with open(data + ".yaml", "w") as f:
            f.write("routs: []\n")
        done = run("reload", "--data", g.data)
        assert done.returncode == EX_UNAVAILABLE and "routes" in done.stderr
        assert run("status", "--data", g.data).returncode == 0
        with open(data + ".yaml", "w") as f:
            f.write(config)
        assert run("newaliases", "--data", g.data).returncode == 0


# ---- send

def test_send_shows_the_dialogue(sink):
    done = run("send", "--server", sink.address, "--from", "a@client.test", "--to",
               "b@far.test", "--subject", "Grüße", "--body", ".\nzwei\n", "--helo", "me.test")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for line in ("<- 220 sink.test ESMTP", "-> EHLO me.test", "-> RCPT TO:<b@far.test>",
                 "-> ..", "-> zwei", "-> .", "-> QUIT", "<- 221 2.0.0 bye",
                 "*** b@far.test: accepted, 250 taken"):
        assert line in lines
    received = sink.messages[0]
    assert received.helo == "me.test" and received.sender == "a@client.test"
    header, _, body = received.content.partition(b"\r\n\r\n")
    assert body == b".\r\nzwei\r\n"
    assert b"Subject: =?UTF-8?B?R3LDvMOfZQ==?=" in header and b"To: b@far.test" in header
    for name in (b"Date: ", b"Message-ID: <", b"From: a@client.test"):
        assert name in header


def test_send_takes_a_file_as_it_is(sink, tmp_path):
    file = tmp_path / "message"
    file.write_bytes(b"Subject: x\n\n.dot\nno end")
    assert run("send", "--server", sink.address, "--from", "<>", "--to", "b@far.test",
               "--message", str(file), "--quiet").stdout == ""
    assert run("send", "--server", sink.address, "--from", "a@b.test", "--to", "b@far.test",
               "--message", "-", input=b"Subject: y\r\n\r\nz\r\n").returncode == 0
    assert sink.messages[0].content == b"Subject: x\r\n\r\n.dot\r\nno end\r\n"
    assert sink.messages[0].sender == ""
    assert sink.messages[1].content == b"Subject: y\r\n\r\nz\r\n"
    done = run("send", "--server", sink.address, "--to", "b@far.test", "--message", "-",
               input=b"a\0b")
    assert done.returncode == EX_DATAERR and b"NUL" in done.stderr


def test_send_exits_with_zero_only_when_all_were_accepted():
    def script(verb, argument, count):
        if verb == "RCPT" and "no@" in argument:
            return b"550 5.1.1 nobody\r\n"
        if verb == "RCPT" and "later@" in argument:
            return b"450 4.2.1 later\r\n"
        return None
    with Sink(script=script) as sink:
        def to(*names):
            words = [w for name in names for w in ("--to", f"{name}@far.test")]
            return run("send", "--server", sink.address, "--from", "a@b.test", *words, "--quiet")
        assert to("yes").returncode == 0
        refused = to("yes", "no")
        assert refused.returncode == EX_UNAVAILABLE and "no@far.test: refused, 550" in refused.stderr
        assert to("later").returncode == EX_TEMPFAIL
        assert to("no", "later").returncode == EX_TEMPFAIL
        assert [m.recipients for m in sink.messages] == [["yes@far.test"]] * 2


def test_send_to_nobody():
    done = run("send", "--server", free_address(), "--to", "a@b.test")
    assert done.returncode == EX_TEMPFAIL and "Connection refused" in done.stderr
    done = run("send", "--server", "no-such-host.invalid:25", "--to", "a@b.test")
    assert done.returncode == EX_NOHOST


@pytest.mark.parametrize("greeting", [b"554 5.7.1 go away\r\n", "drop",
                                      b"rubbish\r\n", b"220-never\r\nended\r\n"])
def test_send_to_a_bad_server(greeting):
    with Sink(script=lambda verb, argument, count:
              greeting if verb == "CONNECT" else None) as sink:
        done = run("send", "--server", sink.address, "--to", "a@b.test")
        assert done.returncode in (EX_TEMPFAIL, EX_UNAVAILABLE), done.stdout


# ---- sendmail

def sendmail(g_or_server, *arguments, input, **more):
    server = getattr(g_or_server, "address", g_or_server)
    return run("sendmail", "--server", server, *arguments, input=input, **more)


def test_sendmail_as_cron_calls_it(sink):
    done = sendmail(sink, "-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root",
                    input=b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@h> x\n"
                          b"Auto-Submitted: auto-generated\n\nout\n.\nput\n")
    assert done.returncode == 0 and done.stdout == b"" and done.stderr == b""
    received = sink.messages[0]
    host = received.helo
    assert received.recipients == [f"root@{host}"]
    assert f"From: root@{host} (Cron Daemon)\r\n".encode() in received.content
    assert f"To: root@{host}\r\n".encode() in received.content
    assert received.content.endswith(b"\r\n\r\nout\r\n.\r\nput\r\n")
    assert received.content.count(b"Date: ") == 1
    assert received.content.count(b"Message-ID: ") == 1


def test_sendmail_as_php_calls_it(sink):
    done = sendmail(sink, "-t", "-i", "-fweb@site.test",
                    input=b"To: =?UTF-8?Q?J=C3=BC?= <j@far.test>,\r\n k@far.test\r\n"
                          b"Subject: s\r\nFrom: Shop <shop@site.test>\r\nBcc: l@far.test\r\n"
                          b"\r\nbody\r\n.\r\nmore\r\n")
    assert done.returncode == 0
    received = sink.messages[0]
    assert received.sender == "web@site.test"
    assert received.recipients == ["j@far.test", "k@far.test", "l@far.test"]
    assert b"\nBcc:" not in received.content and b"l@far" not in received.content
    assert received.content.endswith(b"\r\n\r\nbody\r\n.\r\nmore\r\n")


def test_sendmail_asks_for_reports(sink):
    done = sendmail(sink, "-N", "success,delay", "-R", "hdrs", "-V", "id+1", "b@far.test",
                    input=b"\nx\n")
    assert done.returncode == 0
    mail, rcpt = sink.messages[0].options
    assert "RET=HDRS" in mail and "ENVID=id+2B1" in mail and "NOTIFY=SUCCESS,DELAY" in rcpt


def test_sendmail_by_its_name(sink, tmp_path):
    link = tmp_path / "sendmail"
    link.symlink_to(PROGRAM)
    done = run("-t", program=str(link), input=b"To: b@far.test\n\nx\n",
               GODWIT_SERVER=sink.address)
    assert done.returncode == 0 and sink.messages[0].recipients == ["b@far.test"]
    mailq = tmp_path / "mailq"
    mailq.symlink_to(PROGRAM)
    done = run(program=str(mailq), GODWIT_DATA=str(tmp_path))
    assert done.returncode == EX_UNAVAILABLE and "no godwit is running" in done.stderr


def test_sendmail_verbose_and_refused():
    with Sink(script=lambda verb, argument, count:
              b"550 5.1.1 nobody\r\n" if verb == "RCPT" else None) as sink:
        done = sendmail(sink, "-v", "b@far.test", input="\nx\n")
        assert done.returncode == EX_NOUSER
        assert "<- 550 5.1.1 nobody" in done.stdout and "b@far.test: nobody (550)" in done.stderr


@pytest.mark.parametrize("replies, code", [
    (["550 5.1.1 nobody"] * 2, EX_NOUSER), (["550 5.1.2 nowhere"], EX_NOHOST),
    (["552 5.3.4 too large"], EX_DATAERR), (["550 5.7.1 no"], EX_UNAVAILABLE),
    (["550 no"], EX_UNAVAILABLE), (["550 5.1.1 nobody", "550 5.1.2 nowhere"], EX_UNAVAILABLE),
    (["250 2.1.5 ok", "550 5.1.1 nobody"], EX_NOUSER),
])
def test_sendmail_says_why_by_its_exit_code(replies, code):
    left = list(replies)
    with Sink(script=lambda verb, argument, count:
              left.pop(0).encode() + b"\r\n" if verb == "RCPT" else None) as sink:
        recipients = [f"r{i}@far.test" for i in range(len(replies))]
        assert sendmail(sink, *recipients, input="\nx\n").returncode == code
    assert left == []


@pytest.mark.parametrize("message, code", [
    (b"To: two words\n\nx\n", EX_DATAERR),
    (b"Subject: nobody named\n\nx\n", EX_USAGE),
    (b"To: a@b.test\n\n\0\n", EX_DATAERR),
])
def test_sendmail_refuses(sink, message, code):
    assert sendmail(sink, "-t", input=message).returncode == code
    assert not sink.messages


def test_sendmail_speaks_smtp(relay, sink):
    talk = (b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@far.test>\r\nDATA\r\n"
            b"Subject: bs\r\n\r\nx\r\n.\r\nQUIT\r\n")
    process = subprocess.Popen([PROGRAM, "sendmail", "-bs", "--server", relay.address],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    greeting = process.stdout.readline()
    assert greeting.startswith(b"220 ")
    out, _ = process.communicate(talk, timeout=60)
    assert process.returncode == 0 and b"queued as" in out and out.endswith(b"Bye\r\n")
    sink.wait(1)
    done = run("sendmail", "-bs", "--server", free_address(), input="")
    assert done.returncode == EX_TEMPFAIL and done.stdout.startswith("421 ")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_sendmail_speaks_smtp_with_who_ends_lines_in_lf(relay, sink, end):
    talk = (b"EHLO x\nMAIL FROM:<a@b.test>\nRCPT TO:<c@far.test>\nDATA\n"
            b"Subject: bs\n\n..x\n.\nQUIT\n").replace(b"\n", end)
    done = run("sendmail", "-bs", "--server", relay.address, input=talk)
    assert done.returncode == 0 and b"queued as" in done.stdout
    assert sink.wait(1)[0].content.endswith(b"\r\nSubject: bs\r\n\r\n.x\r\n")
    # With CRLF said first, an LF alone is what the listener thinks of it.
    done = run("sendmail", "-bs", "--server", relay.address, input=b"NOOP\r\nNOOP\n")
    assert b"500 5.5.2" in done.stdout


# ---- the maildrop

def maildrop(data):
    folder = os.path.join(data, "maildrop")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def test_mail_left_while_no_godwit_runs_is_sent_by_the_next(sink, data):
    os.mkdir(data)
    nowhere = free_address()
    for number in range(3):
        done = sendmail(nowhere, "-t", "--data", data, input=(
            f"To: b@far.test\nBcc: c@far.test\nFrom: a@b.test\nSubject: {number}\n\nx\n"))
        assert done.returncode == 0 and done.stderr == ""
    names = maildrop(data)
    assert len(names) == 3
    assert os.stat(os.path.join(data, "maildrop", names[0])).st_mode & 0o7777 == 0o600
    with Godwit(data, "--next-hop", sink.address) as g:
        wait_for(lambda: not maildrop(data), "an empty maildrop")
        wait_for(lambda: not g.queue(), "an empty queue")
        assert len(g.events("accepted")) == 3
    pairs = sorted((re.search(r"Subject: (\d)", m.content.decode()).group(1), recipient)
                   for m in sink.messages for recipient in m.recipients)
    assert pairs == [(n, r) for n in "012" for r in ("b@far.test", "c@far.test")]
    for m in sink.messages:
        assert m.content.startswith(b"Received: by mx.godwit.test (godwit, from the maildrop)")
        assert b"\nBcc:" not in m.content


def test_what_a_running_godwit_does_not_take_now_is_left_too(tmp_path):
    def script(verb, argument, count):
        if verb == "RCPT" and "later@" in argument:
            return b"452 4.3.1 full\r\n"
        return None
    with Sink(script=script) as sink:
        done = sendmail(sink, "--data", str(tmp_path), "now@far.test", "later@far.test",
                        input="\nx\n")
        assert done.returncode == 0
        assert sink.messages[0].recipients == ["now@far.test"]
    names = maildrop(str(tmp_path))
    assert len(names) == 1
    with open(os.path.join(str(tmp_path), "maildrop", names[0])) as f:
        text = f.read()
    assert "recipient later@far.test\n" in text and "now@far.test" not in text


def test_a_server_that_dies_in_the_middle_loses_nothing(tmp_path):
    for verb in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "DOT"):
        data = tmp_path / verb
        data.mkdir()
        with Sink(script=lambda v, argument, count: "drop" if v == verb else None) as sink:
            done = sendmail(sink, "--data", str(data), "b@far.test", input="\nx\n")
        assert done.returncode == 0, (verb, done.stderr)
        assert len(maildrop(str(data))) == 1, verb


def test_no_folder_is_made_where_none_was(tmp_path):
    missing = str(tmp_path / "nothing")
    done = sendmail(free_address(), "--data", missing, "b@far.test", input="\nx\n")
    assert done.returncode == EX_TEMPFAIL and "cannot leave the message" in done.stderr
    assert not os.path.exists(missing)


def test_programs_at_once(data, sink):
    """Ten programs, while a godwit starts: each message arrives exactly once."""
    os.mkdir(data)
    server = free_address()
    results = []

    def program(number):
        results.append(sendmail(server, "--data", data, "-f", "a@b.test", "b@far.test",
                                input=f"Subject: n{number}\n\nx\n").returncode)
    threads = [threading.Thread(target=program, args=(n,)) for n in range(10)]
    for t in threads:
        t.start()
    with Godwit(data, "--next-hop", sink.address, listen=(server,)) as g:
        for t in threads:
            t.join()
        sink.wait(10)
        wait_for(lambda: not maildrop(data) and not g.queue(), "rest")
    assert results == [0] * 10
    subjects = [re.search(rb"Subject: n(\d)", m.content).group(1) for m in sink.messages]
    assert len(subjects) == len(set(subjects)) == 10


# ---- sign

MESSAGE = "From: a@example.com\nSubject: x\n\nbody\n"


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key.pem"
    subprocess.run(["openssl", "genrsa", "-out", path, "1024"], check=True, capture_output=True)
    return str(path)


def sign(key, *arguments, input=MESSAGE, domain="example.com", selector="s"):
    return run("sign", "--key", key, "--domain", domain, "--selector", selector, *arguments,
               input=input)


def test_sign_prints_the_message_with_its_field(key, tmp_path):
    done = sign(key, "--time", "1800000000")
    assert done.returncode == 0, done.stderr
    field, body = done.stdout.replace("\r\n", "\n").split("\nFrom: ", 1)
    assert field.startswith("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com;")
    assert "s=s;" in field and "t=1800000000;" in field
    assert "From: " + body == MESSAGE
    path = tmp_path / "mail"
    path.write_text(MESSAGE)
    assert sign(key, "--time", "1800000000", str(path)).stdout == done.stdout


def test_sign_says_when_its_output_is_cut(key, tmp_path):
    path = tmp_path / "mail"
    path.write_text(MESSAGE + "x" * 70 + "\n" + ("y" * 70 + "\n") * 30000)
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "sign", "--key", key, "--domain", "example.com",
                               "--selector", "s", path], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 74 and b"standard output" in done.stderr


def test_sign_prints_json(key):
    done = sign(key, "--json", "--headers", "from,to,from", "--canonicalization", "simple",
                "--algorithm", "rsa-sha256")
    said = json.loads(done.stdout)
    assert said["field"].startswith("DKIM-Signature: ") and not said["field"].endswith("\n")
    assert "h=from:to:from;" in said["field"] and "c=simple/simple;" in said["field"]
    assert said["domain"] == "example.com" and said["selector"] == "s"
    assert said["algorithm"] == "rsa-sha256"
    assert said["record"].startswith("v=DKIM1; k=rsa; p=MI")


@pytest.mark.parametrize("arguments, code, words", [
    (["--canonicalization", "nofws"], EX_USAGE, "simple or relaxed"),
    (["--time", "now"], EX_USAGE, "seconds since 1970"),
    (["--algorithm", "ed25519-sha256"], EX_USAGE, "the key is for rsa-sha256"),
    (["--headers", "to"], EX_USAGE, "From among them"),
    (["--headers", ""], EX_USAGE, "names of header fields"),
    (["/nowhere"], 66, "cannot open /nowhere"),
    (["a", "b"], EX_USAGE, "one message"),
])
def test_sign_says_what_is_wrong(key, arguments, code, words):
    done = sign(key, *arguments)
    assert done.returncode == code and not done.stdout
    assert words in done.stderr


def test_sign_refuses_names_and_keys(key):
    for done, code, words in (
            (sign(key, domain="com"), EX_USAGE, "no domain"),
            (sign(key, selector="a b"), EX_USAGE, "no selector"),
            (sign("/nowhere"), 66, "cannot open"),
            (sign("/dev/null"), EX_DATAERR, "no private key")):
        assert (done.returncode, done.stdout) == (code, "") and words in done.stderr


def test_sign_needs_a_key():
    assert run("sign", "--domain", "example.com", "--selector", "s").returncode == EX_USAGE


def test_sign_wants_an_author(key):
    done = sign(key, input="Subject: x\n\nbody\n")
    assert done.returncode == EX_DATAERR and "From" in done.stderr


def test_a_users_file(tmp_path):
    """Added, changed, listed, removed; other lines stay; what cannot be is said."""
    path = tmp_path / "users"
    path.write_text("# people\nmute\nold: {SSHA}x\nlast: $5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5")
    path.chmod(0o600)

    def user(*words, password="pencil\n"):
        return run("user", *words, "--file", str(path), input=password)
    assert user("add", "ann").returncode == 0
    assert user("add", "ANN").returncode == EX_DATAERR
    assert user("add", "bob", "--no-password").returncode == 0
    assert user("add", '"john doe"').returncode == 0
    assert user("add", "j d").returncode == EX_USAGE
    assert user("add", "eve", password="\n").returncode == EX_DATAERR
    assert user("passwd", "nobody").returncode == EX_DATAERR
    before = path.read_text()
    assert user("passwd", "ann", password="eraser\n").returncode == 0
    lines = path.read_text().splitlines()
    assert lines != before.splitlines() and lines[:3] == ["# people", "mute", "old: {SSHA}x"]
    assert [line.split(":")[0] for line in lines[3:]] == ["last", "ann", "bob", '"john doe"']
    assert "eraser" not in path.read_text() and path.stat().st_mode & 0o777 == 0o600
    listed = run("user", "list", "--file", str(path)).stdout.splitlines()
    assert [" ".join(line.split()) for line in listed] == [
        "mute no password", "old a credential that cannot be read", "last PLAIN LOGIN",
        "ann PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1", "bob no password",
        '"john doe" PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1']
    assert user("remove", "mute").returncode == 0 and user("remove", "mute").returncode == EX_DATAERR
    config = tmp_path / "godwit.yaml"
    config.write_text(f"domains: {{ a.test: {{ users: {path}, deliver: discard }} }}\n")
    done = run("config", "check", "--config", str(config))
    assert done.returncode == 0 and "'old' is no credential" in done.stderr
    assert run("user", "remove", "bob@a.test", "--config", str(config)).returncode == 0
    assert run("user", "remove", "bob@b.test", "--config", str(config)).returncode == EX_CONFIG
    assert [p.name for p in tmp_path.iterdir() if "users" in p.name] == ["users"]
