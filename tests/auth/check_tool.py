"""Asking `godwit check --batch` about many entries at once."""
import json
import subprocess

from godwit import PROGRAM


def batch(entries):
    """The answers, in the order of the entries."""
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    done = subprocess.run([PROGRAM, "check", "--batch", "--json"], input=lines.encode(),
                          capture_output=True, timeout=120)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode in (0, 65), done.stderr
    assert [answer.get("id") for answer in answers] == [entry.get("id") for entry in entries]
    return answers


def one(entry):
    return batch([entry])[0]
