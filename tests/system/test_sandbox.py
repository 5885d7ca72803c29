"""A worker in the sandbox can serve and nothing else: any other attempt ends it."""

import contextlib
import re
import socket

import pytest

import logline
from harness import HANDLERS, SANITIZED, eventually
from sockets import receive_all, reset

pytestmark = pytest.mark.skipif(SANITIZED, reason="no sandbox with sanitizers")

ALWAYS = 2**32 - 1  # PRONG_REUSE_ALWAYS

# tests/programs/escapes.c explains these. If the sandbox did not hold, none of them
# would do harm beyond the test's own directory and server.
FILES = """
openat -100 {new} 0x41 384
openat -100 {file} 0
openat -100 /proc/self/mem 2
open {new} 0x41 384
openat2 -100 {file} buffer 24
creat {new} 384
unlinkat -100 {file} 0
mkdirat -100 {new} 448
renameat2 -100 {file} -100 {new} 0
linkat -100 {file} -100 {new} 0
symlinkat {file} -100 {new}
mknodat -100 {new} 4480 0
truncate {file} 0
fchmodat -100 {file} 511
fchownat -100 {file} 1 1 0
setxattr {file} user.x buffer 1 0
utimensat -100 {file} 0 0
faccessat -100 {file} 0
newfstatat -100 {file} buffer 0
statx -100 {file} 0 0 buffer
readlinkat -100 /proc/self/exe buffer 100
name_to_handle_at -100 {file} buffer buffer 0
open_by_handle_at -100 buffer 0
chdir /
chroot {folder}
mount none {folder} tmpfs 0 0
umount2 {folder} 0
fsopen tmpfs 0
open_tree -100 / 0x1
mount_setattr -100 /none 0 buffer 32
quotactl 0 0 0 0
fstat fd buffer
getdents64 fd buffer 100
lseek fd 0 0
pread64 fd buffer 1 0
fsync fd
inotify_init1 0
fanotify_init 0 0
getcwd buffer 100
umask 0
"""
SOCKETS = """
socket 2 1 0
socket 1 1 0
socket 16 3 0
socketpair 1 1 0 buffer
bind fd port:0 16
listen fd 1
connect fd port:{port} 16
accept fd 0 0
setsockopt fd 1 13 buffer 8
setsockopt fd 6 31 tls 3
sendmsg fd buffer 0
sendmmsg fd buffer 1 0
recvmmsg fd buffer 1 0
dup fd
dup3 fd 20 0
fcntl fd 8 parent
fcntl fd 4 0x2000
fcntl fd 0 10
ioctl fd 0x8901 buffer
ioctl fd 0x5452 buffer
ioctl fd 0x5413 buffer
pipe2 buffer 0
eventfd2 0 0
signalfd4 -1 buffer 8 0
timerfd_create 1 0
epoll_create1 0
memfd_create x 0
memfd_secret 0
splice fd 0 fd 0 1 0
tee fd fd 1 0
vmsplice fd buffer 0 0
sendfile fd fd 0 1
copy_file_range fd 0 fd 0 1 0
mq_open x 0x42 384 0
"""
PROCESSES = """
clone 17
clone 0x111
clone3 buffer 64
fork
vfork
execve /bin/true none none
execveat -100 /bin/true none none 0
kill parent 9
kill parent 0
kill -1 0
kill self 0
tkill parent 0
tgkill parent parent 0
rt_sigqueueinfo parent 0 buffer
rt_tgsigqueueinfo parent parent 0 buffer
pidfd_open parent 0
pidfd_getfd 0 0 0
pidfd_send_signal 0 0 0 0
ptrace 16 parent
ptrace 0
process_vm_readv parent buffer 0 buffer 0 0
process_vm_writev parent buffer 0 buffer 0 0
process_madvise 0 buffer 0 4 0
process_mrelease 0 0
kcmp parent self 0 0 0
rt_sigaction 15 buffer 0 8
rt_sigsuspend buffer 8
sigaltstack 0 buffer
setitimer 0 buffer 0
timer_create 0 0 buffer
alarm 1
setpgid 0 parent
setsid
wait4 -1 0 1 0
setpriority 0 parent 1
ioprio_set 1 parent 0
sched_setaffinity parent 8 buffer
sched_setscheduler parent 0 buffer
prlimit64 parent 7 0 buffer
setns fd 0
unshare 0x10000000
migrate_pages parent 0 0 0
move_pages parent 0 0 0 0 0
"""
RIGHTS = """
setuid 0
setgid 0
setresuid 0 0 0
setresgid 0 0 0
setgroups 0 0
prctl 4 0
prctl 1 0
prctl 22 0
prctl 15 x
personality 0x0400000
seccomp 1 0 buffer
landlock_create_ruleset 0 0 1
keyctl 0 -1 0
add_key user x buffer 1 -1
request_key user x 0 -1
getuid
uname buffer
"""
MEMORY = """
mmap 0 4096 5 0x22 -1 0
mmap 0 4096 4 0x22 -1 0
mmap gate 4096 7 0x32 -1 0
mprotect buffer 4096 3
mprotect buffer 4096 7
mprotect buffer 4096 4
mprotect gate 4096 5
pkey_mprotect buffer 4096 5 -1
remap_file_pages buffer 4096 0 0 0
shmat 0 0 0x8000
shmget 0 4096 384
mlock buffer 4096
mlockall 1
mbind buffer 4096 0 0 0 0
madvise buffer 4096 9
madvise buffer 4096 10
madvise buffer 4096 12
madvise buffer 4096 18
madvise buffer 4096 21
madvise buffer 4096 25
futex buffer 134 1
futex buffer 6 1
futex buffer 140 1
set_robust_list buffer 24
set_tid_address buffer
membarrier 0 0
"""
KERNEL = """
bpf 0 buffer 64
perf_event_open buffer 0 -1 -1 0
userfaultfd 0
io_uring_setup 4 buffer
io_setup 1 buffer
init_module 0 0 0
finit_module fd 0 0
delete_module 0 0
kexec_load 0 0 0 -1
reboot 0 0 0
swapon 0 0
swapoff 0
syslog 10 0 0
acct {folder}
sethostname 0 -1
clock_settime 0 0
settimeofday 0 0
clock_adjtime 0 0
iopl 3
ioperm 128 1 1
modify_ldt 0 buffer 16
arch_prctl 0x1001 buffer
rseq 0 0 0 0
msgget 0 384
semget 0 1 384
x32-getpid
far
"""
BY_LIBC = ["fork-by-libc", "abort-by-libc", "replace-gate-executable",
           "call-while-blocked"]  # fmt: skip
STOPPED = "".join((FILES, SOCKETS, PROCESSES, RIGHTS, MEMORY, KERNEL)).split("\n")
STOPPED = [line for line in STOPPED if line] + BY_LIBC


class Jail:
    """A server whose handler tries what it is told, and the state
    that it must not change."""

    def __init__(self, start, folder):
        self.folder = folder
        (folder / "file").write_text("precious")
        self.before = self.files()
        self.outside = socket.create_server(("127.0.0.1", 0))
        self.outside.setblocking(False)
        self.server = start("--sandbox", "auto", "-s", 1, "escapes", program=HANDLERS)

    def files(self):
        facts = [path.stat() for path in sorted(self.folder.iterdir())]
        return [(f.st_mode, f.st_uid, f.st_size, f.st_mtime_ns) for f in facts]

    def attempt(self, line):
        """What the client received, and the log line of the connection's end."""
        line = line.format(new=self.folder / "new", file=self.folder / "file",
                           folder=self.folder, port=self.outside.getsockname()[1])
        got = b""
        before = len(self.server.log_text())
        with self.server.connect() as client:
            peer = "{}:{}".format(*client.getsockname())
            client.sendall(line.encode() + b"\n")
            with contextlib.suppress(ConnectionResetError):
                got = receive_all(client)
        if got.startswith(b"unknown"):
            pytest.skip("this processor has no such call")
        match = re.fullmatch(r"call (-?\d+) \d+\n(.*)", got.decode(), re.DOTALL)
        assert match, got
        return int(match[1]), match[2], self.close_of(peer, before)

    def close_of(self, peer, before):
        """The close in the part of the log from there on, since a
        port may be used again."""
        pattern = re.compile(rf"^.* event=close .*peer={re.escape(peer)} .*\n", re.M)
        found = eventually(
            lambda: pattern.search(self.server.log_text(), before), "its end")  # fmt: skip
        return logline.parse_logfmt(found[0][:-1])

    def expect_nothing_has_happened(self):
        """Outside nothing has changed, and the next client is served."""
        assert self.files() == self.before
        with pytest.raises(BlockingIOError):
            self.outside.accept()
        assert self.server.process.poll() is None
        number, done, close = self.attempt("getppid")
        assert done == f"done {self.server.pid} 0\n"
        assert close["reason"] == "done"


@pytest.fixture(scope="module")
def jail(module_prongd, tmp_path_factory):
    found = Jail(module_prongd, tmp_path_factory.mktemp("outside"))
    if found.server.settings["sandbox"] == "off":
        pytest.skip("no seccomp here")
    with found.outside:
        yield found


@pytest.mark.parametrize("line", STOPPED)
def test_what_is_more_than_serving_ends_the_worker(jail, line):
    number, done, close = jail.attempt(line)
    assert done == ""
    assert (close["reason"], close["status"]) == ("crash-sandbox", "107")
    assert close["call"] == str(number)
    jail.expect_nothing_has_happened()


@pytest.mark.parametrize("line, reason, signal", [
    ("call-gate", "crash-signal", "SEGV"),
    ("replace-gate", "crash-signal", "SEGV"),
    ("return-to-gate", "crash-signal", "SEGV"),
    ("call-without-stack", "crash-signal", "SEGV"),
])  # fmt: skip
def test_the_gate_cannot_be_had_back(jail, line, reason, signal):
    _, done, close = jail.attempt(line)
    assert done == ""
    assert (close["reason"], close["signal"]) == (reason, signal)
    assert "call" not in close
    jail.expect_nothing_has_happened()


@pytest.mark.parametrize("line", ["call-as-32-bit", "call-by-sysenter"])
def test_the_calls_of_32_bit_processes_are_none(jail, line):
    """seccomp(2) stops it or, if kernel or processor do not know them, a fault."""
    _, done, close = jail.attempt(line)
    assert done == ""
    assert (close["reason"], close["signal"]) in (
        ("crash-sandbox", "SYS"), ("crash-signal", "SEGV"), ("crash-signal", "ILL"))
    jail.expect_nothing_has_happened()


@pytest.mark.parametrize("line, done", [
    ("mremap buffer 4096 8192 1", "-1 12"),  # ENOMEM, which realloc(3) handles
    ("mremap gate 4096 4096 3 buffer", "-1 12"),
    ("accept4 fd 0 0 0", "-1 22"),
    ("epoll_ctl fd 1 fd buffer", "-1 22"),
    ("waitid 0 0 buffer 4", "-1 10"),
    ("sendto fd buffer 1 0x20000000 port:{port} 16", "-1 106"),  # MSG_FASTOPEN
    ("close_range 100 200 2", "0 0"),
    ("madvise buffer 4096 4", "0 0"),
    ("madvise buffer 4096 8", "0 0"),
    ("futex buffer 129 1", "0 0"),
    ("ioctl fd 0x541b buffer", "0 0"),
    ("ioctl fd 0x5411 buffer", "0 0"),
    ("none", "-1 38"),
])  # fmt: skip
def test_what_is_allowed_leads_nowhere(jail, line, done):
    _, got, close = jail.attempt(line)
    assert got == f"done {done}\n"
    assert close["reason"] == "done"
    jail.expect_nothing_has_happened()


def test_a_connection_that_has_ended_cannot_be_made_to_another(jail):
    """MSG_FASTOPEN connects, and sendto(2) itself is allowed."""
    before = len(jail.server.log_text())
    client = jail.server.connect()
    peer = "{}:{}".format(*client.getsockname())
    client.sendall(b"connect-again %d x\n" % jail.outside.getsockname()[1])
    assert client.recv(100).startswith(b"call ")
    reset(client)
    assert jail.close_of(peer, before)["reason"] == "done"
    jail.expect_nothing_has_happened()


def test_each_is_counted(handlers):
    server = handlers("--sandbox", "auto", "-s", 0, "escapes")
    for line in (b"fork-by-libc\n", b"openat\n", b"socket\n", b"call-gate\n"):
        server.ask(line)
    server.wait_log(event="close", count=4)
    totals = server.totals()
    assert (totals["crash-sandbox"], totals["crash-signal"]) == ("3", "1")


TIMEOUTS = [], ["--idle-timeout", 9000], ["--session-timeout", 9000]
KINDS = ["-s", 0], ["-s", 1], ["-s", 1, "-r", ALWAYS]


@pytest.mark.parametrize("timeouts", TIMEOUTS, ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("zone", [None, "UTC", ":/etc/localtime"])
def test_honest_work_goes_on(handlers, monkeypatch, timeouts, kind, zone):
    """Memory, time, output into memory, the connection's descriptor."""
    monkeypatch.delenv("TZ", raising=False)
    if zone is not None:
        monkeypatch.setenv("TZ", zone)
    server = handlers("--sandbox", "auto", *kind, *timeouts, "works", env=None)
    for number in (1, 2):
        assert server.ask(b"go\n") == b"hello\ndone"
        close = server.wait_log(event="close", conn=number)[0]
        assert (close["reason"], close["bytes_in"], close["bytes_out"]) == ("done", "3", "10")


def test_bytes_moved_on_the_descriptor_are_counted(handlers):
    """TCP_INFO, and the amount of unread input, are available in the sandbox too."""
    server = handlers("--sandbox", "auto", "borrower")
    assert server.ask(b"x" * 1000) == b"x" * 1000
    close = server.wait_log(event="close")[0]
    assert (close["reason"], close["bytes_in"], close["bytes_out"]) == ("done", "1000", "1000")


def test_a_handler_is_told_that_there_is_no_more_memory(handlers):
    """malloc(3) tries other calls first, and all of them are allowed."""
    limit = ["prlimit", f"--as={300 << 20}"]
    server = handlers("--sandbox", "auto", "-n", 4, "escapes", under=limit)
    assert re.search(rb"\ndone \d+ 0\n$", server.ask(b"exhaust\n"))
    assert server.wait_log(event="close")[0]["reason"] == "done"


@pytest.mark.parametrize("line, reason, reap", [
    ("send-nothing", "done", {"status": "0"}),
    ("send-noise", "crash-signal", {"signal": "KILL"}),
    ("send-descriptors", "crash-sandbox", {"status": "107"}),
])  # fmt: skip
def test_nonsense_on_the_channel_ends_only_its_worker(handlers, line, reason, reap):
    server = handlers("--sandbox", "auto", "-s", 1, "-r", ALWAYS, "escapes")
    server.ask(line.encode() + b"\n")
    close = server.wait_log(event="close")[0]
    assert close["reason"] == reason
    assert reap.items() <= server.wait_log(event="reap", pid=close["pid"])[0].items()
    assert server.ask(b"getppid\n").endswith(b"done %d 0\n" % server.pid)


def test_a_worker_that_takes_nobody_it_is_given_does_not_stop_the_others(handlers):
    """It reports again and again that it is free, until its channel is full."""
    server = handlers("--sandbox", "auto", "-s", 0, "-r", ALWAYS, "-n", 3, "escapes")
    liar = server.connect()
    liar.sendall(b"lie\n")
    assert liar.recv(100).startswith(b"call -1")
    pid = server.wait_log(event="serve", conn=1)[0]["pid"]
    for number in range(2, 2000):
        liar.sendall(b"!")
        pattern = rf"event=close conn={number - 1} "
        eventually(lambda: re.search(pattern, server.log_text()), "it", interval=0.001)
        client = server.connect()
        pattern = rf"event=serve conn={number} pid=(\d+)\n"
        serve = eventually(lambda: re.search(pattern, server.log_text()), "a process",
                           interval=0.001)  # fmt: skip
        if serve[1] != pid:
            break
    client.sendall(b"getppid\n")
    assert receive_all(client).endswith(b"done %d 0\n" % server.pid)
    assert server.wait_log(event="reap", pid=pid)[0]["signal"] == "KILL"
    assert server.log_lines(event="fork-failed") == []


def test_no_descriptor_comes_in_from_a_client(handlers, tmp_path):
    """Since Linux 6.16: unix(7), SO_PASSRIGHTS."""
    listen = [f"unix:{tmp_path}/socket"]
    server = handlers("--sandbox", "auto", "escapes", listen=listen)
    client = server.connect()
    try:
        client.getsockopt(socket.SOL_SOCKET, 83)
    except OSError:
        pytest.skip("this kernel cannot forbid it")
    client.sendall(b"receive-descriptor\n")
    assert client.recv(100).startswith(b"call ")
    with pytest.raises(PermissionError):
        socket.send_fds(client, [b"x"], [0])
    client.sendall(b"x")
    assert receive_all(client) == b"done 0 0\n"
