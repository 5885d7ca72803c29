"""What tests do with a socket: receive, exchange, reset; and addresses to bind."""

import contextlib
import fcntl
import re
import socket
import struct
import termios
import threading

MEBI = 1 << 20


def receive_all(client):
    """Everything up to the end of file."""
    parts = []
    while part := client.recv(MEBI):
        parts.append(part)
    return b"".join(parts)


def receive_exactly(client, length):
    parts = []
    while length > 0:
        part = client.recv(min(length, MEBI))
        assert part, f"end of file, {length} bytes too early"
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def exchange(client, data):
    """Send data and then the end of file, receiving at the same time."""

    def send():
        with contextlib.suppress(OSError):  # the receiver reports what was wrong
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return receive_all(client)
    finally:
        sender.join()


def echoes(client, data=b"here\n"):
    """Whether one exchange works on a connection that stays open."""
    client.sendall(data)
    return receive_exactly(client, len(data)) == data


def reset(client):
    """End a connection with RST, as a process that crashed does."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def waiting_bytes(fd):
    """How many bytes can be read from a pipe, a terminal or a socket now."""
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def family_and_address(text):
    """The arguments for connect(), from a line of --ready-fd."""
    if text.startswith("unix:"):
        return socket.AF_UNIX, re.sub("^@", "\0", text[5:])
    host, port = text.rsplit(":", 1)
    host = host.strip("[]")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))


def bound(family, address):
    """A socket with an address that no other socket gets; it refuses clients."""
    sock = socket.socket(family)
    try:
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def bound_pair():
    """Two sockets with the same port, on ::1 and on 127.0.0.1."""
    while True:
        first = bound(socket.AF_INET6, ("::1", 0))
        try:
            return first, bound(socket.AF_INET, ("127.0.0.1", first.getsockname()[1]))
        except OSError:
            first.close()
