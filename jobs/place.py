"""One supervisor a database on one machine: who holds the lock is it, and its death frees it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import Engine

from services.base import private_file
from services.base.errors import Unavailable

ROOT = Path(__file__).resolve().parent.parent
LOG_MOST = 1_000_000  # bytes; a longer log is put aside, and the one put aside before it is gone


class QueueProblem(Unavailable):
    """Nobody can work the queue off, in a sentence."""

    @classmethod
    def unwritable(cls, error: OSError) -> QueueProblem:
        """Return what is wrong where the files cannot be written that keep supervisors apart."""
        return cls(
            f"The queue cannot be worked off: {error.strerror} ({error.filename}). "
            "Make that place writable for Paceline, then try again."
        )


def beside(database: Engine, suffix: str) -> Path:
    """Return the supervisor's file of that kind for this database: next to it, if it is a file."""
    url = database.url.render_as_string(hide_password=True)
    file = database.url.database if database.dialect.name == "sqlite" else None
    folder = Path(file).parent if file else ROOT / "data"
    return folder / f"jobs-{hashlib.sha256(url.encode()).hexdigest()[:12]}.{suffix}"


def machine() -> str:
    """Return a word for this machine that does not name it."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]


@contextmanager
def place(database: Engine, given: int | None = None) -> Iterator[int | None]:
    """Hold the place of this database's supervisor; yield its descriptor, None where it is taken.

    The lock is the open file's, not the process's: a child that inherits the descriptor has the
    place from its first moment on, and keeps it when the parent lets go. `given` is such a one.

    Raises:
        QueueProblem: the lock's file cannot be written.
    """
    held = _taken(database) if given is None else given
    try:
        yield held
    finally:
        if held is not None:
            os.close(held)


def see_to_place(database: Engine) -> None:
    """See that the lock can be asked for. Raises QueueProblem."""
    os.close(_lock(database))


def log_of(database: Engine) -> IO[bytes]:
    """Open the supervisor's log; what earlier ones wrote stays. Raises QueueProblem."""
    file = beside(database, "log")
    try:
        if file.exists() and file.stat().st_size > LOG_MOST:
            file.replace(beside(database, "log.old"))
        return open(file, "ab", opener=private_file.open_file)
    except OSError as error:
        raise QueueProblem.unwritable(error) from error


def _taken(database: Engine) -> int | None:
    held = _lock(database)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    return held


def _lock(database: Engine) -> int:
    file = beside(database, "lock")
    try:
        private_file.create_folder(file.parent)
        return private_file.open_file(file, os.O_RDWR)
    except OSError as error:
        raise QueueProblem.unwritable(error) from error
