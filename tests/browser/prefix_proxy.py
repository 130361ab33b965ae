"""A reverse proxy that serves the app below a path, as docs/operate.md configures nginx to: it cuts
the path, and keeps the Host header and websockets."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

PREFIX = "/paceline"
OUTSIDE = b"HTTP/1.1 404 Outside\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Server(ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@contextmanager
def served_below_a_path(port: int) -> Iterator[str]:
    """Yield the address below which the app at a port is served."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := client.recv(65_536)):
                    return
                head += more
            line, rest = head.split(b"\r\n", 1)
            method, path, version = line.split(b" ")
            if not path.startswith(f"{PREFIX}/".encode()):
                client.sendall(OUTSIDE)
                return
            if b"upgrade: websocket" not in rest.lower():  # one request per connection
                rest = re.sub(rb"(?i)connection: keep-alive", b"Connection: close", rest)
            with socket.create_connection(("127.0.0.1", port)) as app:
                app.sendall(b" ".join((method, path[len(PREFIX) :], version)) + b"\r\n" + rest)
                back = Thread(target=pipe, args=(app, client), daemon=True)
                back.start()
                pipe(client, app)
                back.join()

    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}{PREFIX}"
        server.shutdown()


def pipe(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # one side has closed
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
