"""The verifiers of mail authentication, by the small programs that drive them."""
import os
import subprocess

import godwit

BUILD = os.path.join(godwit.TOP, "build")


class Verdict:
    """One signature's: its result and what it says of itself; `steps` are the reasons."""

    def __init__(self, line):
        self.result, self.domain, self.selector, self.algorithm = line.split(" ")
        self.steps = []

    def __repr__(self):
        return f"{self.result} {self.domain} {self.selector} {self.steps}"


def _run(program, folder, message, zone, now):
    """`zone`: {name: record or [record, ...]}; a record "!failed" or "!nodata" is no text."""
    for name, content in (("message", message), ("zone", b"".join(
            name.encode() + b" " + record.encode() + b"\n" for name, records in zone.items()
            for record in ([records] if isinstance(records, str) else records)))):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(content)
    done = subprocess.run([os.path.join(BUILD, program), str(now),
                           os.path.join(folder, "zone"), os.path.join(folder, "message")],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return done.stdout.splitlines()


def dkim(folder, message, zone, now):
    """(result of the whole, [Verdict])"""
    lines = _run("probe_auth_dkim_verify", folder, message, zone, now)
    verdicts = []
    for line in lines[1:]:
        if line.startswith("\t"):
            verdicts[-1].steps.append(line[1:])
        else:
            verdicts.append(Verdict(line))
    return lines[0], verdicts


def arc(folder, message, zone, now):
    """(result, how many sets, the oldest that passes, steps)"""
    lines = _run("probe_auth_arc_validate", folder, message, zone, now)
    result, sets, oldest = lines[0].split(" ")
    return result, int(sets), int(oldest), [line[1:] for line in lines[1:]]


def crlf(message):
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
