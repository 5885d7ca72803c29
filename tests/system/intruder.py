"""A program that tries to look into other processes, as its input says.

It is read as text and run by `python3 -c`, so that every user can run it. Its first
line of output is its pid, a descriptor of a file without a name, and an address. For
each input line "VERB PID FD ADDRESS" it answers "ok" or the name of an errno.
"""

import ctypes
import errno
import os
import signal
import socket
import struct
import sys

SECRET = b"a secret"
PTRACE_ATTACH, PTRACE_DETACH, KCMP_FILE = 16, 17, 0
SYSTEM_CALLS = {"x86_64": {"pidfd_getfd": 438, "kcmp": 312},
                "aarch64": {"pidfd_getfd": 438, "kcmp": 272}}  # fmt: skip

libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(SECRET)


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def system_call(name, *arguments):
    number = SYSTEM_CALLS[os.uname().machine][name]
    return check(libc.syscall(number, *map(ctypes.c_long, arguments)))


def span(address, data):
    """One iovec, for readv(2)."""
    return ctypes.create_string_buffer(struct.pack("PL", address, len(data)))


def copy(call, pid, address):
    other = span(address, SECRET)
    mine = ctypes.create_string_buffer(SECRET)
    here = span(ctypes.addressof(mine), SECRET)
    check(call(pid, here, ctypes.c_ulong(1), other, ctypes.c_ulong(1), ctypes.c_ulong(0)))
    assert mine.raw.startswith(SECRET)


def take_descriptor(pid, fd, address):
    pidfd = os.pidfd_open(pid)
    os.close(system_call("pidfd_getfd", pidfd, fd, 0))
    os.close(pidfd)


def take_connection(pid, fd, address):
    pidfd = os.pidfd_open(pid)
    with socket.socket(fileno=system_call("pidfd_getfd", pidfd, 0, 0)) as stolen:
        stolen.sendall(b"stolen\n")
    os.close(pidfd)


def attach(pid, fd, address):
    nothing = ctypes.c_void_p(0)
    check(libc.ptrace(PTRACE_ATTACH, pid, nothing, nothing))
    while not os.WIFSTOPPED(os.waitpid(pid, 0x40000000)[1]):  # __WALL
        pass
    check(libc.ptrace(PTRACE_DETACH, pid, nothing, nothing))


def read_memory(pid, fd, address):
    copy(libc.process_vm_readv, pid, address)


def write_memory(pid, fd, address):
    copy(libc.process_vm_writev, pid, address)


def open_memory(pid, fd, address):
    memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
    assert os.pread(memory, len(SECRET), address) == SECRET
    assert os.pwrite(memory, SECRET, address) == len(SECRET)
    os.close(memory)


def reopen(pid, fd, address):
    again = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY)
    assert os.pread(again, len(SECRET), 0) == SECRET
    os.close(again)


def read_link(pid, fd, address):
    os.readlink(f"/proc/{pid}/fd/0")


def read_environment(pid, fd, address):
    with open(f"/proc/{pid}/environ", "rb") as file:
        file.read()


def read_map(pid, fd, address):
    with open(f"/proc/{pid}/maps", "rb") as file:
        assert file.read() != b""


def compare(pid, fd, address):
    system_call("kcmp", os.getpid(), pid, KCMP_FILE, 0, 0)


def connect_abstract(pid, fd, address):
    """The name of the socket takes the place of the numbers."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"\0{pid}")


VERBS = {
    "pidfd_getfd": take_descriptor, "steal": take_connection, "ptrace": attach,
    "process_vm_readv": read_memory, "process_vm_writev": write_memory,
    "mem": open_memory, "fd": reopen, "link": read_link,
    "environ": read_environment, "maps": read_map, "kcmp": compare,
    "connect": connect_abstract,
}  # fmt: skip


def obey(verb, *numbers):
    try:
        VERBS[verb](*map(int, numbers))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok"


def obey_on_child(verb):
    """Do the same to a child of our own, which runs with the same privileges."""
    child = os.fork()
    if child == 0:
        while True:
            signal.pause()
    try:
        return obey(verb, child, secret, ctypes.addressof(buffer))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    secret = os.memfd_create("secret")
    os.write(secret, SECRET)
    print(os.getpid(), secret, ctypes.addressof(buffer), flush=True)
    for line in sys.stdin:
        verb, *numbers = line.split()
        print(obey(verb, *numbers) if numbers else obey_on_child(verb), flush=True)
