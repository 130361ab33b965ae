"""Cleans up the shared memory that an engine's processes leave behind: 8 to 25 MB per start."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

FOLDER = "/dev/shm/"


def files(processes: Iterable[psutil.Process]) -> set[Path]:
    """Return the files of shared memory that `processes` have mapped; none outside Linux."""
    paths: set[Path] = set()
    for process in processes:
        with suppress(OSError):  # the process has ended, or not Linux
            lines = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
            paths |= {Path(line[at:]) for line in lines if (at := line.find(FOLDER)) > 0}
    return paths


def remove(left: Iterable[Path], since: float) -> None:
    """Remove the remaining files that we created after `since`, in seconds since 1970."""
    for file in left:
        with suppress(OSError):  # the engine has already removed it
            state = file.stat()
            if state.st_ctime >= since and state.st_uid == os.getuid():
                file.unlink()
