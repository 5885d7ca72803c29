"""The ids and privileges of a process, from /proc, and directories for other users."""

import contextlib
import ctypes
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from harness import eventually
from proc import state, status

NUMBER = 54321  # a user and a group that have no account
LANDLOCK_CREATE_RULESET = 444  # on every machine


def landlock_version():
    """The kernel's version of landlock(7); -1: it has none."""
    call = ctypes.CDLL(None).syscall
    return call(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)


needs_landlock = pytest.mark.skipif(
    landlock_version() < 6, reason="needs landlock(7) of Linux 6.12"
)


class Identity(NamedTuple):
    uid: int
    gid: int
    groups: frozenset = frozenset()  # supplementary


def user(name):
    """An entry of /etc/passwd, with all its groups."""
    entry = pwd.getpwnam(name)
    groups = os.getgrouplist(name, entry.pw_gid)
    return Identity(entry.pw_uid, entry.pw_gid, frozenset(groups))


def parse_status(text):
    """Parse the output of a program that prints its own /proc/self/status."""
    lines = text.decode().splitlines()
    return {key: value.strip() for key, _, value in (l.partition(":") for l in lines)}


def expect_ids(found, who):
    """Check all ids in found, a status, against who: real,
    effective, saved, file system."""
    assert found["Uid"].split() == [str(who.uid)] * 4
    assert found["Gid"].split() == [str(who.gid)] * 4
    assert {int(group) for group in found["Groups"].split()} == who.groups


def expect_no_rights(found, new_privs=False):
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(found[name], 16) == 0, f"{name} is {found[name]}"
    assert found["NoNewPrivs"] == ("0" if new_privs else "1")


def expect_identity(found, who):
    expect_ids(found, who)
    expect_no_rights(found)


def begun(pid):
    """Wait until a worker is ready; return its status after its preparations."""
    eventually(lambda: state(pid) == "S", f"{pid} waits")
    return status(pid)


@contextlib.contextmanager
def public_directory():
    """A directory that every user can reach and write to, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        yield Path(directory)


def may_be_set_user_id(directory):
    return not os.statvfs(directory).f_flag & os.ST_NOSUID


def furnish(root, *names):
    """Copy programs and the libraries they need into a future root directory."""
    (root / "bin").mkdir(parents=True, exist_ok=True)
    for name in names:
        program = os.path.realpath(shutil.which(name))
        shutil.copy(program, root / "bin" / name)
        copy_libraries(root, program)


def copy_libraries(root, program):
    text = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    for path in re.findall(r"(?:^\s*|=> )(/\S+)", text, re.MULTILINE):
        place = root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
