"""A connection of the reference server whose reads bring the kernel's stamps."""

from __future__ import annotations

import asyncio
import json
import socket
from time import perf_counter_ns
from typing import Any

from services.load.reference import Reference
from services.wire.clock import ANCILLARY_BYTES, received_ns

READ_BYTES = 2**18
EVENT_ENDS = b"\n\n\r\n"  # and that of its HTTP chunk
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "ref"}
OPENING = b"data: " + json.dumps(CHUNK)[:-1].encode() + b", "


class Stamped(Reference):
    """Logs `arrived`: nanoseconds of the monotonic clock, of the request's last segment.

    Its events name their type, as those of real servers do: some tools ignore others.
    """

    arrived_ns = 0

    def chat(self, headers: dict[str, str], request: dict[str, Any]) -> None:
        super().chat(headers, request)
        self.entry["arrived"] = self.arrived_ns

    def event(self, sent: int, count: int) -> bytes:
        return OPENING + super().event(sent, count).removeprefix(b"data: {")

    def raw(self, event: bytes) -> None:
        super().raw(OPENING + event.removeprefix(b"data: {"))


class Line:
    """One connection: like an asyncio transport, but with the kernel's timestamp for each read."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.waiting = b""
        self.written = self.known = 0  # bytes, and the number of tokens of this request in them
        self.kept: dict[int, int] = {}  # token → bytes written once it is sent
        self.protocol = Stamped()
        self.times: list[int] = []
        self.protocol.times = self.times
        self.protocol.connection_made(self)
        self.loop.add_reader(sock, self.read)

    def read(self) -> None:
        try:
            data, ancillary, _, _ = self.sock.recvmsg(READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:  # reset by the client
            data, ancillary = b"", []
        if not data:
            self.close()
            return
        self.protocol.arrived_ns = received_ns(ancillary) or perf_counter_ns()
        self.protocol.data_received(data)

    def write(self, data: bytes) -> None:
        """Send; keep what the kernel has no room for. The time of a kept token is when it is
        sent."""
        before = self.written
        self.waiting += data
        self.written += len(data)
        if len(self.waiting) == len(data):
            self.flush()
        taken, end = self.written - len(self.waiting) - before, 0
        if self.times is not self.protocol.times:  # the connection's next request
            self.times, self.known = self.protocol.times, 0
        tokens, self.known = range(self.known, len(self.times)), len(self.times)
        if self.waiting:
            for token in tokens:
                end = data.index(EVENT_ENDS, end) + len(EVENT_ENDS)
                if end > taken:
                    self.kept[token] = before + end

    def flush(self) -> None:
        try:
            self.waiting = self.waiting[self.sock.send(self.waiting) :]
        except BlockingIOError:
            pass  # the writer below is called when there is room
        except OSError:
            self.close()
            return
        taken, now = self.written - len(self.waiting), perf_counter_ns()
        for token in [token for token, end in self.kept.items() if end <= taken]:
            self.times[token] = now
            del self.kept[token]
        if self.waiting:
            self.loop.add_writer(self.sock, self.flush)
        else:
            self.loop.remove_writer(self.sock)

    def close(self) -> None:
        self.loop.remove_reader(self.sock)
        self.loop.remove_writer(self.sock)
        self.protocol.connection_lost(None)
        self.sock.close()
