"""Connections to one server: opened before they are due, kept while somebody wants them."""

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
        self.kernel_clock = True  # on every connection so far

    def __len__(self) -> int:
        return len(self._idle)

    async def fill(self, count: int) -> None:
        """Open `count` connections; those that fail are left to their requests.

        Raises:
            OSError: there is no such host.
        """
        self.forget()
        self._addresses = await self._route.look_up()
        left = iter(range(count))
        refused = False

        async def some() -> None:
            nonlocal refused
            for _ in left:
                if refused:
                    return
                try:
                    self._idle.append(await self.fresh())
                except OSError:  # a request that needs it meets the same error, and reports it
                    refused = True

        await asyncio.gather(*(some() for _ in range(min(count, connects_at_once()))))

    def idle(self) -> Stream | None:
        """Take a connection that is open already; None: there is none."""
        while self._idle:
            stream = self._idle.popleft()
            if not stream.ended():
                return stream
            stream.close()
        return None

    async def fresh(self) -> Stream:
        """Open one.

        Raises:
            OSError: nothing answers; TimeoutError (one of them): not in time.
        """
        self._addresses = self._addresses or await self._route.look_up()
        async with asyncio.timeout(self._timeout_s):
            while len(self._addresses) > 1:
                try:
                    return await Stream.connect(self._addresses[0])
                except ConnectionRefusedError:  # on ::1 only, say: all others follow
                    self._addresses = self._addresses[1:]
            return await Stream.connect(self._addresses[0])

    def give_back(self, stream: Stream, keep: bool) -> None:
        stream.used = True
        self.kernel_clock = self.kernel_clock and stream.kernel_clock
        if keep:
            self._idle.append(stream)
        else:
            stream.close()

    def forget(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()
