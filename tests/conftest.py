"""What all tests share: a godwit of their own, on ports that the kernel chose."""
import glob
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import godwit  # noqa: E402


@pytest.fixture(autouse=True)
def small_remains(tmp_path):
    """pytest keeps the folders of three runs: logs are worth it, spools of 64 MiB are not."""
    yield
    for spool in glob.glob(os.path.join(glob.escape(str(tmp_path)), "**", "spool"), recursive=True):
        shutil.rmtree(spool, ignore_errors=True)


@pytest.fixture
def sink():
    with godwit.Sink() as s:
        yield s


@pytest.fixture
def data(tmp_path):
    return str(tmp_path / "data")


@pytest.fixture
def relay(sink, data):
    """A relay for local clients, whose next hop is the sink."""
    with godwit.Godwit(data, "--next-hop", sink.address) as g:
        yield g
