"""Reading and writing a database that is locked, full, or gone for a while: again and again, then
not any more. One patience for all who need it: the supervisor's threads, and who follows a run."""

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
TROUBLE = (OperationalError, InterfaceError)  # what may pass: of PostgreSQL, the server's end too

T = TypeVar("T")
log = logging.getLogger("paceline.jobs")
_never = Event()


def retried(work: Callable[[], T], about: str, say: Callable[[str], object] = log.warning) -> T:
    """Return what `work` gives, tried for GIVE_UP_S while the database is locked, full or gone.
    `say` is told `about` what, and why, once for each reason.

    Raises:
        OperationalError, InterfaceError: it still was, at the end, or it is no trouble that passes:
            a table that is not there.
    """
    until, said = monotonic() + GIVE_UP_S, ""
    while True:
        try:
            return work()
        except TROUBLE as error:
            if monotonic() > until or not _may_pass(error):
                raise
            if reason(error) != said:
                said = reason(error)
                say(f"{about}: {said}; trying again")
            _never.wait(RETRY_S)


def _may_pass(error: DBAPIError) -> bool:
    """Whether waiting may help. SQLite calls what is wrong with a statement operational, too."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is None or code & 0xFF != sqlite3.SQLITE_ERROR


def reason(error: DBAPIError | Unavailable | ValueError) -> str:
    """Return on one line what is wrong, without the statement and its values."""
    words = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(words).split()).rstrip(".")
