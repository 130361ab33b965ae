"""Prefixes that prompts share, so that a planned share of their tokens is found in a prefix cache.

Each prompt begins with a system part, the same in all, and one of several documents, in rotation;
what follows is its own. The first use of a document finds only the system part, and the very first
request nothing. The length of the documents is chosen for the target: with n prompts of m tokens, d
documents of D tokens and a system part of S tokens, (n - 1) S + (n - d) D of n m tokens are hits.
Where prompts differ in length, short ones have only a part of the prefix, and D is found by
bisection. In sessions, only the first prompts share prefixes in this way; what later turns repeat
is found anyway, so the prefixes make up the rest of the target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from services.ask import lengths, modes, plan_of_sessions
from services.ask.config import RunConfig
from services.ask.config.prefixes import MIN_OWN
from services.ask.lengths import Lengths
from services.base import units

MAX_PLANNED = 20_000  # prompts that are considered one by one
STEPS = 20  # of the bisection: to a millionth of the longest prompt


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What prompts share, in tokens, and the share of prompt tokens that should be hits.
    `of_first`: the same for prompts that begin a session or are not part of one."""

    system: int
    document: int
    count: int
    planned: float
    of_first: float
    in_sessions: bool = False

    def tokens(self, length: int) -> int:
        """Return how many tokens of a prompt of this length are shared."""
        return min(self.system + self.document, max(0, length - MIN_OWN))

    @property
    def sentence(self) -> str:
        """The plan as a sentence."""
        which = f"one of {self.count:,} prefixes" if self.count > 1 else "the same prefix"
        same = f", of which {self.system:,} are the same in all" if self.system else ""
        begins = "session" if self.in_sessions else "prompt"
        return (
            f"Each {begins} begins with {which} of {self.system + self.document:,} tokens{same}. "
            f"{units.share(self.planned)} of the prompt tokens should come from the server's "
            "prefix cache."
        )


def prefixes_of(config: RunConfig) -> Prefixes | None:
    """Return what the prompts of a run share; None if they share nothing."""
    if config.workload != "synthetic" or not config.prefix_share:
        return None
    law, count, system = (
        lengths.of_prompts(config),
        config.prefix_count,
        config.prefix_system_tokens,
    )
    expected = modes.expected(config)
    if (repetition := plan_of_sessions.repeated(config)) is None:
        requests = round(expected or MAX_PLANNED)
        return _planned(law, requests, config.prefix_share, count, system)
    wanted, sessions = repetition.of_first(config.prefix_share), repetition.sessions
    if expected is None:
        sessions = MAX_PLANNED
    found = _planned(law, sessions, wanted, count, system, config.turns or 1)
    return replace(found, planned=repetition.share(found.of_first), in_sessions=True)


@lru_cache(maxsize=64)
def _planned(
    law: Lengths, requests: int, share: float, count: int, system: int, turns: int = 1
) -> Prefixes:
    """`turns`: only every `turns`-th request begins with a prefix."""
    each = [law.of(index * turns) for index in range(max(1, min(requests, MAX_PLANNED)))]
    low, high = 0.0, float(max(each))
    for _ in range(STEPS):
        middle = (low + high) / 2
        if hit_share(each, system, middle, count) < share:
            low = middle
        else:
            high = middle
    document = round(high)
    planned = hit_share(each, system, document, count)
    return Prefixes(system, document, count, planned, planned)


def hit_share(each: list[int], system: float, document: float, count: int) -> float:
    """Return the share of tokens that hit an unlimited cache, for prompts of these lengths sent one
    after another."""
    cached, of_system, hits = [0.0] * count, 0.0, 0.0
    for index, length in enumerate(each):
        shared = min(system + document, max(0, length - MIN_OWN))
        of_document = index % count
        hits += min(shared, max(cached[of_document], of_system))
        cached[of_document] = max(cached[of_document], shared)
        of_system = max(of_system, min(shared, system))
    return hits / sum(each)
