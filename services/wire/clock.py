"""One monotonic clock, and the kernel's receive times mapped onto it.

The kernel stamps a segment when it arrives (`SO_TIMESTAMPNS`), however late the process comes to
read it. Where the platform has no such stamp the time of the read stands in, and the run says so.
"""

from __future__ import annotations

import socket
import struct
import sys
from time import perf_counter_ns, time_ns

SO_TIMESTAMPNS = 35  # linux/socket.h; Python names it only from 3.13 on
ANCILLARY_BYTES = socket.CMSG_SPACE(16) if hasattr(socket, "CMSG_SPACE") else 0
_TIMESPEC = struct.Struct("@qq")
_OLDEST_NS = 60 * 10**9  # an age beyond this is a clock that was stepped, not a slow read
_APART_NS = 2_000  # two readings of one clock further apart than this had something between them


def ask_for_stamps(sock: socket.socket) -> bool:
    """Switch receive stamps on; return whether the platform gives them."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def received_ns(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """Return when the bytes just read arrived, in `perf_counter_ns` time; None: they carry no
    stamp, or one by a clock that was stepped since.

    The stamp is wall-clock time: its age now, by the wall clock, is taken off the monotonic now.
    Reading both clocks at every call keeps a slewed wall clock from adding up.
    """
    for level, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(data) >= 16:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            now, wall = _both()
            age: int = wall - (seconds * 1_000_000_000 + nanoseconds)
            if 0 <= age < _OLDEST_NS:
                return now - age
    return None


def _both() -> tuple[int, int]:
    """Return (monotonic, wall), read as one: a switch to another process between them, which
    would look like an earlier arrival, shows and is tried again."""
    before, wall, now = perf_counter_ns(), time_ns(), perf_counter_ns()
    for _ in range(3):
        if now - before < _APART_NS:
            break
        before, wall, now = perf_counter_ns(), time_ns(), perf_counter_ns()
    return now, wall
