"""A sandbox for each file, and a workspace for each test."""
import os

import pytest

import box


@pytest.fixture(scope="module")
def sandbox():
    with box.Sandbox() as s:
        yield s


@pytest.fixture
def key():
    return "key-" + os.urandom(8).hex()
