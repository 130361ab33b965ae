"""What is told of an error that nobody thought of: which, and where, in a sentence."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

log = logging.getLogger("paceline.fault")
HERE = Path(__file__).parent.name


def fault(error: Exception) -> str:
    """Return and log what names a fault of this program. The error's own words are left out: they
    may hold a key, a prompt, or what a server said."""
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        parts = Path(frame.filename).parts
        if HERE in parts:
            below = "/".join(parts[len(parts) - 1 - parts[::-1].index(HERE) :])
            where = f" in {below}, line {frame.lineno}"
    log.error("%s%s", type(error).__name__, where)
    return (
        f"Paceline itself has a fault: {type(error).__name__}{where}. What was measured until then "
        "is kept. Please report it."
    )
