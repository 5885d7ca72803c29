"""A server made of Python functions, for the programs under test that are clients."""

import contextlib
import socket
import threading

from harness import PATIENCE, eventually
from sockets import MEBI, bound, receive_all


class Peer(threading.Thread):
    """Serves each connection with the next of some functions, each in a thread.

    serve: functions of the peer and the connection, used in turn. listener: a bound
    socket instead of one of its own. tolerates: exceptions that are not failures.
    """

    def __init__(self, *serve, listener=None, tolerates=()):
        super().__init__(daemon=True)
        self.serve, self.tolerates = serve, tolerates
        self.sources = []  # the clients' addresses, in the order in which they came
        self.results = []  # what the functions returned, in the order of their ends
        self.failures = []
        self.threads = []
        self.may_go_on = threading.Event()  # set by a test, and at the end
        self.listener = listener or bound(socket.AF_INET, ("127.0.0.1", 0))
        self.listener.listen(1024)
        name = self.listener.getsockname()
        self.port = name if isinstance(name, str) else name[1]
        self.address = f"127.0.0.1:{self.port}"

    def run(self):
        with contextlib.suppress(OSError):  # the listener is shut down at the end
            while True:
                conn, source = self.listener.accept()
                function = self.serve[len(self.sources) % len(self.serve)]
                self.sources.append(source[0] if source else "")
                thread = threading.Thread(target=self._handle, args=(conn, function))
                self.threads.append(thread)
                thread.start()

    def _handle(self, conn, function):
        try:
            with conn, contextlib.suppress(*self.tolerates):
                conn.settimeout(PATIENCE)
                self.results.append(function(self, conn))
        except Exception as failure:
            self.failures.append(failure)

    def got(self):
        """Wait until the first connection is served; return its function's result."""
        eventually(lambda: self.results or self.failures, "a connection served")
        assert self.failures == []
        return self.results[0]

    def await_go(self):
        """For functions: wait until the test lets them go on."""
        assert self.may_go_on.wait(PATIENCE), "the test does not let it go on"

    def stop(self):
        self.may_go_on.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join(PATIENCE)
        self.listener.close()
        for thread in self.threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in (self, *self.threads))
        assert self.failures == []


@contextlib.contextmanager
def peers(tolerates=()):
    """A factory of running peers, which are stopped; their failures fail the test."""
    started = []

    def start(*serve, listener=None):
        started.append(Peer(*serve, listener=listener, tolerates=tolerates))
        started[-1].start()
        return started[-1]

    yield start
    for peer in started:
        peer.stop()


def echo(peer, conn):
    while part := conn.recv(MEBI):
        conn.sendall(part)


def collect(peer, conn):
    return receive_all(conn)


def never_answer(peer, conn):
    peer.await_go()
