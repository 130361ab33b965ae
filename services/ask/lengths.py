"""How long prompts and answers are: lengths from a distribution, by the index of a request alone.

They are therefore the same in every repeat, and for all candidates of a comparison. With a mean m
and a spread s, before rounding to whole tokens:

uniform: every length from m (1 - s) to m (1 + s) is equally likely; s is the range ratio of
    `vllm bench serve --random-range-ratio`.
normal: with the standard deviation s m, as in guidellm (`prompt_tokens_stdev`); what lies outside
    1 to 2 m - 1 is drawn again, which keeps the mean.
lognormal: the logarithm is normal with variance ln(1 + s²) and mean ln m minus half of that, which
    gives the length the mean m and the standard deviation s m; what is above MOST_TOKENS is drawn
    again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from math import exp, log, log1p, sqrt
from statistics import NormalDist
from typing import Literal

from services.ask.config import MOST_TOKENS, Distribution, RunConfig

PERCENTILES = (5, 50, 95)
MOST_ADDED = 20_000  # lengths that are added up one by one
_STANDARD = NormalDist()


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of lengths in tokens, and the seed and kind of what is drawn from it."""

    mean: int
    distribution: Distribution
    spread: float
    key: str

    @property
    def vary(self) -> bool:
        """Whether not all are alike."""
        return self.distribution != "fixed"

    def of(self, index: int) -> int:
        """Return the length that belongs to request `index`."""
        if self.distribution == "fixed":
            return self.mean
        return self.at(_share(f"{self.key}/{index}"))

    def at(self, share: float) -> int:
        """Return the length that this share of all lengths, from 0 to 1, is below or equal to."""
        length = LAWS[self.distribution](self.mean, self.spread, share)
        return max(1, min(round(length), MOST_TOKENS))

    def total(self, count: int) -> int:
        """Return the tokens of the first `count` requests; of very many by their mean."""
        if self.distribution == "fixed" or count > MOST_ADDED:
            return count * self.mean
        return sum(map(self.of, range(count)))

    def longest(self, count: int) -> int:
        """Return the longest of the first `count` lengths; of very many one that the longest
        exceeds once in a hundred runs."""
        if self.distribution == "fixed":
            return self.mean
        if count > MOST_ADDED:
            return self.at(1 - 0.01 / count)
        return max(map(self.of, range(count)), default=self.mean)

    @property
    def sentence(self) -> str:
        """Percentiles, such as "p5 212, p50 480, p95 1,240 tokens"; "" if all are alike."""
        return _percentiles(self.at) if self.vary else ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The lengths of a trace's prompts or answers, in its order and in rotation: the same questions
    as of `Lengths`. `part`: the place of the length in a row."""

    config: RunConfig
    part: Literal["input_tokens", "output_tokens"]
    vary = True

    @property
    def mean(self) -> int:
        """The rounded mean."""
        return round(self.total(len(self.config.replayed)) / len(self.config.replayed))

    def of(self, index: int) -> int:
        """Return the length that belongs to request `index`."""
        length: int = getattr(self.config.row(index), self.part)
        return length

    def at(self, share: float) -> int:
        """Return the length that this share of all lengths, from 0 to 1, is below or equal to."""
        ordered = sorted(self._all())
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    def total(self, count: int) -> int:
        """Return the tokens of the first `count` requests."""
        rounds, more = divmod(count, len(self.config.replayed))
        return rounds * sum(self._all()) + sum(islice(self._all(), more))

    def longest(self, count: int) -> int:
        """Return the longest of the first `count` lengths."""
        return max(islice(self._all(), max(1, count)))

    @property
    def sentence(self) -> str:
        """Percentiles, such as "p5 212, p50 480, p95 1,240 tokens"."""
        return _percentiles(self.at)

    def _all(self) -> Iterator[int]:
        return (getattr(self.config.trace[row], self.part) for row in self.config.replayed)


def _percentiles(at: Callable[[float], int]) -> str:
    each = (f"p{p} {at(p / 100):,}" for p in PERCENTILES)
    return f"{', '.join(each)} tokens"


def of_prompts(config: RunConfig) -> Lengths | Recorded:
    """Return how long the prompts of a trace or synthetic ones are."""
    if config.workload == "trace":
        return Recorded(config, "input_tokens")
    key = f"{config.seed or 0}/input"
    return Lengths(config.input_tokens, config.input_distribution, config.input_spread, key)


def of_answers(config: RunConfig) -> Lengths | Recorded:
    """Return how long answers may be."""
    if config.workload == "trace":
        return Recorded(config, "output_tokens")
    key = f"{config.seed or 0}/output"
    return Lengths(config.max_tokens, config.output_distribution, config.output_spread, key)


def _share(key: str) -> float:
    """A number between 0 and 1 that looks random."""
    return (int.from_bytes(blake2b(key.encode(), digest_size=6).digest()) + 0.5) / 2**48


def _fixed(mean: int, spread: float, share: float) -> float:
    return mean


def _uniform(mean: int, spread: float, share: float) -> float:
    return mean * (1 + spread * (2 * share - 1))


def _normal(mean: int, spread: float, share: float) -> float:
    outside = _STANDARD.cdf((1 - mean) / (spread * mean))  # on each side
    return mean + spread * mean * _STANDARD.inv_cdf(outside + share * (1 - 2 * outside))


def _lognormal(mean: int, spread: float, share: float) -> float:
    deviation = sqrt(log1p(spread**2))
    middle = log(mean) - deviation**2 / 2
    inside = _STANDARD.cdf((log(MOST_TOKENS) - middle) / deviation)
    return exp(middle + deviation * _STANDARD.inv_cdf(share * inside))


LAWS: Mapping[Distribution, Callable[[int, float, float], float]] = {
    "fixed": _fixed,
    "uniform": _uniform,
    "normal": _normal,
    "lognormal": _lognormal,
}
