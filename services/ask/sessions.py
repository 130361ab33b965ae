"""Which requests of a run form a session: they follow each other, each after the previous answer
has ended.

A session is a run of consecutive indices, turn by turn. The sessions of a file are used in
rotation, like prompts. A run whose requests all stand alone has no `Sessions`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

from services.ask import conversation
from services.ask.config import RunConfig
from services.ask.dialogue import MARK, Turn
from services.base.same import ByIdentity


@dataclass(frozen=True)
class Sessions:
    """The delay in seconds before each turn of each session in the rotation, counted from the end
    of the previous answer; 0 for the first turn."""

    delays_s: tuple[tuple[float, ...], ...]

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The index of each session's first request, and the number of all requests."""
        return tuple(accumulate(map(len, self.delays_s), initial=0))

    @property
    def mean_turns(self) -> float:
        return self.starts[-1] / len(self.delays_s)

    def locate(self, index: int) -> tuple[int, int]:
        """Return (session, turn) of a request, both from 0."""
        rounds, rest = divmod(index, self.starts[-1])
        position = bisect_right(self.starts, rest) - 1
        return rounds * len(self.delays_s) + position, rest - self.starts[position]

    def first(self, session: int) -> int:
        """Return the index of a session's first request."""
        rounds, position = divmod(session, len(self.delays_s))
        return rounds * self.starts[-1] + self.starts[position]

    def delays(self, session: int) -> tuple[float, ...]:
        """Return the delays before the turns of a session, in seconds."""
        return self.delays_s[session % len(self.delays_s)]

    def count_within(self, requests: int) -> int:
        """Return how many sessions the first `count` requests belong to; the last may be cut
        short."""
        return self.locate(requests - 1)[0] + 1


def sessions_of(config: RunConfig) -> Sessions | None:
    """Return the sessions of a run, or None if it has none."""
    if config.turns == 1 or config.workload not in ("file", "synthetic"):
        return None
    if config.workload == "synthetic":
        later = (config.turn_delay_s or 0.0,) * ((config.turns or 1) - 1)
        return Sessions(((0.0, *later),)) if later else None
    given = config.turns, config.turn_by_turn, config.turn_delay_s, config.turn_delay_scale
    return _of_file(ByIdentity(config.prompts), *given)


@lru_cache(maxsize=16)
def _of_file(
    same: ByIdentity[str], most: int | None, by_message: bool, delay_s: float | None, scale: float
) -> Sessions | None:
    def delay(turn: Turn) -> float:
        return (turn.delay_s or 0.0) * scale if delay_s is None else delay_s

    def delays(prompt: str) -> tuple[float, ...]:
        if not prompt.startswith(MARK):
            return (0.0,)
        return (0.0, *map(delay, conversation.turns(prompt, by_message, most)[1:]))

    found = tuple(map(delays, same.values))
    return Sessions(found) if any(len(each) > 1 for each in found) else None
