"""Files that only their owner can read, for data, logs and locks."""

from __future__ import annotations

import os
from pathlib import Path

OTHERS = 0o007


def open_file(path: Path | str, flags: int) -> int:
    """Open or create a file for its owner only, and return its descriptor. Permissions for others
    are removed from our own files; those for a group alone are kept. Raises OSError."""
    descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    _make_private(descriptor)
    return descriptor


def create_file(path: Path | str) -> None:
    """Create a file as `open_file` does, without opening an existing one: closing it would release
    all of this process's locks on it, including SQLite's. Raises OSError."""
    path = os.path.realpath(path)  # the target of a dangling link is created
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        _make_private(path)


def _make_private(file: int | str) -> None:
    status = os.stat(file)
    if status.st_mode & OTHERS and status.st_uid == os.getuid():
        os.chmod(file, 0o600)


def create_folder(path: Path) -> None:
    """Create a folder for its owner only, unless it exists. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
