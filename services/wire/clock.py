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


def ask_for_stamps(sock: socket.socket) -> bool:
    """Switch receive stamps on; return whether the platform gives them."""
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def received_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Return when the bytes just read arrived, in `perf_counter_ns` time.

    The stamp is wall-clock time: its age now, by the wall clock, is taken off the monotonic now.
    Reading both clocks at every call keeps a slewed wall clock from adding up.
    """
    now, wall = perf_counter_ns(), time_ns()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            age: int = wall - (seconds * 10**9 + nanoseconds)
            if 0 <= age < _OLDEST_NS:
                return now - age
    return now
