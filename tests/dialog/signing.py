"""Keys for the tests of signing, and what others say of a signature."""
import os
import subprocess

import godwit


class Keys:
    """Keys of `names` ("s1@home.test", "e1@home.test:ed25519"), made by godwit itself."""

    def __init__(self, folder, *names):
        self.folder = str(folder)
        self.zone = {}
        self.made = {}
        for name in names:
            self.make(name)

    def make(self, name, path=None):
        name, _, algorithm = name.partition(":")
        selector, domain = name.split("@")
        path = path or os.path.join(self.folder, name + ".pem")
        done = subprocess.run([godwit.PROGRAM, "dkim", "keygen", path, "--algorithm",
                               algorithm or "rsa"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        self.zone[f"{selector}._domainkey.{domain}"] = done.stdout.strip()
        self.made.setdefault(domain, []).append((selector, path))
        return path

    def config(self, domain):
        """For `dkim:`"""
        return "[" + ", ".join(f"{{ selector: {selector}, key: '{path}' }}"
                               for selector, path in self.made[domain]) + "]"

    def find(self, name, timeout=5):
        record = self.zone.get(name.decode().rstrip(".").lower())
        return None if record is None else record.encode()

    def json_zone(self):
        return {name: {"TXT": [record]} for name, record in self.zone.items()}


def fields(content, name=b"dkim-signature"):
    """The values of the header fields of that name, from the top."""
    header = content.split(b"\r\n\r\n", 1)[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")
    return [line.split(b":", 1)[1].strip() for line in header.split(b"\r\n")
            if line.lower().startswith(name + b":")]


def tags(value):
    return dict(tag.strip().split("=", 1) for tag in value.decode().split(";") if tag.strip())


def signers(content):
    """"s1@home.test" of each signature, from the top."""
    return ["{s}@{d}".format(**tags(value)) for value in fields(content)]
