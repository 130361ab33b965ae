"""Retries while a database is locked, full or temporarily unreachable, up to a limit. Used by the
supervisor's threads and by commands that wait for a run."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from services.base.errors import Unavailable

GIVE_UP_S, RETRY_S = 900.0, 1.0
TRANSIENT = (OperationalError, InterfaceError)  # also for a PostgreSQL server that has stopped

T = TypeVar("T")
log = logging.getLogger("paceline.jobs")
_never = Event()


def with_retries(
    operation: Callable[[], T], subject: str, report: Callable[[str], object] = log.warning
) -> T:
    """Return the result of `operation`, which is retried for GIVE_UP_S while the database is
    locked, full or unreachable. `report` is called with the `subject` and the reason, once per
    reason.

    Raises:
        OperationalError, InterfaceError: it still failed at the end, or waiting cannot help, as
            with a missing table.
    """
    until, reported = monotonic() + GIVE_UP_S, ""
    while True:
        try:
            return operation()
        except TRANSIENT as error:
            if monotonic() > until or not _is_transient(error):
                raise
            if reason(error) != reported:
                reported = reason(error)
                report(f"{subject}: {reported}; trying again")
            _never.wait(RETRY_S)


def _is_transient(error: DBAPIError) -> bool:
    """Whether waiting may help. SQLite reports an invalid statement as operational, too."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is None or code & 0xFF != sqlite3.SQLITE_ERROR


def reason(error: DBAPIError | Unavailable | ValueError) -> str:
    """Return on one line what is wrong, without the SQL statement and its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(cause).split()).rstrip(".")
