"""What to do about failed requests, by how they failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.measurement import Measurement

MOST = 2  # kinds that are spoken of; the table of failures has all


def advice(measurements: Sequence[Measurement]) -> str:
    """Return what to do about the most frequent kinds of failure, a sentence each."""
    kinds = Counter(_kind(m) for m in measurements if m.status == "failed")
    said = dict.fromkeys(BY_KIND.get(kind, OTHERWISE) for kind, _ in kinds.most_common())
    return " ".join(list(said)[:MOST])


def _kind(m: Measurement) -> str:
    """The class of an error; of a refusal its status, where there is advice on it."""
    status = str(m.http_status or "")
    return status if m.error_class == "http_4xx" and status in BY_KIND else m.error_class or ""


OTHERWISE = "See what the server said in the table of failures, and its log."
KEY = "The server refused the key: set the right one, and test the backend."
FIELD = (
    "The server refused what was asked: see its words in the table of failures, and leave out the "
    "field that it does not take."
)
SLOW = "Ask for less at once, or allow more time."
BY_KIND = {
    "connect": "Nothing answered at the address, or the connection broke: see whether the server "
    "runs, and test the backend.",
    "http_3xx": "The server answers elsewhere: give the address that it redirects to.",
    "http_4xx": FIELD,
    "400": FIELD,
    "401": KEY,
    "403": KEY,
    "404": "The server does not know the address or the model: choose one that it lists.",
    "413": "The prompt is too long for the server: make it shorter.",
    "422": FIELD,
    "http_429": "The server limits how much it takes: send less at once or less often, or have its "
    "limit raised.",
    "http_5xx": "The server itself failed: its log says why.",
    "timeout_connect": "The server did not take the connection in time: see whether it runs, and "
    "whether it takes so many at once.",
    "timeout_first_token": f"No token came in time. {SLOW}",
    "timeout_between_chunks": f"An answer stood still for too long. {SLOW}",
    "timeout": "Answers took longer than allowed: ask for shorter ones or for less at once, or "
    "allow more time.",
    "stream_error": "Answers broke off with an error: see the server's words in the table of "
    "failures, and its log.",
    "truncated": "Answers ended without their end: look for a proxy that closes connections, and "
    "into the server's log.",
    "empty": "Answers held no token: see whether the model and its chat template fit the prompt.",
}
