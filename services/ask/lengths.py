"""The lengths of prompts and answers: drawn from a distribution, by the index of a request alone.

They are therefore the same in every repeat, and for all candidates of a comparison. With a mean m
and a spread s, before rounding to whole tokens:

uniform: every length from m (1 - s) to m (1 + s) is equally likely; s is the range ratio of
    `vllm bench serve --random-range-ratio`.
normal: with the standard deviation s m, as in guidellm (`prompt_tokens_stdev`); what is below 1 or
    above MAX_TOKENS, and what is as far on the other side, is drawn again, which keeps the mean.
lognormal: the logarithm is normal with variance ln(1 + s²) and mean ln m minus half of that, which
    gives the length the mean m and the standard deviation s m; what is above MAX_TOKENS is drawn
    again, which costs little of the mean, see `config.spreads`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import exp, log, log1p, sqrt
from operator import attrgetter
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.ask.config import MAX_TOKENS, Distribution, RunConfig
from services.ask.sessions import sessions_of

PERCENTILES = (5, 50, 95)
MAX_ADDED = 20_000  # lengths that are added up individually
_STANDARD = NormalDist()


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of lengths in tokens. `seed` and `kind` determine the random lengths."""

    mean: int
    distribution: Distribution
    spread: float
    key: str

    @property
    def vary(self) -> bool:
        """Whether lengths differ."""
        return self.distribution != "fixed"

    def of(self, index: int) -> int:
        """Return the length for request `index`."""
        if self.distribution == "fixed":
            return self.mean
        return self.quantile(_pseudo_random(f"{self.key}/{index}"))

    def of_each(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the lengths for these requests."""
        if self.distribution == "fixed":
            return np.full(len(indices), self.mean, dtype=np.int64)
        return np.array([self.of(index) for index in indices.tolist()], dtype=np.int64)

    def quantile(self, share: float) -> int:
        """Return the quantile of the lengths at a share from 0 to 1."""
        length = LAWS[self.distribution](self.mean, self.spread, share)
        return max(1, min(round(length), MAX_TOKENS))

    def total(self, count: int) -> int:
        """Return the total tokens of the first `count` requests; for very many, `count` times their
        mean."""
        if self.distribution == "fixed" or count > MAX_ADDED:
            return count * self.mean
        return sum(map(self.of, range(count)))

    def longest(self, count: int) -> int:
        """Return the longest of the first `count` lengths; for very many, a length that is exceeded
        in one of a hundred runs."""
        if self.distribution == "fixed":
            return self.mean
        if count > MAX_ADDED:
            return self.quantile(1 - 0.01 / count)
        return max(map(self.of, range(count)), default=self.mean)

    @property
    def sentence(self) -> str:
        """Percentiles as text: "p5 212, p50 480, p95 1,240 tokens"; "" if all lengths are equal."""
        return _percentiles(self.quantile) if self.vary else ""


@dataclass(frozen=True, slots=True)
class GivenLengths:
    """Lengths from a file, used in its order and in rotation, with the same methods as `Lengths`.
    `each`: the length of one of `count` requests, by its index."""

    count: int
    each: Callable[[int], int]
    vary = True

    @property
    def mean(self) -> int:
        """The rounded mean."""
        return round(self.total(self.count) / self.count)

    def of(self, index: int) -> int:
        """Return the length for request `index`."""
        return self.each(index % self.count)

    def quantile(self, share: float) -> int:
        """Return the quantile of the lengths at a share from 0 to 1."""
        ordered = sorted(map(self.each, range(self.count)))
        return ordered[min(int(share * self.count), self.count - 1)]

    def total(self, count: int) -> int:
        """Return the total tokens of the first `count` requests."""
        rounds, more = divmod(count, self.count)
        whole = rounds and rounds * sum(map(self.each, range(self.count)))
        return whole + sum(map(self.each, range(more)))

    def longest(self, count: int) -> int:
        """Return the longest of the first `count` lengths."""
        return max(map(self.each, range(min(max(1, count), self.count))))

    @property
    def sentence(self) -> str:
        """Percentiles as text: "p5 212, p50 480, p95 1,240 tokens"."""
        return _percentiles(self.quantile)


def _percentiles(at: Callable[[float], int]) -> str:
    each = (f"p{p} {at(p / 100):,}" for p in PERCENTILES)
    return f"{', '.join(each)} tokens"


def of_prompts(config: RunConfig) -> Lengths | GivenLengths:
    """Return the lengths of a trace's prompts or of synthetic ones."""
    if config.workload == "trace":
        return _of_trace(config, "input_tokens")
    key = f"{config.seed or 0}/input"
    return Lengths(config.input_tokens, config.input_distribution, config.input_spread, key)


def of_answers(config: RunConfig) -> Lengths | GivenLengths:
    """Return the maximum lengths of answers."""
    if config.workload == "trace":
        return _of_trace(config, "output_tokens")
    if config.workload == "file" and config.prompt_max_tokens:
        return _of_file(config)
    key = f"{config.seed or 0}/output"
    return Lengths(config.max_tokens, config.output_distribution, config.output_spread, key)


def _of_trace(config: RunConfig, name: Literal["input_tokens", "output_tokens"]) -> GivenLengths:
    rows, value = config.replayed, attrgetter(name)
    return GivenLengths(len(rows), lambda index: value(config.trace[rows[index]]))


def _of_file(config: RunConfig) -> GivenLengths:
    """A conversation's limit applies to each of its turns."""
    limits, sessions = config.prompt_max_tokens, sessions_of(config)
    if sessions is None:
        return GivenLengths(len(limits), lambda index: limits[index] or config.max_tokens)
    return GivenLengths(
        sessions.starts[-1],
        lambda index: limits[sessions.locate(index)[0]] or config.max_tokens,
    )


def _pseudo_random(key: str) -> float:
    """A pseudo-random number between 0 and 1."""
    return (int.from_bytes(blake2b(key.encode(), digest_size=6).digest()) + 0.5) / 2**48


def _fixed(mean: int, spread: float, share: float) -> float:
    return mean


def _uniform(mean: int, spread: float, share: float) -> float:
    return mean * (1 + spread * (2 * share - 1))


def _normal(mean: int, spread: float, share: float) -> float:
    widest = min(mean - 1, MAX_TOKENS - mean)  # on each side
    outside = _STANDARD.cdf(-widest / (spread * mean))
    return mean + spread * mean * _STANDARD.inv_cdf(outside + share * (1 - 2 * outside))


def _lognormal(mean: int, spread: float, share: float) -> float:
    deviation = sqrt(log1p(spread**2))
    middle = log(mean) - deviation**2 / 2
    inside = _STANDARD.cdf((log(MAX_TOKENS) - middle) / deviation)
    return exp(middle + deviation * _STANDARD.inv_cdf(share * inside))


LAWS: Mapping[Distribution, Callable[[int, float, float], float]] = {
    "fixed": _fixed,
    "uniform": _uniform,
    "normal": _normal,
    "lognormal": _lognormal,
}
