"""How often the interval of a search for a capacity covers the truth: `python -m bench.coverage
[--searches N] [--write FILE]`.

Each row is N simulated searches of a queue whose capacity follows from Erlang C, with the code that
searches for real. Printed is how many found bounds on both sides, how many of these cover the
truth, and what they took; and what the verdicts say of servers that are equal or 10 % apart.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median

from bench import report
from services.analysis.capacity import (
    CapacityRatio,
    Estimate,
    Search,
    capacity_ratio,
    parse_objectives,
)
from services.base.units import NOTHING, share, significant
from tests.services.analysis.capacity.queue import Queue, searched

HEAD = (
    "slots × service time",
    "objective",
    "window",
    "capacity (requests/s)",
    "bounded",
    "covers",
    "mean probes",
    "median half-width",
)
MARGIN = 0.05
APART = 1.1


@dataclass(frozen=True, slots=True)
class Case:
    """A queue, and the percentile and the limit in seconds of its objective. `varies`: see
    `searched`."""

    queue: Queue
    percentile: int
    limit_s: float
    window_s: float = 60.0
    varies: float = 0.0

    @property
    def search(self) -> Search:
        objectives = parse_objectives([f"ttft:p{self.percentile}<{self.limit_s}"])
        lowest = min(1.0, self.queue.rate)
        return Search(objectives, lowest=lowest, window_s=self.window_s)

    @property
    def truth(self) -> float:
        return self.queue.capacity(self.limit_s, 1 - self.percentile / 100, self.varies)


USUAL = Case(Queue(8, 5.0), 95, 0.5)
CASES = (
    USUAL,
    Case(Queue(1, 50.0), 95, 0.5, 30.0),
    Case(Queue(4, 10.0), 95, 0.02),
    Case(Queue(32, 2.0), 95, 2.0),
    Case(Queue(8, 0.2), 95, 5.0),
    Case(Queue(8, 5.0), 99, 0.5),
    Case(Queue(8, 0.4), 99, 3.0),
    Case(Queue(8, 0.2), 99, 10.0),
    replace(USUAL, varies=0.03),
    replace(USUAL, varies=0.05),
)


def found(case: Case, seed: int) -> tuple[Estimate | None, int]:
    """Return the estimate of one search, and its number of probes."""
    ended, seen = searched(case.queue, seed, case.search, case.varies)
    return ended.estimate, len(seen)


def row(case: Case, count: int, pool: Executor) -> tuple[str, ...]:
    each = list(pool.map(partial(found, case), range(count), chunksize=10))
    bounded = [x for x, _ in each if x is not None and x.low and x.high]
    covers = sum((x.low or 0.0) <= case.truth <= (x.high or 0.0) for x in bounded)
    queue = f"{case.queue.slots} × {significant(1 / case.queue.rate)} s"
    return (
        f"{queue}, ± {share(case.varies)}" if case.varies else queue,
        f"p{case.percentile} ≤ {case.limit_s:g} s",
        f"{case.window_s:g} s",
        significant(case.truth),
        f"{len(bounded)} of {count}",
        f"{covers} of {len(bounded)}",
        significant(fmean(probes for _, probes in each)),
        share(median(x.width for x in bounded)) if bounded else NOTHING,
    )


def rows(count: int, pool: Executor) -> Iterator[tuple[str, ...]]:
    yield HEAD
    yield ("---",) * len(HEAD)
    for case in CASES:
        yield row(case, count, pool)


def verdicts(times: float, count: int, pool: Executor) -> str:
    """Return how often each verdict is given on a server that is `times` as fast as the first."""
    faster = replace(USUAL, queue=replace(USUAL.queue, rate=times * USUAL.queue.rate))
    first = pool.map(partial(found, USUAL), range(count), chunksize=10)
    second = pool.map(partial(found, faster), range(count, 2 * count), chunksize=10)
    words = Counter(
        ratio.word if ratio else "no interval"
        for ratio in (_ratio(a, b) for (a, _), (b, _) in zip(first, second, strict=True))
    )
    return ", ".join(f"{word} {number}" for word, number in words.most_common())


def _ratio(first: Estimate | None, other: Estimate | None) -> CapacityRatio | None:
    return capacity_ratio(first, other, MARGIN) if first and other else None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.coverage", description=__doc__)
    parser.add_argument("--searches", type=int, default=200, metavar="N", help="of each case")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into FILE")
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor() as pool:
        report.publish("coverage", rows(options.searches, pool), options.write)
        print(f"Equal servers: {verdicts(1.0, options.searches, pool)}.")
        print(f"10 % apart: {verdicts(APART, options.searches, pool)}.")


if __name__ == "__main__":
    main()
