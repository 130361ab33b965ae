"""Summary of one repeat. Repeats are the unit of statistics, so rates are computed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from services.analysis.metrics import metric
from services.analysis.objectives import Objectives, counted, goodput
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.ask.prices import Hourly, Price
from services.ask.workloads import class_of, classes
from services.base.finite import rate

Number = TypeVar("Number", int, float)


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


def summarize_repeat(
    index: int,
    group: Sequence[Measurement],
    price: Price | Hourly | None = None,
    objectives: Objectives | None = None,
    placed: bool = True,
) -> RepeatSummary:
    """Summarize one repeat; arguments as in `summarize`."""
    good = successes(group)
    count = Counter(m.status for m in group)
    unsent = sum(m.status == "cancelled" and m.t_send is None for m in group)
    prompt_tokens, output_tokens = tokens(good)
    seconds = window(group) if good and placed else None
    known = prompt_tokens is not None and output_tokens is not None
    met, ended = counted(objectives, group) if objectives else (0, 0)
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
        if known
        else None,
        requests_per_s=rate(len(good), seconds),
        cost_usd=cost,
        usd_per_million_output=cost / output_tokens * 1e6 if cost and output_tokens else None,
        goodput_per_s=goodput(met, ended, seconds),
        slo_attainment=met / ended if ended else None,
    )


def successes(measurements: Iterable[Measurement]) -> list[Measurement]:
    return [m for m in measurements if m.status == "ok"]


def by_repeat(measurements: Iterable[Measurement]) -> dict[int, list[Measurement]]:
    """Return the measurements by repeat index, in order."""
    groups: dict[int, list[Measurement]] = {}
    for m in measurements:
        groups.setdefault(m.repeat, []).append(m)
    return dict(sorted(groups.items()))


def by_class(
    measurements: Iterable[Measurement], config: RunConfig
) -> dict[str, list[Measurement]]:
    """Return the measurements by request class, see `workloads.classes`."""
    groups: dict[str, list[Measurement]] = {name: [] for name in classes(config)}
    for m in measurements if groups else ():
        groups[class_of(config, m.index)].append(m)
    return groups


def values(measurements: Iterable[Measurement], name: str) -> list[float]:
    """Return the known values of the metric `name`."""
    of: Callable[[Measurement], float | None] = metric(name).of
    return [value for m in measurements if (value := of(m)) is not None]


def window(measurements: Iterable[Measurement]) -> float | None:
    """Return max(last token) − min(sent) of one repeat, in seconds.

    A failed request counts up to its last token, since the server worked on it until then; waiting
    for a token that never came is the client's timeout and does not count. Cancelled requests do
    not count: when the client cancelled them says nothing about the server.
    """
    ended = [m for m in measurements if m.status != "cancelled"]
    sent = [m.t_send for m in ended if m.t_send is not None]
    last = [m.t_last for m in ended if m.t_last is not None]
    return max(last) - min(sent) if sent and last else None


def error_rate(measurements: Iterable[Measurement]) -> float | None:
    """Return the share of requests whose first attempt failed, without cancelled ones; None if
    there are none."""
    ended = [m for m in measurements if m.status != "cancelled"]
    failed = sum(m.status == "failed" or m.attempts > 1 for m in ended)
    return failed / len(ended) if ended else None


def jain(rates: Sequence[float]) -> float | None:
    """Return Jain's fairness index (Σx)² / (n Σx²): 1 if all are equal, 1/n if one has everything.

    Jain, Chiu and Hawe 1984.
    """
    squares = sum(rate * rate for rate in rates)
    return sum(rates) ** 2 / (len(rates) * squares) if squares else None


def tokens(good: Sequence[Measurement]) -> tuple[int | None, int | None]:
    """Return the total prompt and output tokens; None if those of one request are unknown."""
    return complete_sum(m.prompt_tokens for m in good), complete_sum(m.output_tokens for m in good)


def complete_sum(numbers: Iterable[Number | None]) -> Number | None:
    """Return the sum; None if a number is None, or there are none."""
    numbers = list(numbers)
    known = [number for number in numbers if number is not None]
    return sum(known) if known and len(known) == len(numbers) else None
