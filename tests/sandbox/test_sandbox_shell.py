"""The sandbox from a shell, and the recipes of its document."""
import os
import re
import subprocess
import sys
import threading

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
                                             (["wait", "--count", "0"], 64), (["inbox", "delete", "none"], 68),
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
