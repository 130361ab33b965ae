"""A server that says exactly the bytes a test wants, in the pieces it wants, on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def chunked(*bodies: bytes, head: bytes = HEAD) -> list[bytes]:
    """Return an HTTP answer, one piece a body, ended properly."""
    frames = [b"%x\r\n%b\r\n" % (len(body), body) for body in bodies]
    return [head + b"Transfer-Encoding: chunked\r\n\r\n", *frames, b"0\r\n\r\n"]


@contextmanager
def canned(pieces: Iterable[bytes], hold: bool = False) -> Iterator[str]:
    """Answer one request on each connection with `pieces`, each sent by itself; then close, or
    hold the connection open. Yields the base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []
        thread = Thread(target=_serve, args=(listener, pieces, connections if hold else None))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for sock in connections:
                sock.close()
            thread.join(10)


def _serve(
    listener: socket.socket, pieces: Iterable[bytes], connections: list[socket.socket] | None
) -> None:
    with suppress(OSError):  # the test is over
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _answer(sock, pieces)
            if connections is None:
                sock.close()
            else:
                connections.append(sock)


def _answer(sock: socket.socket, pieces: Iterable[bytes]) -> None:
    request = b""
    while b"\r\n\r\n" not in request and (data := sock.recv(65536)):
        request += data
    with suppress(OSError):  # the client has had enough
        for piece in pieces:
            sock.sendall(piece)
