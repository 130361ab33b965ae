"""Files for their owner alone: what Paceline keeps, logs and locks is nobody else's business."""

from __future__ import annotations

import os
from pathlib import Path

OTHERS = 0o007


def open_file(path: Path | str, flags: int) -> int:
    """Open a file, made for its owner alone where it is not there, and return its descriptor. One
    of ours that everybody may read is closed to others; a right that somebody gave to a group
    alone stays. Raises OSError."""
    descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    _close_to_others(descriptor)
    return descriptor


def create_file(path: Path | str) -> None:
    """See that a file is there and as `open_file` leaves one, without opening one that is there: to
    close it would drop every lock that this process has on it, SQLite's too. Raises OSError."""
    path = os.path.realpath(path)  # what a link to nowhere points to is made
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        _close_to_others(path)


def _close_to_others(file: int | str) -> None:
    there = os.stat(file)
    if there.st_mode & OTHERS and there.st_uid == os.getuid():
        os.chmod(file, 0o600)


def create_folder(path: Path) -> None:
    """Make a folder for its owner alone, where it is not there. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
