"""The folder's own helpers, and a network of the tests' own."""
import ctypes
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

CONTENT = (b"From: Anna <anna@client.test>\r\nTo: <anna@far.test>\r\nSubject: interop\r\n"
           b"Message-ID: <1@client.test>\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n"
           b"\r\n.\r\n..\r\n.dot\r\n" + b"x" * 900 + b"\r\n \r\nend\r\n")


@pytest.fixture
def content():
    return CONTENT


CLONE_NEWNET = 0x40000000


@pytest.fixture
def network():
    """A network with nothing in it but loopback, for this thread and what it starts:
    port 25 and any address are free here. Public addresses are put on lo."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip("may not make a network of the test's own: "
                        + os.strerror(ctypes.get_errno()))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            for last in range(1, 10):
                subprocess.run(["ip", "address", "add", f"203.0.113.{last}/32", "dev", "lo"],
                               check=True)
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0
