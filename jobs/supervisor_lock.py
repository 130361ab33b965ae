"""One supervisor per database and machine: the process that holds the lock, which is released when
it dies."""

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
from services.base.root import ROOT

MAX_LOG_BYTES = 1_000_000  # a longer log is rotated, replacing the previously rotated one


class QueueProblem(Unavailable):
    """The queue cannot be processed; the message says why, in a sentence."""

    @classmethod
    def unwritable(cls, error: OSError) -> QueueProblem:
        """Return the problem of a lock or log file that cannot be written."""
        return cls(
            f"The queue cannot be processed: {error.strerror} ({error.filename}). "
            "Make that path writable for Paceline, then try again."
        )


def supervisor_file(database: Engine, suffix: str) -> Path:
    """Return the path of the supervisor's file with this suffix: next to the database, if that is a
    file."""
    url = database.url.render_as_string(hide_password=True)
    file = database.url.database if database.dialect.name == "sqlite" else None
    folder = Path(file).parent if file else ROOT / "data"
    return folder / f"jobs-{hashlib.sha256(url.encode()).hexdigest()[:12]}.{suffix}"


def machine_id() -> str:
    """Return an identifier of this machine that does not reveal its name."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]


@contextmanager
def acquire_lock(database: Engine, inherited: int | None = None) -> Iterator[int | None]:
    """Hold the lock of this database's supervisor; yield its descriptor, or None if another process
    holds it. The lock belongs to the open file, not to the process: a child that inherits the
    descriptor holds it from the start, and keeps it when the parent releases it. `inherited`: such
    a descriptor.

    Raises:
        QueueProblem: the lock file cannot be written.
    """
    lock = _try_lock(database) if inherited is None else inherited
    try:
        yield lock
    finally:
        if lock is not None:
            os.close(lock)


def supervisor_alive(database: Engine) -> bool:
    """Return whether this machine's supervisor of this database is alive. Raises QueueProblem."""
    if not supervisor_file(database, "lock").exists():
        return False
    with acquire_lock(database) as lock:
        return lock is None


def check_lock_file(database: Engine) -> None:
    """Check that the lock file can be written. Raises QueueProblem."""
    os.close(_open_lock_file(database))


def open_log(database: Engine) -> IO[bytes]:
    """Open the supervisor's log for appending. Raises QueueProblem."""
    file = supervisor_file(database, "log")
    try:
        if file.exists() and file.stat().st_size > MAX_LOG_BYTES:
            file.replace(supervisor_file(database, "log.old"))
        return open(file, "ab", opener=private_file.open_file)
    except OSError as error:
        raise QueueProblem.unwritable(error) from error


def _try_lock(database: Engine) -> int | None:
    lock = _open_lock_file(database)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _open_lock_file(database: Engine) -> int:
    file = supervisor_file(database, "lock")
    try:
        private_file.create_folder(file.parent)
        return private_file.open_file(file, os.O_RDWR)
    except OSError as error:
        raise QueueProblem.unwritable(error) from error
