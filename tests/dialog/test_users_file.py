"""`godwit user` and its file: who writes it at the same time, where it lies, what it cannot say."""
import os
import subprocess

import pytest

import godwit


def start(path, name):
    return subprocess.Popen([godwit.PROGRAM, "user", "add", name, "--file", path, "--no-password"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def add(path, name):
    process = start(path, name)
    said, complaint = process.communicate(timeout=60)
    return process.returncode, said, complaint


def names(path):
    with open(path) as f:
        return f.read().splitlines()


def test_who_was_added_is_in_a_new_file(tmp_path):
    path = str(tmp_path / "users")
    processes = {f"u{i}": start(path, f"u{i}") for i in range(12)}
    added = [name for name, process in processes.items()
             if process.communicate(timeout=60) and process.returncode == 0]
    assert added and sorted(names(path)) == sorted(added)
    assert os.listdir(tmp_path) == ["users"]


def test_a_link_stays_one(tmp_path):
    real, link = str(tmp_path / "real"), str(tmp_path / "link")
    assert add(real, "ann")[0] == 0
    os.symlink("real", link)
    assert add(link, "bob")[0] == 0
    assert os.path.islink(link) and names(real) == ["ann", "bob"]


@pytest.mark.parametrize("name", ["#ann", '"#ann"', '"a:b"', "#ann@home.test"])
def test_names_that_a_line_cannot_say(tmp_path, name):
    path = str(tmp_path / "users")
    code, _, complaint = add(path, name)
    assert code == 64 and "a users file has no names with" in complaint
    assert not os.path.exists(path)


def test_quotes_make_nobody_else(tmp_path):
    path = str(tmp_path / "users")
    assert add(path, "ann")[0] == 0
    assert add(path, '"ann"')[0] == 65
    assert add(path, '"a b"')[0] == 0
    assert names(path) == ["ann", '"a b"']
    with open(path, "a") as f:
        f.write('"carl" : x\n')
    assert add(path, "CARL")[0] == 65
