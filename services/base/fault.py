"""Unexpected errors in a sentence: their type and location."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

log = logging.getLogger("paceline.fault")
HERE = Path(__file__).parents[1].name


def fault(error: Exception) -> str:
    """Return and log a sentence about a bug of this program. The error's message is left out:
    it may hold a key, a prompt or a server's text."""
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        parts = Path(frame.filename).parts
        if HERE in parts:
            below = "/".join(parts[len(parts) - 1 - parts[::-1].index(HERE) :])
            where = f" in {below}, line {frame.lineno}"
    log.error("%s%s", type(error).__name__, where)
    return (
        f"Internal error in Paceline: {type(error).__name__}{where}. Everything measured "
        "before it is kept. Please report it."
    )
