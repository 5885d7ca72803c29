"""Servers of examples/chapter and its subdirectories: started,
talked to, and all ended."""

import contextlib
import os
import re
import socket
import subprocess

from harness import BUILD, PATIENCE, no_strays
from proc import children

PROGRAMS = BUILD / "examples" / "chapter"


class ChapterServer:
    """A server that prints the port on which it listens."""

    def __init__(self, path, arguments, **popen):
        words = [path, "0", *arguments]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, **popen)
        self.pid = self.process.pid
        self.clients = []
        line = self.line()
        match = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
        assert match, f"{path} printed {line!r}"
        self.port = int(match[1])

    def line(self):
        return self.process.stdout.readline().decode()

    def rest(self):
        """What it still prints until its end."""
        return self.process.stdout.read().decode()

    def connect(self):
        address = ("127.0.0.1", self.port)
        client = socket.create_connection(address, timeout=PATIENCE)
        self.clients.append(client)
        return client

    def end(self):
        for client in self.clients:
            client.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def chapter_servers(folder):
    """A factory of servers; none of their processes may be left at the end."""
    before = set(children(os.getpid()))
    started = []

    def start(name, *arguments, **popen):
        started.append(ChapterServer(PROGRAMS / folder / name, arguments, **popen))
        return started[-1]

    try:
        yield start
    finally:
        for server in started:
            server.end()
        no_strays(before, PATIENCE)
