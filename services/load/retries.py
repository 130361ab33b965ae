"""When a request that failed is sent again: off by default, because a retry hides what a server
does.

The wait is the one that the server asks for (`Retry-After`), otherwise exponential backoff with
full jitter (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

RETRIED = ("http_429", "http_5xx", "connect", "timeout_connect")  # another attempt may help
FIRST_S, LONGEST_S = 1.0, 60.0  # of the backoff
ASKED_MOST_S = 600.0  # the longest wait that a server may ask for


def wait_s(attempt: int, retry_after: str, random: Random, now: datetime | None = None) -> float:
    """Return how many seconds to wait after failed attempt number `attempt`, from 1."""
    requested_s = retry_after_s(retry_after, now or datetime.now(UTC))
    if requested_s is not None:
        return min(requested_s, ASKED_MOST_S)
    return random.uniform(0.0, min(LONGEST_S, FIRST_S * 2 ** (attempt - 1)))


def retry_after_s(retry_after: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3: a number, or a date;
    fractions are accepted); None if it cannot be read."""
    text = retry_after.strip()
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, OverflowError):  # not a date, or one that no calendar has
        return None
