"""How late the later turns of sessions are, by the server's log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from services.load.reference import log_key


def late_s(
    sessions: Iterable[Sequence[str]], log: Mapping[str, Any], delay_s: float
) -> list[float]:
    """Return, for each later turn, the seconds between the last token of the answer before and its
    own arrival in the server's kernel, less the requested delay. `sessions`: the prompts of each
    session's turns."""
    found = []
    for before, after in (pair for texts in sessions for pair in pairwise(texts)):
        answered, asked = log.get(log_key(before)), log.get(log_key(after))
        if answered and asked and answered["times"]:
            found.append((asked["arrived"] - answered["times"][-1]) / 1e9 - delay_s)
    return found
