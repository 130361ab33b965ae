"""Round trips by UDP between a driver and a node, which are faster than Ray's own calls.

A node's echo knows a token, which was sent through Ray. It only answers packets that begin with
that token, with as many bytes, so a stranger learns nothing from it. If a firewall blocks UDP,
Ray's calls are used.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from time import perf_counter_ns

from services.load.nodes.clocks import RoundTrip

TOKEN_BYTES = 16
ANSWER_S = 0.2
MAX_UNANSWERED = 4
_FORMAT = struct.Struct(f"!{TOKEN_BYTES}sQq")  # token, number, stamp


class Echo(asyncio.DatagramProtocol):
    """Answers questions with this machine's monotonic time."""

    def __init__(self, token: bytes) -> None:
        self._token = token

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        stamp = perf_counter_ns()
        if len(data) == _FORMAT.size and data.startswith(self._token):
            _, number, _ = _FORMAT.unpack(data)
            self._transport.sendto(_FORMAT.pack(self._token, number, stamp), address)


async def open_echo(token: bytes, host: str) -> tuple[asyncio.DatagramTransport, int]:
    """Answer on a free port of `host` until the transport is closed; return it and the port. Raises
    OSError."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Echo(token), local_addr=(host, 0))
    port: int = transport.get_extra_info("sockname")[1]
    return transport, port


def round_trips(token: bytes, host: str, port: int, count: int) -> Iterator[RoundTrip]:
    """Yield up to `count` round trips to an echo; fewer if answers are lost."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(ANSWER_S)
        asking.connect((host, port))
        unanswered = 0
        for number in range(count):
            sent = perf_counter_ns()
            try:
                asking.send(_FORMAT.pack(token, number, 0))
                answer = asking.recv(_FORMAT.size + 1)
            except OSError:  # lost, late or refused
                unanswered += 1
                if unanswered == MAX_UNANSWERED:
                    return
                continue
            received = perf_counter_ns()
            if len(answer) == _FORMAT.size and answer.startswith(token):
                _, answered, stamp = _FORMAT.unpack(answer)
                if answered == number:  # else it is the late answer to an earlier message
                    yield RoundTrip(sent, stamp, received)
