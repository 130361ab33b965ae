"""Summary of one repeat. Repeats are the unit of statistics, so rates are computed here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from services.analysis.metric_arrays import first_sends, known, metric_array
from services.analysis.objectives import Objectives, counted, goodput
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.ask.measurements import Floats, Measurements, as_table
from services.ask.prices import Hourly, Price
from services.ask.workloads import classes, classifier
from services.base.finite import rate

Number = TypeVar("Number", int, float)


RATES = ("output_tokens_per_s", "total_tokens_per_s", "requests_per_s")


@dataclass(frozen=True, slots=True)
class RepeatSummary:
    """One pass over the schedule. Rates are per second of `window_s`; None: not known."""

    index: int
    window_s: float | None  # first request sent to last token, see `window`
    sent: int
    ok: int
    failed: int
    cancelled: int
    output_tokens: int | None  # of successes; None if one is not known
    prompt_tokens: int | None
    output_tokens_per_s: float | None
    total_tokens_per_s: float | None  # prompt and output tokens
    requests_per_s: float | None  # successes
    cost_usd: float | None = None
    usd_per_million_output: float | None = None  # of the cost including prompts
    goodput_per_s: float | None = None  # requests that met the objectives; None without objectives
    slo_attainment: float | None = None  # share of requests that met the objectives


def counted_rates(repeats: Sequence[RepeatSummary], name: str) -> list[float | None]:
    """Return the rate of each repeat as it counts in the mean: 0 if every request of the repeat
    failed, unless none of the run succeeded."""
    if not any(repeat.ok for repeat in repeats):
        return [None] * len(repeats)
    return [0.0 if repeat.failed and not repeat.ok else getattr(repeat, name) for repeat in repeats]


def summarize_repeat(
    index: int,
    group: Sequence[Measurement],
    price: Price | Hourly | None = None,
    objectives: Objectives | None = None,
    placed: bool = True,
) -> RepeatSummary:
    """Summarize one repeat; arguments as in `summarize`."""
    table = as_table(group)
    good = successes(table)
    count = table.texts("status").counts()
    unsent = int(np.sum(table.are("cancelled") & np.isnan(first_sends(table))))
    prompt_tokens, output_tokens = tokens(good)
    seconds = window(table) if good and placed else None
    both_known = prompt_tokens is not None and output_tokens is not None
    met, ended = counted(objectives, table) if objectives else (0, 0)
    cost = price.of(prompt_tokens, output_tokens, seconds) if price else None
    return RepeatSummary(
        index=index,
        window_s=seconds,
        sent=len(group) - unsent,
        ok=count["ok"],
        failed=count["failed"],
        cancelled=count["cancelled"],
        output_tokens=output_tokens,
        prompt_tokens=prompt_tokens,
        output_tokens_per_s=rate(output_tokens, seconds),
        total_tokens_per_s=rate((prompt_tokens or 0) + (output_tokens or 0), seconds)
        if both_known
        else None,
        requests_per_s=rate(len(good), seconds),
        cost_usd=cost,
        usd_per_million_output=cost / output_tokens * 1e6 if cost and output_tokens else None,
        goodput_per_s=goodput(met, ended, seconds),
        slo_attainment=met / ended if ended else None,
    )


def successes(measurements: Sequence[Measurement]) -> Measurements:
    table = as_table(measurements)
    return table.where(table.are("ok"))


def by_repeat(measurements: Sequence[Measurement]) -> dict[int, Measurements]:
    """Return the measurements by repeat index, in order."""
    table = as_table(measurements)
    of = table.numbers("repeat")
    return {int(repeat): table.where(of == repeat) for repeat in np.unique(of)}


def by_class(measurements: Sequence[Measurement], config: RunConfig) -> dict[str, Measurements]:
    """Return the measurements by request class, see `workloads.classes`."""
    names = classes(config)
    if not names:
        return {}
    table = as_table(measurements)
    indices, inverse = np.unique(table.numbers("index"), return_inverse=True)
    class_of = classifier(config)
    of = np.array([names.index(class_of(int(index))) for index in indices], dtype=int)
    return {name: table.where(of[inverse] == number) for number, name in enumerate(names)}


def values(measurements: Sequence[Measurement], name: str) -> list[float]:
    """Return the known values of the metric `name`."""
    numbers: list[float] = known(metric_array(measurements, name)).tolist()
    return numbers


def window(measurements: Sequence[Measurement]) -> float | None:
    """Return max(last token) − min(first sent) of one repeat, in seconds.

    A failed request counts up to its last token, since the server worked on it until then; waiting
    for a token that never came is the client's timeout and does not count. Cancelled requests do
    not count: when the client cancelled them says nothing about the server.
    """
    table = as_table(measurements)
    ended = table.where(~table.are("cancelled"))
    sent, last = known(first_sends(ended)), known(ended.numbers("t_last"))
    return float(last.max() - sent.min()) if len(sent) and len(last) else None


def error_rate(measurements: Sequence[Measurement]) -> float | None:
    """Return the share of requests whose first attempt failed, without cancelled ones; None if
    there are none."""
    table = as_table(measurements)
    ended = table.where(~table.are("cancelled"))
    failed = int(np.count_nonzero(ended.are("failed") | (ended.numbers("attempts") > 1)))
    return failed / len(ended) if len(ended) else None


def jain(rates: Sequence[float]) -> float | None:
    """Return Jain's fairness index (Σx)² / (n Σx²): 1 if all are equal, 1/n if one request has
    everything.

    Jain, Chiu and Hawe 1984.
    """
    squares = sum(rate * rate for rate in rates)
    return sum(rates) ** 2 / (len(rates) * squares) if squares else None


def tokens(good: Measurements) -> tuple[int | None, int | None]:
    """Return the total prompt and output tokens; None if those of one request are unknown."""
    return _total(good.numbers("prompt_tokens")), _total(good.numbers("output_tokens"))


def _total(counts: Floats) -> int | None:
    return int(counts.sum()) if len(counts) and not np.isnan(counts).any() else None


def complete_sum(numbers: Iterable[Number | None]) -> Number | None:
    """Return the sum; None if a number is None, or there are none."""
    numbers = list(numbers)
    known = [number for number in numbers if number is not None]
    return sum(known) if known and len(known) == len(numbers) else None
