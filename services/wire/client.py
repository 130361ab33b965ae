"""The client: one streamed chat completion over HTTP/1.1, timed by the kernel's receive stamps.

Request bytes are built beforehand, connections are opened before they are due, and a read is
stamped before anything is parsed. Nothing is retried and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from errno import EADDRNOTAVAIL, EMFILE, ENFILE
from functools import partial
from time import perf_counter_ns

from services.ask.backends.trust import why_untrusted
from services.base.fault import fault
from services.base.redact import Secret
from services.wire.exchange import Exchange, settling
from services.wire.in_flight import InFlight
from services.wire.pool import Pool
from services.wire.readers import Readers
from services.wire.route import Fitting, Route
from services.wire.stream import Stream
from services.wire.timeouts import Timeouts

DONE_GRACE_S = 0.5  # how long a body may stay open after [DONE]
GIVEN_UP_NS = 250_000_000  # a connection that breaks later than this was at work on the request
SPIN_NS = 1_500_000  # the loop's timer is a millisecond coarse; the rest is waited actively


class Wire:
    """Sends requests to one server and keeps its connections."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        timeouts: Timeouts | None = None,
        proxy: str | None = None,
        fitting: Fitting | None = None,
    ) -> None:
        self._route = Route(url, key, proxy, fitting)
        timeouts = timeouts or Timeouts()
        self._pool = Pool(self._route, min(timeouts.connect_s, timeouts.total_s))
        self._readers = Readers()
        self.in_flight = InFlight(timeouts)

    @property
    def kernel_clock(self) -> bool:
        """Whether arrivals are stamped by the kernel."""
        return self._pool.kernel_clock

    def request(self, body: dict[str, object]) -> bytes:
        """Build the bytes of one request."""
        return self._route.request(body)

    async def open(self, count: int) -> None:
        """Open `count` connections beforehand; those that fail are left to their requests.

        Raises:
            OSError: there is no such host.
        """
        self.in_flight.stopped = False
        await self._pool.fill(count)

    async def ask(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[Secret, ...]
    ) -> Exchange:
        """Send `body` (made by `request`) at `due_ns`; return its exchange when it is over.

        `more()` tells how many requests still want a connection. What is not wanted is closed at
        once: a server that gives each connection a thread starves behind idle ones.
        """
        exchange, given_up = await self._once(body, due_ns, more, secrets)
        if given_up and not exchange.cancelled and not self.in_flight.stopped:
            # The server had closed an idle connection while the request was on its way: it never
            # saw the request, so this is no retry (RFC 9112, 9.3.1).
            self._pool.forget()
            exchange, _ = await self._once(body, due_ns, more, secrets)
        return exchange

    def close(self) -> None:
        self._pool.forget()
        self._readers.close()
        self.in_flight.close()

    async def _once(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[Secret, ...]
    ) -> tuple[Exchange, bool]:
        """Send once; return the exchange, and whether a used connection was given up unheard."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        exchange = Exchange(settling(over), (*secrets, *self._route.secrets))
        began_ns = max(due_ns, perf_counter_ns())
        self.in_flight.begin(exchange)
        given_up = False
        try:
            stream = await self._connection(exchange, due_ns)
            try:
                await self._exchange(stream, exchange, body, over)
            finally:
                given_up = stream.used and exchange.unheard and _at_once(exchange)
                self._readers.remove(stream.fileno())
                self._pool.give_back(stream, exchange.reusable and more() > len(self._pool))
        except OSError as error:
            exchange.sent = exchange.sent or began_ns  # that is when it was tried
            exchange.fail(*_no_connection(error, self._route.whom), perf_counter_ns())
        finally:
            exchange.forget()
            self.in_flight.end(exchange)
        return exchange, given_up

    async def _connection(self, exchange: Exchange, due_ns: int) -> Stream:
        """Return a connection when the request is due: an open one, or a new one."""
        stream = self._pool.idle() or await self._fresh(exchange)
        await wait_until(due_ns)
        if stream.used and stream.ended():
            stream.close()
            stream = await self._fresh(exchange)
        return stream

    async def _fresh(self, exchange: Exchange) -> Stream:
        stream = await self._pool.fresh()
        exchange.connect_s = stream.connect_s
        return stream

    async def _exchange(
        self, stream: Stream, exchange: Exchange, body: bytes, over: asyncio.Future[None]
    ) -> None:
        """Send, and wait for the end, which may come before all is sent."""
        if exchange.over:  # cancelled before it was due
            return
        self._readers.add(stream.fileno(), partial(self._readable, stream, exchange))
        exchange.sent = perf_counter_ns()
        try:
            exchange.sent, rest = stream.begin(body)
            if rest:
                await self._send_on(stream, rest, over)
        except OSError as error:
            self._readable(stream, exchange)  # a server that refuses early has said why
            exchange.fail("connect", _broken(error), perf_counter_ns())
        await over

    async def _send_on(self, stream: Stream, rest: bytes, over: asyncio.Future[None]) -> None:
        sending = asyncio.create_task(stream.rest(rest))
        await asyncio.wait([sending, over], return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
        else:  # the server does not take the request
            sending.cancel()

    def _readable(self, stream: Stream, exchange: Exchange) -> None:
        if exchange.unpacking:  # what has come is read first
            return
        try:
            stamp, data = stream.receive()
        except BlockingIOError:
            return
        except OSError as error:
            kind = "connect" if exchange.http_status is None else "stream_error"
            exchange.fail(kind, _broken(error), perf_counter_ns())
            self._readers.remove(stream.fileno())
            return
        if not data:
            exchange.eof(stamp)
            self._readers.remove(stream.fileno())
            return
        self._read(stream, exchange, stamp, data)

    def _read(self, stream: Stream, exchange: Exchange, stamp: int, data: bytes) -> None:
        try:
            exchange.read(stamp, data)
        except Exception as error:  # a fault of ours: told once, by this request, not at each read
            exchange.fail("stream_error", fault(error), stamp)
        if exchange.over:
            self._readers.remove(stream.fileno())
        elif exchange.unpacking:  # timeouts, a cancel and the others are looked at in between
            asyncio.get_running_loop().call_soon(self._read_on, stream, exchange, stamp)
        elif exchange.done_but_open:
            asyncio.get_running_loop().call_later(DONE_GRACE_S, exchange.eof, stamp)

    def _read_on(self, stream: Stream, exchange: Exchange, stamp: int) -> None:
        if not exchange.over:
            self._read(stream, exchange, stamp, b"")


async def wait_until(due_ns: int) -> None:
    """Sleep until `due_ns` of `perf_counter_ns`, letting the loop run meanwhile."""
    while (left := due_ns - perf_counter_ns()) > 0:  # noqa: ASYNC110  a clock sets no event
        await asyncio.sleep(max(0.0, (left - SPIN_NS) / 1e9))


def _at_once(exchange: Exchange) -> bool:
    return (exchange.ended or 0) - (exchange.sent or 0) < GIVEN_UP_NS


def _broken(error: OSError) -> str:
    return f"The connection broke: {error.strerror or error}."


def _no_connection(error: OSError, whom: str) -> tuple[str, str]:
    """Return the error class and the sentence of a connection that could not be had."""
    if isinstance(error, TimeoutError):
        return "timeout_connect", f"No connection to {whom} in time."
    if isinstance(error, ConnectionRefusedError):
        return "connect", f"Nothing answers on {whom}."
    if isinstance(error, ssl.SSLCertVerificationError):
        return "connect", f"No connection to {whom}: {why_untrusted(error)}"
    if error.errno in _LACKS:
        return "connect", f"This machine has no {_LACKS[error.errno]} left for a connection."
    return "connect", f"No connection to {whom}: {error.strerror or error}."


_LACKS = {EADDRNOTAVAIL: "port", EMFILE: "file", ENFILE: "file"}
