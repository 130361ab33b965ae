"""The client: one streamed chat completion over HTTP/1.1, timed by the kernel's receive stamps.

Request bytes are built beforehand, connections are opened before they are due, and a read is
stamped before anything is parsed. Nothing is retried and no redirect is followed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from urllib.parse import urlsplit

import orjson

from services.wire.exchange import Exchange
from services.wire.stream import Address, Stream, resolve

DONE_GRACE_S = 0.5  # how long a body may stay open after [DONE]
CONNECTS_AT_ONCE = 256
GIVEN_UP_NS = 250_000_000  # a connection that breaks later than this was at work on the request
SPIN_NS = 1_500_000  # the loop's timer is a millisecond coarse; the rest is waited actively


class Wire:
    """Sends requests to one backend and keeps its connections."""

    def __init__(self, base_url: str, key: str | None = None, timeout_s: float = 300.0) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._netloc = parts.netloc
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._key = key
        self._timeout_s = timeout_s
        self._address: Address | None = None
        self._idle: deque[Stream] = deque()
        self._live: set[Exchange] = set()
        self.kernel_clock = True

    def request(self, body: dict[str, object]) -> bytes:
        """Build the bytes of one request."""
        content = orjson.dumps(body)
        authorization = f"Authorization: Bearer {self._key}\r\n" if self._key else ""
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._netloc}\r\n{authorization}"
            "User-Agent: paceline\r\nAccept: text/event-stream\r\nAccept-Encoding: identity\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode("latin-1") + content

    async def open(self, count: int) -> None:
        """Open `count` connections beforehand; those that fail are left to their requests.

        Raises:
            OSError: there is no such host.
        """
        self._forget_idle()
        self._address = await resolve(self._host, self._port, self._tls)
        gate = asyncio.Semaphore(CONNECTS_AT_ONCE)
        refused = False

        async def one() -> None:
            nonlocal refused
            async with gate:
                if refused:
                    return
                try:
                    self._idle.append(await self._connect())
                except OSError:  # a request that needs it meets the same error, and reports it
                    refused = True

        await asyncio.gather(*(one() for _ in range(count)))

    async def ask(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[str, ...]
    ) -> Exchange:
        """Send `body` (made by `request`) at `due_ns`; return its exchange when it is over.

        `more()` tells how many requests still want a connection. What is not wanted is closed at
        once: a server that gives each connection a thread starves behind idle ones.
        """
        exchange, given_up = await self._try(body, due_ns, more, secrets)
        if given_up and not exchange.cancelled:
            # The server had closed an idle connection while the request was on its way: it never
            # saw the request, so this is no retry (RFC 9112, 9.3.1).
            self._forget_idle()
            exchange, _ = await self._try(body, due_ns, more, secrets)
        return exchange

    async def _try(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[str, ...]
    ) -> tuple[Exchange, bool]:
        """Send once; return the exchange, and whether a used connection was given up unheard."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        timer: asyncio.TimerHandle | None = None
        stream: Stream | None = None
        sending = False

        def on_end() -> None:
            ended.set()
            if sending and stream is not None:  # the server does not take the request
                stream.break_off()

        exchange = Exchange(on_end, secrets)
        self._live.add(exchange)
        try:
            stream = await self._take(exchange)
            await wait_until(due_ns)
            if stream.used and stream.ended():
                stream.close()
                stream = None
                stream = await self._fresh(exchange)
            if not exchange.over:
                timer = loop.call_later(self._timeout_s, self._expire, exchange)
                loop.add_reader(stream, self._readable, stream, exchange)
                exchange.sent = perf_counter_ns()
                sending = True
                exchange.sent = await stream.send(body)
                sending = False
            await ended.wait()
        except OSError as error:
            exchange.sent = exchange.sent or perf_counter_ns()
            exchange.fail("connect", _connect_sentence(error, self._netloc), perf_counter_ns())
        finally:
            self._live.discard(exchange)
            if timer is not None:
                timer.cancel()
            at_once = (exchange.ended or 0) - (exchange.sent or 0) < GIVEN_UP_NS
            given_up = stream is not None and stream.used and exchange.unheard and at_once
            self._give_back(stream, exchange.reusable and more() > len(self._idle))
        return exchange, given_up

    def stop(self) -> None:
        """End every request in flight as cancelled."""
        for exchange in list(self._live):
            exchange.cancel(perf_counter_ns())

    def in_flight(self) -> int:
        """Return how many requests have been sent and are not over."""
        return sum(exchange.sent is not None for exchange in self._live)

    def received(self) -> int:
        """Return how many token chunks the requests in flight have received so far."""
        return sum(len(exchange.token_times) for exchange in self._live)

    def close(self) -> None:
        self._forget_idle()

    def _forget_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _connect(self) -> Stream:
        if self._address is None:
            self._address = await resolve(self._host, self._port, self._tls)
        async with asyncio.timeout(min(self._timeout_s, 30.0)):
            stream = await Stream.connect(self._address)
        self.kernel_clock = self.kernel_clock and stream.kernel_clock
        return stream

    async def _take(self, exchange: Exchange) -> Stream:
        while self._idle:
            stream = self._idle.popleft()
            if not stream.ended():
                return stream
            stream.close()
        return await self._fresh(exchange)

    async def _fresh(self, exchange: Exchange) -> Stream:
        began = perf_counter_ns()
        stream = await self._connect()
        exchange.connect_s = (perf_counter_ns() - began) / 1e9
        return stream

    def _give_back(self, stream: Stream | None, keep: bool) -> None:
        if stream is None:
            return
        asyncio.get_running_loop().remove_reader(stream)
        stream.used = True
        if keep:
            self._idle.append(stream)
        else:
            stream.close()

    def _readable(self, stream: Stream, exchange: Exchange) -> None:
        try:
            stamp, data = stream.receive()
        except BlockingIOError:
            return
        except OSError as error:
            kind = "connect" if exchange.http_status is None else "stream_error"
            why = error.strerror or error
            exchange.fail(kind, f"The connection broke: {why}.", perf_counter_ns())
            return
        if not data:
            exchange.eof(stamp)
            asyncio.get_running_loop().remove_reader(stream)
            return
        exchange.read(stamp, data)
        if exchange.done_but_open:
            asyncio.get_running_loop().call_later(DONE_GRACE_S, exchange.eof, stamp)

    def _expire(self, exchange: Exchange) -> None:
        sentence = f"No end of the answer within {self._timeout_s:g} s."
        exchange.fail("timeout", sentence, perf_counter_ns())


async def wait_until(due_ns: int) -> None:
    """Sleep until `due_ns` of `perf_counter_ns`, letting the loop run meanwhile."""
    while (left := due_ns - perf_counter_ns()) > 0:  # noqa: ASYNC110  a clock sets no event
        await asyncio.sleep(max(0.0, (left - SPIN_NS) / 1e9))


def _connect_sentence(error: OSError, netloc: str) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"Nothing answers on {netloc}."
    if isinstance(error, TimeoutError):
        return f"No connection to {netloc} in time."
    return f"No connection to {netloc}: {error.strerror or error}."
