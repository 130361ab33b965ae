"""A host with several addresses: the one that answers is used, and none is given up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.wire.pool import Pool
from services.wire.route import Route
from services.wire.stream import Address, Stream

NOWHERE = ("255.255.255.255", 9)  # no connection leads there: the network is unreachable


class Host(Route):
    """A host with these addresses."""

    def __init__(self, *where: tuple[str, int]) -> None:
        super().__init__("http://host/v1")
        self.where = where

    async def look_up(self) -> list[Address]:
        return [Address(socket.AF_INET, where, "host", None) for where in self.where]


@contextmanager
def listening(port: int = 0) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", port)) as listener:
        yield listener.getsockname()


@pytest.fixture
def refusing() -> tuple[str, int]:
    """An address at which nothing listens."""
    with listening() as where:
        return where


async def connected_to(pool: Pool, count: int) -> list[int]:
    """Open connections at the same time; return the port that each leads to."""
    streams: list[Stream] = await asyncio.gather(*(pool.connect() for _ in range(count)))
    ports = [stream._sock.getpeername()[1] for stream in streams]
    for stream in streams:
        stream.close()
    return ports


def test_connections_opened_at_once_all_find_the_address_that_answers(
    refusing: tuple[str, int],
) -> None:
    with listening() as where:
        pool = Pool(Host(refusing, where), 5.0)
        assert asyncio.run(connected_to(pool, 8)) == [where[1]] * 8


def test_connections_opened_at_once_are_refused_if_no_address_answers(
    refusing: tuple[str, int],
) -> None:
    async def all_of(pool: Pool) -> list[Stream | BaseException]:
        tries = (pool.connect() for _ in range(8))
        return await asyncio.gather(*tries, return_exceptions=True)

    errors = asyncio.run(all_of(Pool(Host(refusing, refusing), 5.0)))
    assert {type(error) for error in errors} == {ConnectionRefusedError}


def test_an_address_that_refused_once_is_tried_again(refusing: tuple[str, int]) -> None:
    async def down_then_up() -> None:
        with listening() as where:
            pass  # down
        pool = Pool(Host(where, refusing), 5.0)
        with pytest.raises(ConnectionRefusedError):
            await pool.connect()
        with listening(where[1]):
            assert await connected_to(pool, 1) == [where[1]]

    asyncio.run(down_then_up())


def test_the_address_that_answered_is_preferred(refusing: tuple[str, int]) -> None:
    async def again_and_again() -> None:
        with listening() as where:
            pool = Pool(Host(refusing, where), 5.0)
            assert await connected_to(pool, 1) == [where[1]]
            with listening(refusing[1]):  # it is up now, but a run keeps to one
                assert await connected_to(pool, 1) == [where[1]]
        with listening(refusing[1]):
            assert await connected_to(pool, 1) == [refusing[1]]

    asyncio.run(again_and_again())


def test_another_address_is_tried_if_no_way_leads_to_the_first() -> None:
    with listening() as where:
        assert asyncio.run(connected_to(Pool(Host(NOWHERE, where), 5.0), 2)) == [where[1]] * 2
