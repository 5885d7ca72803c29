"""The points of the sweep: which calls can be failed, where, and with which error.

A point is (mode, phase, call, error, when): in a server of this mode, traced from its
start or attached to later, the when-th call of each process fails with error.
"""

import collections
import random
import re

# The command line after the options that every mode has. {} is a scratch directory. RANGE is a
# range of users that no other attempt has at the same time: it would end what runs there.
MODES = {
    "fresh": ["-s", "0", "echo"],
    "spare": ["-s", "2", "echo"],
    "pool": ["-r", "always", "-s", "2", "echo"],
    "accepting": ["-r", "always", "-s", "2", "--accept", "workers", "echo"],
    "unsandboxed": ["--sandbox", "off", "-s", "1", "echo"],
    "user": ["--user", "nobody", "-s", "1", "echo"],
    "limits": ["--rlimit", "nofile=32", "-s", "1", "--idle-timeout", "30s",
               "--session-timeout", "60s", "echo"],
    "admission": ["--max-per-source", "50", "--rate", "1000/s", "--at-limit",
                  "refuse:busy", "-s", "1", "echo"],
    "program": ["--", "/bin/cat"],
    "program-user": ["--user", "nobody", "--", "/bin/cat"],
    "descendants": ["--kill-descendants", "--", "/bin/cat"],
    "resolve": ["--resolve", "--", "/bin/cat"],
    "warm": ["--warm", "-s", "2", "--", "/bin/cat"],
    "users": ["--user-range", "RANGE", "-n", "20", "--", "/bin/cat"],
    "warm-users": ["--user-range", "RANGE", "-n", "20", "--warm", "-s", "2", "--", "/bin/cat"],
    "unix": ["-s", "1", "echo"],
}  # fmt: skip
PHASES = ["start", "attached"]
CLIENT = "connect"  # the mode of prong connect; its only phase is the start

USUAL = ["EPERM", "ENOMEM"]
UNNAMED = "524"  # ENOTSUPP, internal to the kernel, which sometimes returns it
ERRORS = {
    "accept4": ["EMFILE", "ECONNABORTED", "ENOMEM", "EPERM", UNNAMED],
    "bind": ["EADDRINUSE", "EACCES"],
    "brk": ["ENOMEM"],
    "clone": ["EAGAIN", "ENOMEM", UNNAMED],
    "close_range": ["EINVAL", "ENOMEM", "EPERM"],
    "connect": ["ECONNREFUSED", "EINTR", "ENETUNREACH", "EPERM"],
    "dup2": ["EMFILE", "EBUSY", "EINTR"],
    "epoll_create1": ["EMFILE", "ENOMEM"],
    "epoll_ctl": ["ENOMEM", "ENOSPC", UNNAMED],
    "epoll_wait": ["EINTR", UNNAMED],
    "execve": ["ENOENT", "EACCES", "ENOMEM", "ETXTBSY"],
    "fcntl": ["EMFILE"],
    "getrandom": ["EAGAIN", "ENOSYS"],
    "getsockname": ["ENOBUFS"],
    "kill": ["EPERM", "ESRCH"],
    "landlock_create_ruleset": ["ENOSYS", "EOPNOTSUPP"],
    "landlock_restrict_self": ["E2BIG", "EPERM"],
    "listen": ["EADDRINUSE"],
    "madvise": ["ENOMEM", "EINVAL"],
    "mmap": ["ENOMEM"],
    "munmap": ["ENOMEM"],
    "openat": ["EMFILE", "EACCES", "ENOENT"],
    "poll": ["EINTR", "ENOMEM"],
    "prctl": ["EPERM", "EINVAL"],
    "read": ["EINTR", "EIO", UNNAMED],
    "recvfrom": ["EINTR", "ECONNRESET", "ENOMEM", UNNAMED],
    "recvmsg": ["ENOMEM", "EINTR", "ECONNRESET", UNNAMED],
    "rt_sigaction": ["EINVAL"],
    "rt_sigprocmask": ["EINVAL"],
    "seccomp": ["EINVAL", "EPERM"],
    "sendmsg": ["ENOBUFS", "ETOOMANYREFS", "EPIPE", "EAGAIN", UNNAMED],
    "sendto": ["EINTR", "EPIPE", "ENOBUFS", "ENOMEM", UNNAMED],
    "setresgid": ["EPERM"],
    "setresuid": ["EAGAIN", "EPERM"],
    "setsockopt": ["ENOMEM", "EPERM", "ENOPROTOOPT"],
    "shutdown": ["ENOTCONN"],
    "signalfd4": ["EMFILE", "ENOMEM"],
    "socket": ["EMFILE", "EAFNOSUPPORT"],
    "socketpair": ["EMFILE", "ENFILE", "ENOMEM", UNNAMED],
    "wait4": ["EINTR", "ECHILD", UNNAMED],
    "waitid": ["EINTR", "ECHILD", UNNAMED],
    "write": ["EINTR", "EIO", "ENOSPC", "EPIPE", UNNAMED],
}
# Calls that do not return, that libc needs to start, or that cannot fail. close(2)
# closes even if it fails; strace could only leave the descriptor open.
EXEMPT = {"exit", "exit_group", "rt_sigreturn", "arch_prctl", "set_tid_address",
          "set_robust_list", "restart_syscall", "close", "getpid", "getppid", "gettid",
          "getuid", "geteuid", "getgid", "getegid", "umask", "uname"}  # fmt: skip

Point = collections.namedtuple("Point", "mode phase call error when")


def calls_in(trace):
    """{call: the most that one process made of it}, from the output of strace -f."""
    made = collections.defaultdict(collections.Counter)
    for line in trace.splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            made[match[1]][match[2]] += 1
    most = collections.Counter()
    for counts in made.values():
        most |= counts
    return most


def calls_of_loader(trace):
    """{call: how many the loader of a dynamic program made before main()}: those until
    ld.so.cache is unmapped. A loader without memory crashes or ends with 127 in any
    program, which is not prong's fault."""
    made = collections.Counter()
    match = re.match(r"\d+", trace)
    loads = False
    for line in trace.splitlines():
        if not (call := re.match(rf"{match[0]} +(\w+)\(", line)):
            continue
        made[call[1]] += 1
        loads = loads or "ld.so.cache" in line
        if loads and call[1] == "munmap":
            return made
    return collections.Counter()


def whens(count):
    """The first four calls, the middle one and the last one."""
    chosen = {*range(1, min(count, 4) + 1), count}
    return sorted(chosen | ({count // 2} if count > 8 else set()))


def points_of(mode, phase, trace):
    """Every point of a mode and phase, from a trace without a failure. The first
    execve(2) after the start is that of the program itself, and the first mprotect(2)
    is made by libc before main()."""
    before = collections.Counter()
    if phase == "start":
        before = calls_of_loader(trace) | collections.Counter(execve=1, mprotect=1)
    for call, count in sorted(calls_in(trace).items()):
        if call in EXEMPT:
            continue
        for when in whens(count):
            if when > before[call]:
                for error in ERRORS.get(call, USUAL):
                    yield Point(mode, phase, call, error, when)


def sample(points, count, seed):
    """count points in an order that the seed decides; the same for the same seed."""
    points = sorted(points)
    random.Random(seed).shuffle(points)
    return points[:count]
