"""Writing to a database that is locked, or gone for a while: again and again, then not any more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from sqlalchemy.exc import OperationalError

TRIES, RETRY_S = 60, 1.0

T = TypeVar("T")
log = logging.getLogger("paceline.jobs")
_never = Event()


def patiently(write: Callable[[], T], about: str) -> T:
    """Return what `write` gives, tried TRIES times while the database is locked or gone; `about`:
    what is being written, for the log.

    Raises:
        OperationalError: it still was, the last time.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            return write()
        except OperationalError as error:
            if not tries_left:
                raise
            log.warning("%s: %s", about, error.orig)
            _never.wait(RETRY_S)
    raise AssertionError("the last try returns or raises")
