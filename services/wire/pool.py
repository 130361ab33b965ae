"""Connections to one server: opened before they are needed, kept while requests use them."""

from __future__ import annotations

import asyncio
from collections import deque

from services.wire.limits import connects_at_once
from services.wire.route import Route
from services.wire.stream import Address, Stream


class Pool:
    def __init__(self, route: Route, connect_timeout_s: float) -> None:
        self._route = route
        self._timeout_s = connect_timeout_s
        self._addresses: list[Address] = []
        self._idle: deque[Stream] = deque()
        self.kernel_clock = True  # whether every connection so far has it

    def __len__(self) -> int:
        return len(self._idle)

    async def fill(self, count: int) -> None:
        """Open `count` connections; those that fail are left for their requests to open.

        Raises:
            OSError: the host cannot be found.
        """
        self.close_idle()
        self._addresses = await self._route.look_up()
        remaining = iter(range(count))
        refused = False

        async def open_some() -> None:
            nonlocal refused
            for _ in remaining:
                if refused:
                    return
                try:
                    self._idle.append(await self.connect())
                except OSError:  # a request that needs it gets the same error and reports it
                    refused = True

        await asyncio.gather(*(open_some() for _ in range(min(count, connects_at_once()))))

    def take_idle(self) -> Stream | None:
        """Return an open idle connection, or None."""
        while self._idle:
            stream = self._idle.popleft()
            if not stream.ended():
                return stream
            stream.close()
        return None

    async def connect(self) -> Stream:
        """Open a connection.

        Raises:
            OSError: nothing answers, or not in time (TimeoutError).
        """
        self._addresses = self._addresses or await self._route.look_up()
        async with asyncio.timeout(self._timeout_s):
            while len(self._addresses) > 1:
                try:
                    return await Stream.connect(self._addresses[0])
                except ConnectionRefusedError:  # e.g. on ::1: use the next address from now on
                    self._addresses = self._addresses[1:]
            return await Stream.connect(self._addresses[0])

    def give_back(self, stream: Stream, keep: bool) -> None:
        stream.used = True
        self.kernel_clock = self.kernel_clock and stream.kernel_clock
        if keep:
            self._idle.append(stream)
        else:
            stream.close()

    def close_idle(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()
