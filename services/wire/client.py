"""The client: one streamed chat completion over HTTP/1.1, timed by the kernel's receive timestamps.

Request bytes are built in advance, connections are opened before they are needed, and a read is
timestamped before anything is parsed. Nothing is retried and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from errno import EADDRNOTAVAIL, EMFILE, ENFILE
from functools import partial
from time import perf_counter_ns

import orjson

from services.ask.backends.trust import why_untrusted
from services.base.fault import fault
from services.base.redact import Secret
from services.wire.exchange import Exchange, completion_callback
from services.wire.in_flight import InFlight
from services.wire.pool import Pool
from services.wire.readable import ReadableCallbacks
from services.wire.route import Fitting, Route
from services.wire.stream import Stream
from services.wire.timeouts import Timeouts

DONE_GRACE_S = 0.5  # how long a body may stay open after [DONE]
IDLE_CLOSE_NS = 250_000_000  # when a connection breaks later, the server may have the request
SPIN_NS = 1_500_000  # the loop's timer has millisecond resolution; the rest is busy waiting


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
        self._readers = ReadableCallbacks()
        self.in_flight = InFlight(timeouts)

    @property
    def kernel_clock(self) -> bool:
        """Whether arrivals are stamped by the kernel."""
        return self._pool.kernel_clock

    def request(self, body: dict[str, object] | orjson.Fragment) -> bytes:
        """Return the bytes of one request."""
        return self._route.request(body)

    async def open(self, count: int) -> None:
        """Open `count` connections beforehand. If one fails, its request opens another.

        Raises:
            OSError: the host cannot be found.
        """
        self.in_flight.stopped = False
        await self._pool.fill(count)

    async def ask(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[Secret, ...]
    ) -> Exchange:
        """Send `body` (made by `request`) at `due_ns`; return its exchange when it has ended.
        `more()` returns how many requests still need a connection. Connections beyond that are
        closed at once, because idle ones starve a server that gives each connection a thread.
        """
        exchange, closed_while_idle = await self._send_once(body, due_ns, more, secrets)
        if closed_while_idle and not exchange.cancelled and not self.in_flight.stopped:
            # The server closed an idle connection while the request was on its way. It never saw
            # the request, so this is not a retry (RFC 9112, 9.3.1).
            self._pool.close_idle()
            exchange, _ = await self._send_once(body, due_ns, more, secrets)
        return exchange

    def close(self) -> None:
        self._pool.close_idle()
        self._readers.close()
        self.in_flight.close()

    async def _send_once(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[Secret, ...]
    ) -> tuple[Exchange, bool]:
        """Send once; return the exchange, and whether the server closed the idle connection without
        answering."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        exchange = Exchange(completion_callback(over), (*secrets, *self._route.secrets))
        began_ns = max(due_ns, perf_counter_ns())
        self.in_flight.begin(exchange)
        closed_while_idle = False
        try:
            stream = await self._connection_when_due(exchange, due_ns)
            try:
                await self._send_and_wait(stream, exchange, body, over)
            finally:
                closed_while_idle = (
                    stream.used and exchange.unanswered and _ended_immediately(exchange)
                )
                self._readers.remove(stream.fileno())
                reusable = exchange.reusable and not stream.part_sent
                self._pool.give_back(stream, reusable and more() > len(self._pool))
        except OSError as error:
            exchange.sent = exchange.sent or began_ns  # when connecting began
            exchange.fail(*_connect_failure(error, self._route.peer), perf_counter_ns())
        finally:
            exchange.release()
            self.in_flight.end(exchange)
        return exchange, closed_while_idle

    async def _connection_when_due(self, exchange: Exchange, due_ns: int) -> Stream:
        """Wait until the request is due; return an idle connection, or a new one."""
        stream = self._pool.take_idle() or await self._connect(exchange)
        await wait_until(due_ns)
        if stream.used and stream.ended():
            stream.close()
            stream = await self._connect(exchange)
        return stream

    async def _connect(self, exchange: Exchange) -> Stream:
        stream = await self._pool.connect()
        exchange.connect_s = stream.connect_s
        return stream

    async def _send_and_wait(
        self, stream: Stream, exchange: Exchange, body: bytes, over: asyncio.Future[None]
    ) -> None:
        """Send, and wait for the end of the exchange, which may come before all is sent."""
        if exchange.over:  # cancelled before it was due
            return
        self._readers.add(stream.fileno(), partial(self._on_readable, stream, exchange))
        exchange.sent = perf_counter_ns()
        try:
            exchange.sent, rest = stream.begin(body)
            if rest:
                await self._send_rest(stream, rest, over)
        except OSError as error:
            stream.part_sent = True
            self._on_readable(stream, exchange)  # a server that refuses early may have said why
            exchange.fail("connect", _broken_message(error), perf_counter_ns())
        await over

    async def _send_rest(self, stream: Stream, rest: bytes, over: asyncio.Future[None]) -> None:
        sending = asyncio.create_task(stream.send_rest(rest))
        try:
            await asyncio.wait([sending, over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not sending.done():  # the server ended the exchange before it read the request
                stream.part_sent = True
                sending.cancel()
                await asyncio.wait([sending])  # it lets go of the socket, which is about to close
        if not sending.cancelled():
            sending.result()

    def _on_readable(self, stream: Stream, exchange: Exchange) -> None:
        if exchange.decompressing:  # process what has come first
            return
        try:
            stamp, data = stream.receive()
        except BlockingIOError:
            return
        except OSError as error:
            if exchange.done_but_open:  # the answer is complete, however its connection ends
                exchange.eof(perf_counter_ns())
            kind = "connect" if exchange.http_status is None else "stream_error"
            exchange.fail(kind, _broken_message(error), perf_counter_ns())  # unless already ended
            self._readers.remove(stream.fileno())
            return
        if not data:
            exchange.eof(stamp)
            self._readers.remove(stream.fileno())
            return
        self._read_data(stream, exchange, stamp, data)

    def _read_data(self, stream: Stream, exchange: Exchange, stamp: int, data: bytes) -> None:
        try:
            exchange.read(stamp, data)
        except Exception as error:  # a bug fails this request once, not at each read
            exchange.fail("stream_error", fault(error), stamp)
        if exchange.over:
            self._readers.remove(stream.fileno())
        elif exchange.decompressing:  # let timeouts, cancels and other requests run in between
            asyncio.get_running_loop().call_soon(self._continue_reading, stream, exchange, stamp)
        elif exchange.done_but_open:
            asyncio.get_running_loop().call_later(DONE_GRACE_S, _end_grace, exchange)

    def _continue_reading(self, stream: Stream, exchange: Exchange, stamp: int) -> None:
        if not exchange.over:
            self._read_data(stream, exchange, stamp, b"")


def _end_grace(exchange: Exchange) -> None:
    """End an exchange whose body stayed open: now, because its user has waited until now. Its last
    token keeps its own time."""
    exchange.eof(perf_counter_ns())


async def wait_until(due_ns: int) -> None:
    """Sleep until `perf_counter_ns` is `due_ns`, letting the loop run meanwhile."""
    while (left := due_ns - perf_counter_ns()) > 0:  # noqa: ASYNC110  a clock sets no event
        await asyncio.sleep(max(0.0, (left - SPIN_NS) / 1e9))


def _ended_immediately(exchange: Exchange) -> bool:
    return (exchange.ended or 0) - (exchange.sent or 0) < IDLE_CLOSE_NS


def _broken_message(error: OSError) -> str:
    return f"The connection broke: {error.strerror or error}."


def _connect_failure(error: OSError, peer: str) -> tuple[str, str]:
    """Return the error class and the message for a connection that could not be opened."""
    if isinstance(error, TimeoutError):
        return "timeout_connect", f"No connection to {peer} in time."
    if isinstance(error, ConnectionRefusedError):
        return "connect", f"Nothing answers at {peer}."
    if isinstance(error, ssl.SSLCertVerificationError):
        return "connect", f"No connection to {peer}: {why_untrusted(error)}"
    if error.errno in _EXHAUSTED:
        return "connect", f"This machine has no {_EXHAUSTED[error.errno]} left for a connection."
    return "connect", f"No connection to {peer}: {error.strerror or error}."


_EXHAUSTED = {EADDRNOTAVAIL: "port", EMFILE: "file", ENFILE: "file"}
