"""Which clock a time is of: the kernel's where bytes carry its stamp, else the loop's."""

from __future__ import annotations

import socket
import struct
from time import perf_counter_ns, time_ns

import pytest

from services.wire import Wire
from services.wire.clock import SO_TIMESTAMPNS, received_ns
from tests.conftest import ReferenceServer
from tests.services.wire.test_wire import chat, exchange_of

MINUTE_NS = 60 * 10**9


def stamp(wall_ns: int) -> list[tuple[int, int, bytes]]:
    data = struct.pack("@qq", *divmod(wall_ns, 10**9))
    return [(socket.SOL_SOCKET, SO_TIMESTAMPNS, data)]


def test_a_stamp_is_read_as_a_time_of_the_monotonic_clock() -> None:
    ago = 5_000_000
    before = perf_counter_ns()
    received = received_ns(stamp(time_ns() - ago))
    assert received is not None
    assert before - ago <= received <= perf_counter_ns() - ago + 1_000_000


@pytest.mark.parametrize("offset_ns", [10 * MINUTE_NS, -10 * MINUTE_NS])
def test_a_stamp_by_a_clock_that_was_stepped_since_is_none(offset_ns: int) -> None:
    assert received_ns(stamp(time_ns() + offset_ns)) is None


def test_bytes_without_a_timestamp_have_no_receive_time() -> None:
    assert received_ns([]) is None
    assert received_ns([(socket.SOL_SOCKET, SO_TIMESTAMPNS + 1, bytes(16))]) is None


def test_missing_kernel_timestamps_are_reported(
    reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform that takes the option and gives nothing."""
    monkeypatch.setattr("services.wire.stream.ask_for_stamps", lambda _: True)
    wire = Wire(chat(reference.base_url))
    seen = exchange_of(wire, "ref tokens=5", "no stamps")
    assert (seen.error, len(seen.token_times)) == (None, 5)
    assert not wire.kernel_clock
