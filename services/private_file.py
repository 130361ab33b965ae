"""Files for their owner alone: what Paceline keeps, logs and locks is nobody else's business."""

from __future__ import annotations

import os
from pathlib import Path

OTHERS = 0o007


def opened(path: Path | str, flags: int) -> int:
    """Open a file, made for its owner alone where it is not there, and return its descriptor. One
    of ours that everybody may read is closed to others; a right that somebody gave to a group
    alone stays. Raises OSError."""
    held = os.open(path, flags | os.O_CREAT, 0o600)
    there = os.fstat(held)
    if there.st_mode & OTHERS and there.st_uid == os.getuid():
        os.fchmod(held, 0o600)
    return held


def folder(path: Path) -> None:
    """Make a folder for its owner alone, where it is not there. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
