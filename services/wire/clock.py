"""The kernel's receive timestamps, converted to the monotonic clock.

The kernel timestamps a segment when it arrives (`SO_TIMESTAMPNS`), however late the process reads
it. If the platform has no such timestamps, the time of the read is used, and the run records that.
"""

from __future__ import annotations

import socket
import struct
import sys
from time import perf_counter_ns, time_ns

SO_TIMESTAMPNS = 35  # linux/socket.h; Python names it only from 3.13 on
ANCILLARY_BYTES = socket.CMSG_SPACE(16) if hasattr(socket, "CMSG_SPACE") else 0
_TIMESPEC = struct.Struct("@qq")
_MAX_AGE_NS = 60 * 10**9  # an older stamp means that the clock was stepped, not a slow read
_MAX_APART_NS = 2_000  # further apart, two consecutive readings were interrupted


def ask_for_stamps(sock: socket.socket) -> bool:
    """Enable receive timestamps; return whether the platform has them."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def received_ns(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """Return when the bytes just read arrived, in `perf_counter_ns` time; None if they have no
    stamp, or the wall clock was stepped since.

    The stamp is wall-clock time: its age by the wall clock is subtracted from the monotonic now.
    Both clocks are read at every call, so that the drift between them does not accumulate.
    """
    for level, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(data) >= 16:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            now, wall = _read_clocks()
            age: int = wall - (seconds * 1_000_000_000 + nanoseconds)
            if 0 <= age < _MAX_AGE_NS:
                return now - age
    return None


def _read_clocks() -> tuple[int, int]:
    """Return (monotonic, wall), read together. A context switch between the readings would look
    like an earlier arrival, so interrupted readings are repeated."""
    before, wall, now = perf_counter_ns(), time_ns(), perf_counter_ns()
    for _ in range(3):
        if now - before < _MAX_APART_NS:
            break
        before, wall, now = perf_counter_ns(), time_ns(), perf_counter_ns()
    return now, wall
