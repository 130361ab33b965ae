"""A connection carries another request only if the one before was sent and answered whole."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from services.wire import Timeouts, Wire
from services.wire.exchange import Exchange

REFUSAL = b"HTTP/1.1 429 Slow Down\r\nContent-Length: 4\r\n\r\nslow"


@contextmanager
def refusing_early() -> Iterator[tuple[str, list[socket.socket]]]:
    """A server that refuses a request when it has its head, and then discards its body, as nginx
    does with `limit_req`. Yields the URL, and the list of its connections."""
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):  # the test is over
                while True:
                    sock, _ = listener.accept()
                    connections.append(sock)
                    sock.recv(1024)
                    sock.sendall(REFUSAL)

        thread = Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", connections
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for sock in connections:
        sock.close()


def test_a_connection_that_carries_part_of_a_request_is_not_used_again() -> None:
    async def two(wire: Wire) -> list[Exchange]:
        body = wire.request({"messages": [{"content": "x" * 20_000_000}]})
        return [await wire.ask(body, 0, lambda: 9, ()) for _ in range(2)]

    with refusing_early() as (url, connections):
        wire = Wire(url, timeouts=Timeouts(3.0))
        seen = asyncio.run(two(wire))
        wire.close()
    assert [exchange.error for exchange in seen] == ["HTTP 429: slow"] * 2
    assert len(connections) == 2
