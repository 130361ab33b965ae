"""The planned share of a run's prompt tokens that should come from the server's prefix cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, takewhile

from services.ask import modes, plan_of_sessions
from services.ask.config import RunConfig
from services.ask.config.traces import BLOCK_TOKENS, MAX_ROWS, TraceRow
from services.ask.prefixes import prefixes_of
from services.base import units
from services.base.same import ByIdentity


@dataclass(frozen=True, slots=True)
class PlannedHits:
    """The share of a run's prompt tokens that should come from the prefix cache, and why.
    `history`: only because turns of a session repeat earlier messages."""

    share: float
    sentence: str
    history: bool = False


def planned_hits(config: RunConfig) -> PlannedHits | None:
    """Return the planned cache hits; None if prompts share nothing by plan."""
    if (shared := prefixes_of(config)) is not None:
        return PlannedHits(shared.planned, shared.sentence)
    if config.unique_prompts and (again := plan_of_sessions.repeated(config)) is not None:
        share = again.share()
        return PlannedHits(
            share,
            f"About {units.share(share)} of the prompt tokens repeat earlier messages of their "
            "session, so they should come from the server's prefix cache.",
            history=True,
        )
    if config.workload != "trace" or not config.trace[0].blocks:
        return None
    rows = config.replayed
    requests = round(modes.expected(config) or len(rows))
    share = _of_trace(ByIdentity(config.trace), rows, min(requests, MAX_ROWS))
    return PlannedHits(
        share,
        f"{units.share(share)} of the prompt tokens are in a prefix that an earlier prompt of the "
        "trace also has, so they should come from the server's prefix cache.",
    )


@lru_cache(maxsize=16)
def _of_trace(same: ByIdentity[TraceRow], rows: range, requests: int) -> float:
    """The share of tokens in leading blocks that an earlier request contained, for so many requests
    that use the rows in rotation and an unlimited cache."""
    cached: set[int] = set()
    hits = total = 0
    for row in (same.values[rows[index % len(rows)]] for index in range(requests)):
        beginnings = list(accumulate(row.blocks, lambda before, block: hash((before, block))))
        known = sum(1 for _ in takewhile(cached.__contains__, beginnings))
        hits += min(row.input_tokens, known * BLOCK_TOKENS)
        total += row.input_tokens
        cached.update(beginnings)
    return hits / total
