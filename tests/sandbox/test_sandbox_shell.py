"""The sandbox from a shell, and the recipes of its document."""
import json
import os
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree

import pytest

import box
import godwit


def tool(sandbox, *arguments, key=None, url=None):
    environment = {**os.environ, "GODWIT_SANDBOX": url or sandbox.url}
    if key:
        environment["GODWIT_SANDBOX_KEY"] = key
    return subprocess.run([godwit.PROGRAM, *arguments], capture_output=True, text=True, timeout=60, env=environment)


def test_from_address_to_code(sandbox):
    address = tool(sandbox, "inbox", "create", "first", "--ttl", "10m", key="s1").stdout.strip()
    assert re.fullmatch(r"\S+@sandbox\.test", address)
    later = threading.Timer(0, lambda: sandbox.deliver(box.mail(
        "Your code", "Your verification code is 482913: https://x.test/verify?t=1"), to=(address,)))
    later.start()
    done = tool(sandbox, "wait", "--inbox", address, "--code", "--timeout", "30s", key="s1")
    assert (done.returncode, done.stdout) == (0, "482913\n"), done.stderr
    assert tool(sandbox, "wait", "--inbox", address, "--link", key="s1").stdout == "https://x.test/verify?t=1\n"
    assert "482913" in tool(sandbox, "wait", "--inbox", address, "--text", key="s1").stdout
    assert '"found": true' in tool(sandbox, "wait", "--inbox", address, "--json", key="s1").stdout
    assert "Your code" in tool(sandbox, "wait", "--inbox", address, "--subject", "code", key="s1").stdout
    assert "first" in tool(sandbox, "inbox", "list", key="s1").stdout
    assert "Your code" in tool(sandbox, "inbox", "messages", address, key="s1").stdout
    assert tool(sandbox, "inbox", "empty", address, key="s1").returncode == 0
    assert tool(sandbox, "inbox", "messages", address, key="s1").stdout == ""
    assert tool(sandbox, "inbox", "delete", address, key="s1").returncode == 0
    assert tool(sandbox, "inbox", "list", key="s1").stdout == ""


def test_what_does_not_come(sandbox):
    address = tool(sandbox, "inbox", "create", key="s2").stdout.strip()
    late = tool(sandbox, "wait", "--inbox", address, "--timeout", "50ms", key="s2")
    assert late.returncode == 1 and "in time" in late.stderr
    assert tool(sandbox, "wait", "--inbox", address, "--none", "50ms", key="s2").returncode == 0
    sandbox.deliver(box.mail("no code in it", "hello"), to=(address,))
    assert tool(sandbox, "wait", "--inbox", address, "--code", key="s2").returncode == 1
    came = tool(sandbox, "wait", "--inbox", address, "--none", "50ms", key="s2")
    assert came.returncode == 1 and "should not" in came.stderr


@pytest.mark.parametrize("arguments, code", [(["wait", "--inbox", "none"], 68), (["wait", "--timeout", "soon"], 64),
                                             (["wait", "--count", "0"], 64), (["wait", "--count", "x"], 64), (["inbox", "delete", "none"], 68),
                                             (["inbox", "create", "--address", "a b"], 64),
                                             (["inbox", "create", "--quota", "x"], 64)])
def test_what_is_wrong(sandbox, arguments, code):
    done = tool(sandbox, *arguments)
    assert done.returncode == code and done.stderr.startswith("godwit: "), (done.returncode, done.stderr)


def test_no_sandbox(sandbox):
    assert tool(sandbox, "wait", url="http://127.0.0.1:1").returncode == 69
    for url in ("nowhere", "http://"):
        assert tool(sandbox, "wait", url=url).returncode == 64


def recipe(language):
    with open(os.path.join(godwit.TOP, "docs", "SANDBOX.md")) as f:
        return re.search(rf"```{language}\n(.*?)```", f.read(), re.S).group(1)


def test_recipe_for_a_shell(sandbox):
    """As the document has it, with a program that signs up."""
    sign_up = ('sign_up() { printf "From: a@a.test\\nSubject: sign up\\n\\nYour code is 739104\\n" | '
               f'{sys.executable} -c "import smtplib,sys; '
               f"smtplib.SMTP('127.0.0.1', {sandbox.smtp}).sendmail('a@a.test', ['$1'], sys.stdin.read())\"; }}\n")
    script = sign_up + recipe("sh") + 'echo "$code"\n'
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "GODWIT_SANDBOX": sandbox.url,
                               "PATH": os.path.dirname(godwit.PROGRAM) + ":" + os.environ["PATH"]})
    assert done.stdout.strip() == "739104", done.stdout + done.stderr


def test_recipe_for_node(sandbox):
    sandbox.deliver(box.mail("sign up", "Your code is 551208"), to=("you@example.test",))
    script = recipe("js").replace("http://127.0.0.1:8025", sandbox.url) + "console.log(code);"
    done = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "551208", done.stderr


def expect(sandbox, tmp_path, expectations, *arguments, key=None):
    path = tmp_path / "expected.json"
    path.write_text(expectations if isinstance(expectations, str) else json.dumps(expectations))
    return tool(sandbox, "assert", str(path), *arguments, key=key)


def test_expectations_and_junit(sandbox, tmp_path):
    address = tool(sandbox, "inbox", "create", key="s3").stdout.strip()
    sandbox.deliver(box.mail("Grüße & <more>", "Your code is 482913."), to=(address,))
    good = {"name": "a code came", "subject": "Grüße", "code": "482913"}
    bad = {"name": "a \"quoted\" & <other>\x01 name", "subject": "Other", "timeout": "1ms"}
    done = expect(sandbox, tmp_path, good, "--inbox", address, key="s3")
    assert (done.returncode, done.stdout) == (0, "ok      a code came\n"), done.stderr
    done = expect(sandbox, tmp_path, [good, bad, {"count": 1}], "--inbox", address, "--junit",
                  str(tmp_path / "junit.xml"), key="s3")
    assert done.returncode == 1
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == ["ok", "FAILED", "ok"]
    assert "\x01" not in done.stdout and 'wanted "Other"' in done.stdout
    suites = xml.etree.ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert suites.attrib == {"tests": "3", "failures": "1"}
    cases = suites.findall("testsuite/testcase")
    assert [c.get("name") for c in cases] == ["a code came", 'a "quoted" & <other>? name', "expectation 3"]
    assert [len(c) for c in cases] == [0, 1, 0]
    assert "Grüße & <more>" in cases[1].find("failure").get("message")
    printed = expect(sandbox, tmp_path, good, "--inbox", address, "--junit", "-", key="s3")
    assert printed.stdout.startswith("<?xml") and printed.returncode == 0
    answers = json.loads(expect(sandbox, tmp_path, [good, bad], "--inbox", address, "--json", key="s3").stdout)
    assert [a["pass"] for a in answers] == [True, False]


@pytest.mark.parametrize("text, code", [("", 65), ("{", 65), ("[]", 65), ("5", 65), ("[5]", 65), ('{"a":1,"a":2}', 65),
                                        ('{"colour": "red"}', 64)])
def test_expectations_that_are_none(sandbox, tmp_path, text, code):
    done = expect(sandbox, tmp_path, text)
    assert done.returncode == code and done.stderr.startswith("godwit: "), (done.returncode, done.stderr)
    assert tool(sandbox, "assert").returncode == 64
    assert tool(sandbox, "assert", str(tmp_path / "none")).returncode == 66
    assert expect(sandbox, tmp_path, "{}", "--timeout", "1s").returncode == 64


def test_a_subject_does_not_reach_the_terminal_as_it_is(sandbox):
    """A subject of escape sequences was printed as it came."""
    address = tool(sandbox, "inbox", "create", key="s4").stdout.strip()
    sandbox.deliver(b"Subject: =?utf-8?q?a=1B]0;x=07=0Ab?=\r\n\r\nx\r\n", to=(address,))
    for arguments in (["wait", "--inbox", address], ["inbox", "messages", address]):
        printed = tool(sandbox, *arguments, key="s4").stdout
        assert "\x1b" not in printed and "\x07" not in printed and printed.count("\n") == 1, printed
