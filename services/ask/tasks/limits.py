"""How many tasks run at once, and how long they are kept: settings of this Paceline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from services.base.errors import Unavailable

AT_ONCE = "PACELINE_MAX_CONCURRENT_REQUESTS"
KEEP_DAYS = "PACELINE_KEEP_TASKS_DAYS"
DEFAULT_AT_ONCE, MAX_AT_ONCE = 5, 1_000
DEFAULT_DAYS, MAX_DAYS = 30, 36_500


class InvalidLimit(Unavailable):
    """An invalid setting; the message is a sentence."""


def at_once(env: Mapping[str, str]) -> int:
    """Return how many tasks are sent to one server at the same time. Raises InvalidLimit."""
    return _whole_number(env, AT_ONCE, DEFAULT_AT_ONCE, 1, MAX_AT_ONCE)


def kept(env: Mapping[str, str]) -> timedelta | None:
    """Return how long tasks are kept after their end; None: forever. Raises InvalidLimit."""
    days = _whole_number(env, KEEP_DAYS, DEFAULT_DAYS, 0, MAX_DAYS)
    return timedelta(days=days) if days else None


def _whole_number(env: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    written = env.get(name, "").strip()
    if not written:
        return usual
    if not (written.isascii() and written.isdecimal()) or not least <= int(written[:9]) <= most:
        raise InvalidLimit(
            f"{name} is {written[:40]!r}, but it must be a whole number from {least} to {most:,}. "
            "Correct it in .env."
        )
    return int(written)
