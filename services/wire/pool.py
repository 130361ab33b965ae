"""Connections to one server: opened before they are needed, kept while requests use them."""

from __future__ import annotations

import asyncio
from collections import deque
from errno import EADDRNOTAVAIL, EAFNOSUPPORT, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH

from services.wire.limits import connects_at_once
from services.wire.route import Route
from services.wire.stream import Address, Stream

# Nothing answers at an address, or no way leads there: another one of the host may be better.
NOBODY_THERE = (ECONNREFUSED, ENETUNREACH, EHOSTUNREACH)
NO_IPV6 = (EADDRNOTAVAIL, EAFNOSUPPORT)  # what a machine without IPv6 says of ::1


class Pool:
    def __init__(self, route: Route, connect_timeout_s: float) -> None:
        self._route = route
        self._timeout_s = connect_timeout_s
        self._addresses: list[Address] = []  # the one that answered last first
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
        """Open a connection to the first of the host's addresses at which something answers.

        Raises:
            OSError: nothing answers at any of them, or not in time (TimeoutError).
        """
        self._addresses = self._addresses or await self._route.look_up()
        addresses = self._addresses  # others may connect meanwhile, and change the order
        async with asyncio.timeout(self._timeout_s):
            try:
                return await Stream.connect(addresses[0])
            except OSError as error:
                if error.errno not in NOBODY_THERE or len(addresses) == 1:
                    raise
                return await self._connect_elsewhere(addresses, error)

    async def _connect_elsewhere(self, addresses: list[Address], first: OSError) -> Stream:
        """Connect to one of the other addresses, and prefer it from now on. None is given up: a
        server that restarts refuses for a while.

        Raises:
            OSError: the `first` error if nothing answers at any of them, because that is about the
                address that is preferred; or an answer that is of no use, such as a certificate.
        """
        for address in addresses[1:]:
            try:
                stream = await Stream.connect(address)
            except OSError as error:
                if error.errno not in (*NOBODY_THERE, *NO_IPV6):
                    raise
                continue
            self._addresses = [address, *(other for other in addresses if other != address)]
            return stream
        raise first

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
