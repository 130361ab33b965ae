"""Prefixes that prompts share, so that a planned share of their tokens is found in a cache.

Each prompt begins with a system part, the same in all, and one of several documents, in rotation;
what follows is its own. The first use of a document finds only the system part, and the very first
request nothing. The length of the documents is chosen for the target: with n prompts of m tokens, d
documents of D tokens and a system part of S tokens, (n - 1) S + (n - d) D of n m tokens are hits.
Where prompts differ in length, short ones have only a part of the prefix, and D is found by
bisection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, takewhile

from services.ask import lengths, modes
from services.ask.config import RunConfig
from services.ask.config.prefixes import OWN_LEAST
from services.ask.config.traces import BLOCK_TOKENS, MOST_ROWS, TraceRow
from services.ask.lengths import Lengths
from services.base import units
from services.base.same import Same

MOST_PLANNED = 20_000  # prompts that are looked at one by one
STEPS = 20  # of the bisection: to a millionth of the longest prompt


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What prompts share, in tokens, and the share of prompt tokens that should be hits."""

    system: int
    document: int
    count: int
    planned: float

    def tokens(self, length: int) -> int:
        """Return how many tokens of a prompt of this length are shared."""
        return min(self.system + self.document, max(0, length - OWN_LEAST))

    @property
    def sentence(self) -> str:
        """What is planned, in words."""
        which = f"one of {self.count:,} prefixes" if self.count > 1 else "the same prefix"
        same = f", of which {self.system:,} are the same in all" if self.system else ""
        return (
            f"Each prompt begins with {which} of {self.system + self.document:,} tokens{same}. "
            f"{units.share(self.planned)} of the prompt tokens should come from the server's "
            "prefix cache."
        )


def prefixes_of(config: RunConfig) -> Prefixes | None:
    """Return what the prompts of a run share; None if they share nothing."""
    if config.workload != "synthetic" or not config.prefix_share:
        return None
    requests = round(modes.expected(config) or MOST_PLANNED)
    count, system = config.prefix_count, config.prefix_system_tokens
    return _planned(lengths.of_prompts(config), requests, config.prefix_share, count, system)


@dataclass(frozen=True, slots=True)
class PlannedHits:
    """The share of a run's prompt tokens that should come from the prefix cache, and why."""

    share: float
    sentence: str


def planned_hits(config: RunConfig) -> PlannedHits | None:
    """Return what should come from the prefix cache; None for prompts that share nothing by
    plan."""
    if (shared := prefixes_of(config)) is not None:
        return PlannedHits(shared.planned, shared.sentence)
    if config.workload != "trace" or not config.trace[0].blocks:
        return None
    rows = config.replayed
    requests = round(modes.expected(config) or len(rows))
    share = _of_trace(Same(config.trace), rows, min(requests, MOST_ROWS))
    return PlannedHits(
        share,
        f"{units.share(share)} of the prompt tokens are in a prefix that an earlier prompt of the "
        "trace has, so they should come from the server's prefix cache.",
    )


@lru_cache(maxsize=16)
def _of_trace(same: Same[TraceRow], rows: range, requests: int) -> float:
    """The share of tokens in leading blocks that came before, of so many requests that use the rows
    in rotation: a cache that forgets nothing."""
    seen: set[int] = set()
    hits = total = 0
    for row in (same.values[rows[index % len(rows)]] for index in range(requests)):
        beginnings = list(accumulate(row.blocks, lambda before, block: hash((before, block))))
        known = sum(1 for _ in takewhile(seen.__contains__, beginnings))
        hits += min(row.input_tokens, known * BLOCK_TOKENS)
        total += row.input_tokens
        seen.update(beginnings)
    return hits / total


@lru_cache(maxsize=64)
def _planned(law: Lengths, requests: int, share: float, count: int, system: int) -> Prefixes:
    each = [law.of(index) for index in range(max(1, min(requests, MOST_PLANNED)))]
    low, high = 0.0, float(max(each))
    for _ in range(STEPS):
        middle = (low + high) / 2
        if hit_share(each, system, middle, count) < share:
            low = middle
        else:
            high = middle
    document = round(high)
    return Prefixes(system, document, count, hit_share(each, system, document, count))


def hit_share(each: list[int], system: float, document: float, count: int) -> float:
    """Return the share of the tokens of prompts of these lengths that one after another finds in a
    cache that forgets nothing."""
    cached, of_system, hits = [0.0] * count, 0.0, 0.0
    for index, length in enumerate(each):
        shared = min(system + document, max(0, length - OWN_LEAST))
        of_document = index % count
        hits += min(shared, max(cached[of_document], of_system))
        cached[of_document] = max(cached[of_document], shared)
        of_system = max(of_system, min(shared, system))
    return hits / sum(each)
