"""A prongd that is given its listening sockets, as a service manager gives them.

They are descriptors from 3 up, counted by LISTEN_FDS and meant for LISTEN_PID:
sd_listen_fds(3). Here a shell between us and prongd puts them there, since only the
process that executes prongd knows its pid in advance.
"""

import contextlib
import fcntl
import os
import re
import subprocess

import harness

HIGH = 100  # above what a shell uses, and above the last of the sockets


def stands_in(numbers, pid="$$"):
    """A command that executes its arguments with these descriptors from 3 up."""
    moves = "".join(f" {3 + i}<&{number}-" for i, number in enumerate(numbers))
    return ["bash", "-c", f'LISTEN_PID={pid} exec "$@"{moves}', "bash"]


@contextlib.contextmanager
def handing_over(sockets, pid="$$", **variables):
    """Options of Server or Popen that hand over sockets, which stay the caller's too.

    variables: of the environment; LISTEN_FDS is the number of sockets by default.
    """
    high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH) for s in sockets]
    variables.setdefault("LISTEN_FDS", str(len(high)))
    try:
        yield {"under": stands_in(high, pid), "pass_fds": high,
               "env": harness.environment(**variables)}  # fmt: skip
    finally:
        for number in high:
            os.close(number)


def start(prongd, sockets, *arguments, listen=(), names=None, **options):
    """A harness.Server that serves these sockets, and what listen adds."""
    variables = {} if names is None else {"LISTEN_FDNAMES": names}
    with handing_over(sockets, **variables) as handed:
        options.update(handed, listen=listen, listeners=len(sockets) + len(listen))
        return prongd(*arguments, **options)


def refused(sockets, *arguments, **variables):
    """The exit status and the one line of a prongd that must not start."""
    with handing_over(sockets, **variables) as options:
        words = [*options.pop("under"), harness.PRONGD, *(arguments or ["echo"])]
        result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=harness.PATIENCE, **options)  # fmt: skip
    assert result.stdout == b""
    line = re.fullmatch(r"prongd: ([ -~]+)\n", result.stderr.decode())
    assert line, f"not one line: {result.stderr!r}"
    return result.returncode, line[1]
