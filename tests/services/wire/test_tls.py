"""TLS takes the same path: a real handshake, a certificate that is verified, stamped reads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import perf_counter_ns

import pytest

from services.wire import Timeouts, Wire
from services.wire.exchange import Exchange
from tests.conftest import serving
from tests.services.wire.test_wire import ask, chat


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("model", ["ref tokens=20 gap=0.005", "ref tokens=300 gap=0"])
def test_a_stream_over_tls_is_read_whole(port: int, model: str) -> None:
    seen = ask(f"https://localhost:{port}/v1", model)
    assert seen.error_class is None, seen.error
    assert len(seen.token_times) == seen.usage.output_tokens
    assert seen.connect_s is not None and seen.sent is not None and seen.first is not None
    assert seen.first - seen.sent >= 20_000_000, "the handshake is no part of TTFT, the wait is"


@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name_is_refused(port: int) -> None:
    seen = ask(f"https://127.0.0.1:{port}/v1", "ref")
    assert seen.error_class == "connect"
    assert "certificate" in str(seen.error)


def test_a_certificate_of_an_unknown_authority_is_refused(port: int) -> None:
    seen = ask(f"https://localhost:{port}/v1", "ref")
    assert seen.error_class == "connect"
    assert "certificate" in str(seen.error)


@pytest.mark.slow
@pytest.mark.usefixtures("trusted")
def test_a_server_that_does_not_speak_tls_is_reported() -> None:
    with serving() as plain:
        seen = ask(f"https://localhost:{plain}/v1", "ref", timeouts=Timeouts(2))
    assert seen.error_class == "timeout_connect"
    assert f"localhost:{plain}" in str(seen.error)


@pytest.mark.usefixtures("trusted")
def test_connections_opened_beforehand_are_used_though_tickets_lie_unread_on_them(
    port: int,
) -> None:
    async def eight() -> list[Exchange]:
        wire = Wire(chat(f"https://localhost:{port}/v1"))
        await wire.open(8)
        body = wire.request({"model": "ref", "messages": [{"content": "tickets"}]})
        due = perf_counter_ns() + 100_000_000
        seen = await asyncio.gather(*(wire.ask(body, due, lambda: 0, ()) for _ in range(8)))
        wire.close()
        return list(seen)

    assert [exchange.connect_s for exchange in asyncio.run(eight())] == [None] * 8


def test_a_handshake_that_trickles_ends_with_the_time_for_connecting() -> None:
    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x03\x40\x00")  # a record of 16 kB, a byte at a time
        with suppress(OSError):
            while not writer.is_closing():
                writer.write(b"\x02")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        ended.set()

    ended = asyncio.Event()

    async def once() -> Exchange:
        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        wire = Wire(
            f"https://localhost:{server.sockets[0].getsockname()[1]}/v1", None, Timeouts(60, 0.5)
        )
        seen = await wire.ask(wire.request({}), perf_counter_ns(), lambda: 0, ())
        wire.close()
        await ended.wait()
        server.close()
        await server.wait_closed()
        return seen

    assert asyncio.run(asyncio.wait_for(once(), 20)).error_class == "timeout_connect"
