"""One supervisor a database on one machine: who holds the lock is it, and its death frees it."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

ROOT = Path(__file__).resolve().parent.parent


def beside(engine: Engine, suffix: str) -> Path:
    """Return the supervisor's file of that kind for this database: next to it, if it is a file."""
    url = engine.url.render_as_string(hide_password=True)
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    folder = Path(file).parent if file else ROOT / "data"
    folder.mkdir(exist_ok=True)
    return folder / f"jobs-{hashlib.sha256(url.encode()).hexdigest()[:12]}.{suffix}"


@contextmanager
def place(engine: Engine) -> Iterator[bool]:
    """Yield whether no supervisor of this database is at work; hold its place meanwhile."""
    with open(beside(engine, "lock"), "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
