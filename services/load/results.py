"""Results of a load process on their way to who stores them."""

from __future__ import annotations

from typing import Any

from services.ask.measurement import Measurement
from services.base import untrusted

OWN = ("token_times", "answer")  # fields of a request that have no limits


def measurement_of(row: Measurement | dict[str, Any]) -> Measurement:
    """Return the value that a message's row holds, or was before it was written as JSON. What it
    says passes the gate once more, whatever it has been told by the server; of the answer, which is
    the server's own, all is kept."""
    if isinstance(row, Measurement):
        return row
    times, answer = tuple(row["token_times"]), row["answer"]
    others = {name: value for name, value in row.items() if name not in OWN}
    return Measurement(**untrusted.data(others), token_times=times, answer=answer)
