"""Unexpected errors in a sentence: their type and location."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

log = logging.getLogger("paceline.fault")
ROOT = Path(__file__).parents[2]
OURS = ("api", "cli", "db", "jobs", "pages", "services", "web")  # folders with code of Paceline


def fault(error: Exception) -> str:
    """Return and log a sentence about a bug of this program, see `place_of`."""
    place = place_of(error)
    log.error("%s", place)
    return (
        f"Internal error in Paceline: {place}. Everything measured before it is kept. Please "
        "report it."
    )


def place_of(error: BaseException) -> str:
    """Return the type of an error and the last line of Paceline that it passed. Its message is left
    out: it may hold a key, a prompt, a server's text or a file's."""
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename)
        below = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        if below.parts[0] in OURS:
            where = f" in {below.as_posix()}, line {frame.lineno}"
    return f"{type(error).__name__}{where}"
