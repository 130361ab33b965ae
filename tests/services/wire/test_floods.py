"""Servers that send without an end: limits on time hold, a cancel is heard, memory is bounded."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from time import perf_counter_ns

import pytest

from services.wire import Timeouts, Wire, exchange
from services.wire.exchange import Exchange
from tests.canned import HEAD, canned

pytestmark = pytest.mark.slow

TINY = b'data: {"choices":[{"text":"a"}]}\n\n'
START = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def framed(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def tiny_chunks() -> Iterator[bytes]:
    yield START
    yield from repeat(framed(TINY) * 8000)


def tokens() -> Iterator[bytes]:
    yield START
    yield from repeat(framed(TINY * 8000))


def empty_lines() -> Iterator[bytes]:
    yield START
    yield from repeat(framed(b"\n" * 250_000))


def comments() -> Iterator[bytes]:
    """Of a thousand bytes that are unpacked, one is sent."""
    yield HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    squeeze = zlib.compressobj(9, wbits=31)
    while True:
        yield framed(squeeze.compress(b":\n" * 2**22) + squeeze.flush(zlib.Z_SYNC_FLUSH))


def packed_tokens() -> Iterator[bytes]:
    yield HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    squeeze = zlib.compressobj(9, wbits=31)
    while True:
        yield framed(squeeze.compress(TINY * 2**18) + squeeze.flush(zlib.Z_SYNC_FLUSH))


FLOODS = [tiny_chunks, tokens, empty_lines, comments, packed_tokens]
Flood = Callable[[], Iterable[bytes]]


def drown(flood: Flood, total_s: float, stop_after_s: float | None) -> tuple[Exchange, float]:
    """Ask a server that floods; return the exchange and the longest that the loop was held up."""

    async def one(base_url: str) -> tuple[Exchange, float]:
        wire = Wire(f"{base_url}/chat/completions", None, Timeouts(total_s))
        watching = asyncio.create_task(_worst_lag())
        if stop_after_s is not None:
            asyncio.get_running_loop().call_later(stop_after_s, wire.in_flight.stop)
        try:
            seen = await wire.ask(wire.request({}), 0, lambda: 0, ())
        finally:
            wire.close()
            watching.cancel()
        return seen, await watching

    with canned(flood()) as base_url:
        return asyncio.run(one(base_url))


async def _worst_lag() -> float:
    worst = 0
    try:
        while True:
            due = perf_counter_ns() + 10_000_000
            await asyncio.sleep(0.01)
            worst = max(worst, perf_counter_ns() - due)
    except asyncio.CancelledError:
        return worst / 1e9


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_timed_out(flood: Flood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_CHUNKS", 2**40)  # it is the time that is to end it
    monkeypatch.setattr(exchange, "ANSWER_BYTES", 2**40)
    seen, lag_s = drown(flood, 1.0, None)
    assert seen.sent is not None and seen.ended is not None
    assert seen.error_class == "timeout", seen.error
    assert (seen.ended - seen.sent) / 1e9 < 8.0  # without limits it takes minutes, or no end
    assert lag_s < 5.0


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_cancelled(flood: Flood) -> None:
    seen, _ = drown(flood, 30.0, 0.3)
    assert seen.sent is not None and seen.ended is not None
    assert seen.cancelled
    assert (seen.ended - seen.sent) / 1e9 < 8.0


@pytest.mark.parametrize("flood", [tokens, packed_tokens])
def test_an_answer_has_its_own_size_limit(flood: Flood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_CHUNKS", 20_000)
    seen, _ = drown(flood, 30.0, None)
    assert (seen.error_class, "does not end" in str(seen.error)) == ("stream_error", True)
    assert len(seen.token_times) < 2_000_000


@pytest.mark.long
@pytest.mark.parametrize("flood", [comments, empty_lines])
def test_a_body_has_its_own_size_limit(flood: Flood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "ANSWER_BYTES", 4 * 2**20)
    seen, _ = drown(flood, 30.0, None)
    assert (seen.error_class, "does not end" in str(seen.error)) == ("stream_error", True)
