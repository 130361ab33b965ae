"""What later turns of sessions repeat: the whole conversation so far, which the server may have
cached.

A cache that forgets nothing has the prompt of the previous turn and, if the history is what the
server answered, also its answer. A recorded answer is new to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repeated:
    """Token counts of some requests. `tokens`: all prompts; `found`: what earlier turns of the
    session left in the cache; `first`: the prompts that begin a session; `sessions`: the number of
    these."""

    tokens: float
    found: float
    first: float
    sessions: int

    def times(self, count: int) -> Repeated:
        """Return the counts for `count` times these requests."""
        return Repeated(
            self.tokens * count, self.found * count, self.first * count, self.sessions * count
        )

    def share(self, of_first: float = 0.0) -> float:
        """Return the share of all prompt tokens that should be cache hits. `of_first`: the share of
        the first prompts' tokens that other sessions left in the cache."""
        return (self.found + of_first * self.first) / self.tokens

    def of_first(self, share: float) -> float:
        """Return the `of_first` at which `share` returns this value; at least 0."""
        return max(0.0, (share * self.tokens - self.found) / self.first)


def of_turns(turns: Sequence[tuple[float, float]], answered: bool) -> list[Repeated]:
    """Return the counts for each turn of a session, from (tokens of the new message, of the
    history). `answered`: the server's answers are the history."""
    prompts = [own + before for own, before in turns]
    later = [
        Repeated(prompts[k], turns[k][1] if answered else prompts[k - 1], 0.0, 0)
        for k in range(1, len(turns))
    ]
    return [Repeated(prompts[0], 0.0, prompts[0], 1), *later]


def of_equal_turns(count: int, asked: float, answer: float, answered: bool) -> Repeated:
    """Return the counts for a session of `count` turns with equal lengths of messages and of
    answers."""
    return total(of_turns([(asked, k * (asked + answer)) for k in range(count)], answered))


def total(each: Sequence[Repeated]) -> Repeated:
    """Return the sum of all counts."""
    return Repeated(
        sum(turn.tokens for turn in each),
        sum(turn.found for turn in each),
        sum(turn.first for turn in each),
        sum(turn.sessions for turn in each),
    )
