"""What to do about failed requests, by kind of failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from services.ask.measurement import Measurement
from services.ask.measurements import Measurements, as_table

MOST = 2  # kinds to give advice on; the table of failures lists them all


def advice(measurements: Sequence[Measurement]) -> str:
    """Return what to do about the most frequent kinds of failure, one sentence each."""
    table = as_table(measurements)
    return advice_on(_kinds(table.where(table.are("failed"))))


def advice_on(kinds: Counter[str]) -> str:
    """Return the same for the number of failed requests by error class."""
    sentences = dict.fromkeys(BY_KIND.get(kind, OTHERWISE) for kind, _ in kinds.most_common())
    return " ".join(list(sentences)[:MOST])


def _kinds(failed: Measurements) -> Counter[str]:
    """Count the failed requests by error class, or by HTTP status if there is advice on that
    status."""
    classes, status = failed.texts("error_class"), failed.numbers("http_status")
    pairs = np.column_stack((classes.codes, np.nan_to_num(status, nan=0.0)))
    different, first, counts = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    kinds: Counter[str] = Counter()
    for i in np.argsort(first):
        code, number = map(int, different[i])
        kinds[_kind(classes.words[code], str(number or ""))] += int(counts[i])
    return kinds


def _kind(error_class: str | None, status: str) -> str:
    return status if error_class == "http_4xx" and status in BY_KIND else error_class or ""


OTHERWISE = "See the error messages in the table of failures, and the server's log."
KEY = "The server rejected the key: set a valid one, then test the backend."
FIELD = (
    "The server rejected the request: see the error message in the table of failures, and leave "
    "out the field that it does not accept."
)
SLOW = "Send fewer requests at once, or raise the timeout."
BY_KIND = {
    "connect": "Nothing answered at the address, or the connection broke: check that the server "
    "is running, then test the backend.",
    "http_3xx": "The server redirects: use the address that it redirects to.",
    "http_4xx": FIELD,
    "400": FIELD,
    "401": KEY,
    "403": KEY,
    "404": "The server does not know the address or the model: choose a model that it lists.",
    "413": "The prompt is too long for the server: make it shorter.",
    "422": FIELD,
    "http_429": (
        "The server limits the rate of requests: send fewer at once or less often, or ask for a "
        "higher limit."
    ),
    "http_5xx": "The server itself failed: see its log.",
    "timeout_connect": (
        "The server did not accept the connection in time: check that it is running, and that it "
        "accepts that many connections at once."
    ),
    "timeout_first_token": f"No token arrived in time. {SLOW}",
    "timeout_between_chunks": f"An answer stalled for too long. {SLOW}",
    "timeout": f"Answers took longer than allowed: request shorter ones. {SLOW}",
    "stream_error": "Answers broke off with an error: see the error messages in the table of "
    "failures, and the server's log.",
    "truncated": "Answers were cut off: look for a proxy that closes connections, and see the "
    "server's log.",
    "node_lost": "A machine that sent requests was lost: check it, then run it again.",
    "empty": "Answers had no tokens: check that the model and its chat template fit the prompt.",
}
