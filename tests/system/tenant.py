"""A program that tries to reach other processes, as told, and leaves some behind.

It is read as text and run by `python3 -c`, so that every user can run it. Its first
line of output is its pid. It answers each input line "VERB ARGUMENT..." with one word:
"ok", a pid, or the name of an errno.
"""

import errno
import os
import resource
import signal
import sys
import time

STREAMS = (0, 1, 2)


def send(pid, number):
    os.kill(pid, number)


def lower_limit(pid):
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def lower_priority(pid):
    os.setpriority(os.PRIO_PROCESS, pid, 19)


def read(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        file.read()


def leave(work):
    """Leave a process in a session of its own, which begins when
    the program has ended."""
    parent = os.getpid()
    ready, ready_writer = os.pipe()
    child = os.fork()
    if child > 0:
        os.close(ready_writer)
        os.read(ready, 1)  # ends when the child has closed the streams it must not keep
        os.close(ready)
        return child
    os.setsid()
    if work != hold:
        for fd in STREAMS:
            os.close(fd)
    os.close(ready_writer)
    while os.getppid() == parent and work != hold:
        time.sleep(0.001)  # until the program has ended
    while True:
        work()


def idle():
    signal.pause()


def hold():
    """Keep the connection, and echo."""
    os.write(1, os.read(0, 100) or os._exit(0))


def signal_all(number):
    """Without a pause. kill(2) skips the calling process."""
    try:
        while True:
            os.kill(-1, number)
    except OSError:
        pass


def kill():
    signal_all(signal.SIGKILL)


def stop():
    signal_all(signal.SIGSTOP)


def fork():
    """Always become another process."""
    if os.fork() > 0:
        os._exit(0)


VERBS = {"signal": send, "limit": lower_limit, "priority": lower_priority, "read": read}
WORKS = {"idle": idle, "hold": hold, "kill": kill, "stop": stop, "fork": fork}


def obey(verb, *arguments):
    try:
        if verb == "leave":
            return leave(WORKS[arguments[0]])
        if verb == "variable":
            return os.environ.get(arguments[0], "none")
        VERBS[verb](*map(int, arguments))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok"


print(os.getpid(), flush=True)
while line := os.read(0, 100).decode():
    if line == "end\n":
        os._exit(0)
    print(obey(*line.split()), flush=True)
sys.exit(0)
