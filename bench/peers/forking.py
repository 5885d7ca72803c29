"""Peer: echo on Python's ForkingTCPServer, a process for each connection."""

import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    request_queue_size = 4096  # 5 by default, which loses connections
    max_children = 20000  # 40 by default, and then no more clients are served
    block_on_close = False


Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
