"""Shared memory that an engine's processes leave behind: 8 to 25 MB a start, in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

FOLDER = "/dev/shm/"


def files(processes: Iterable[psutil.Process]) -> set[Path]:
    """Return the files of shared memory that `processes` hold open. Linux only, else none."""
    found: set[Path] = set()
    for process in processes:
        with suppress(OSError):  # gone, or not Linux
            lines = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
            found |= {Path(line[at:]) for line in lines if (at := line.find(FOLDER)) > 0}
    return found


def remove(left: Iterable[Path], since: float) -> None:
    """Remove what is left of our files that were made after `since`, in seconds since 1970."""
    for file in left:
        with suppress(OSError):  # its engine has removed it
            state = file.stat()
            if state.st_ctime >= since and state.st_uid == os.getuid():
                file.unlink()
