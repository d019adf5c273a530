"""Programs written for other sandboxes, unchanged, against ours: only the address is new."""
import os
import subprocess
import sys

import pytest

import box
import godwit

sys.path.insert(0, os.path.join(godwit.TOP, "tests", "interop"))
import peers  # noqa: E402


def run(name, sandbox, **environment):
    script = os.path.join(godwit.TOP, "tests", "clients", name + ".js")
    done = subprocess.run(
        [peers.available("node"), script, sandbox.url, str(sandbox.smtp)], capture_output=True,
        text=True, timeout=120,
        env={**os.environ, "NODE_PATH": peers.node_modules(), **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["mailpit", "mailslurp", "mailslurp_webhooks", "standard_webhooks", "mailhog", "inbucket", "mcp"])
def test_client(name):
    with box.Sandbox("--egress", "loopback") as sandbox:
        assert run(name, sandbox) == "ok"


def test_ethereal():
    with box.Sandbox() as sandbox:
        link = run("ethereal", sandbox, ETHEREAL_API=sandbox.url)
        answer = sandbox.get(link[len(sandbox.url):])
        assert answer.status == 302
        assert answer.headers["Location"].startswith("/#/message/")
