"""Summary of a run: of each repeat, then of the whole run.

Rates are computed per repeat; a run's rate is the mean over its repeats. Numbers are those of
successful requests; failed requests, and those that the client cancelled, are counted separately.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

import numpy as np

from services.analysis.metric_arrays import known, metric_array
from services.analysis.metrics import METRICS
from services.analysis.objectives import Attainment, Objectives, counted
from services.analysis.statistics import Distribution, distribution
from services.analysis.summary.cached import cached_share
from services.analysis.summary.gaps import gaps
from services.analysis.summary.repeats import (
    RepeatSummary,
    by_class,
    by_repeat,
    complete_sum,
    counted_rates,
    error_rate,
    jain,
    successes,
    summarize_repeat,
    tokens,
    values,
)
from services.analysis.summary.steady import peak, steady_output_tokens_per_s
from services.analysis.summary.window import METRICS as STEADY_METRICS
from services.analysis.summary.window import SteadyState, steady_state
from services.analysis.turns import session_times
from services.ask.config import RunConfig
from services.ask.measurement import ERROR_CLASSES, Measurement
from services.ask.measurements import Measurements, as_table
from services.ask.prices import Hourly, Price

CHANGING = ("ramp", "steps", "replay")  # modes in which the load itself changes

__all__ = ["CHANGING", "RepeatSummary", "Summary", "summarize", "summary_row"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of a run: counts and tokens over all repeats, rates as means over repeats,
    distributions over the successes of all repeats. None: not known."""

    repeats: tuple[RepeatSummary, ...]
    sent: int
    ok: int
    failed: int
    cancelled: int
    errors: dict[str, int]  # failed requests by class
    output_tokens: int | None
    prompt_tokens: int | None
    output_tokens_per_s: float | None
    total_tokens_per_s: float | None
    requests_per_s: float | None
    total_e2e_s: float | None  # sum over successes
    distributions: dict[str, Distribution | None]  # by metric name
    inter_chunk: Distribution | None  # seconds
    fairness: float | None  # Jain's index of tokens/s per request; 1: all equal
    error_rate: float | None
    steady_output_tokens_per_s: float | None
    peak_in_flight: int | None
    token_sources: dict[str, int]  # successes by the source of their token count
    cost_usd: float | None  # of all repeats; None if one is unknown
    usd_per_million_output: float | None  # of the cost including prompts; mean over repeats
    cost_source: str | None = None  # where the price is from, as text
    attainment: Attainment | None = None  # None without objectives
    classes: dict[str, Summary] = field(default_factory=dict)  # of a mix or of sessions, by class
    cached_share: float | None = None  # of the prompt tokens
    session_s: Distribution | None = None  # of completed sessions
    steady: SteadyState | None = None  # latencies without ramp-up and drain; None: never steady


def summarize(
    measurements: Sequence[Measurement],
    price: Price | Hourly | None = None,
    objectives: Objectives | None = None,
    placed: bool = True,
    config: RunConfig | None = None,
) -> Summary:
    """Summarize a run.

    `price` is needed for costs, `objectives` for goodput, and `config` for the request classes of a
    mixed workload. If not `placed`, the requests' times are not on a common clock (see
    `Run.placed`), and rates and requests in flight are unknown.
    """
    table = as_table(measurements)
    good = successes(table)
    groups = by_repeat(table)
    repeats = tuple(
        summarize_repeat(index, group, price, objectives, placed) for index, group in groups.items()
    )
    prompt_tokens, output_tokens = tokens(good)
    cost = complete_sum(repeat.cost_usd for repeat in repeats)
    errors = table.where(table.are("failed")).texts("error_class").counts()
    return Summary(
        repeats=repeats,
        sent=sum(repeat.sent for repeat in repeats),
        ok=len(good),
        failed=sum(errors.values()),
        cancelled=sum(repeat.cancelled for repeat in repeats),
        errors={name or "unknown": count for name, count in errors.items()},
        output_tokens=output_tokens,
        prompt_tokens=prompt_tokens,
        output_tokens_per_s=_mean(counted_rates(repeats, "output_tokens_per_s")),
        total_tokens_per_s=_mean(counted_rates(repeats, "total_tokens_per_s")),
        requests_per_s=_mean(counted_rates(repeats, "requests_per_s")),
        total_e2e_s=sum(latencies) if (latencies := values(good, "e2e_s")) else None,
        distributions={
            entry.name: distribution(known(metric_array(good, entry.name))) for entry in METRICS
        },
        inter_chunk=distribution(gaps(good)),
        fairness=_mean(jain(values(group, "tokens_per_s")) for group in groups.values()),
        error_rate=error_rate(table),
        steady_output_tokens_per_s=(
            _mean(map(steady_output_tokens_per_s, groups.values())) if placed else None
        ),
        peak_in_flight=max(map(peak, groups.values()), default=0) if placed else None,
        token_sources={str(name): n for name, n in good.texts("token_source").counts().items()},
        cost_usd=cost,
        usd_per_million_output=_mean(repeat.usd_per_million_output for repeat in repeats),
        cost_source=price.source if price and cost is not None else None,
        attainment=_attainment(objectives, table, repeats) if objectives else None,
        steady=steady_state(groups) if placed and not _changes(config) else None,
        classes={
            name: summarize(some, placed=placed)
            for name, some in (by_class(table, config) if config else {}).items()
        },
        cached_share=cached_share(good),
        session_s=_of_sessions(groups.values(), config) if config and placed else None,
    )


def _of_sessions(groups: Iterable[Measurements], config: RunConfig) -> Distribution | None:
    times = [session_times(group, config) for group in groups]
    return distribution(np.concatenate(times)) if times else None


def _changes(config: RunConfig | None) -> bool:
    """Whether the load itself changes during a repeat, so that no part of it is steady."""
    return config is not None and config.mode in CHANGING


def summary_row(summary: Summary) -> dict[str, Any]:
    """Return a summary as one flat, JSON-ready row: `output_tokens_per_s`, `ttft_s_median`,
    `e2e_s_p95`, `failed_timeout`, …. Every summary has the same keys, except for unknown error
    classes. A mixed workload has more for each request class: `short_ttft_s_median`, …"""
    row: dict[str, Any] = {"repeats": len(summary.repeats)}
    row |= {name: getattr(summary, name) for name in _FLAT}
    row |= {f"failed_{name}": 0 for name in ERROR_CLASSES}
    row |= {f"failed_{name}": count for name, count in summary.errors.items()}
    row |= _attained(summary.attainment)
    for name, spread in (
        *summary.distributions.items(),
        ("inter_chunk_s", summary.inter_chunk),
    ):
        numbers = asdict(spread) if spread else dict.fromkeys(Distribution.__dataclass_fields__)
        row |= {f"{name}_{statistic}": number for statistic, number in numbers.items()}
    row |= _steady(summary.steady)
    for name, part in summary.classes.items():
        row |= _of_class(name, part)
    if summary.session_s:
        row |= {f"session_s_{name}": number for name, number in asdict(summary.session_s).items()}
    return row


def _steady(steady: SteadyState | None) -> dict[str, Any]:
    """`window` is set if the run has one repeat; several repeats have one window each."""
    windows = steady.windows if steady else ()
    alone = windows[0] if len(windows) == 1 else None
    row: dict[str, Any] = {
        "steady_from_s": alone and alone.from_s,
        "steady_to_s": alone and alone.to_s,
        "steady_requests": steady and steady.requests,
    }
    for name in STEADY_METRICS:
        spread = steady and steady.distributions[name]
        numbers = asdict(spread) if spread else dict.fromkeys(Distribution.__dataclass_fields__)
        row |= {f"steady_{name}_{statistic}": number for statistic, number in numbers.items()}
    return row


def _of_class(name: str, part: Summary) -> dict[str, Any]:
    row = {count: getattr(part, count) for count in ("sent", "ok", "failed", "error_rate")}
    for metric in OF_CLASS:
        spread = part.distributions[metric]
        numbers = asdict(spread) if spread else dict.fromkeys(Distribution.__dataclass_fields__)
        row |= {f"{metric}_{statistic}": number for statistic, number in numbers.items()}
    return {f"{name}_{key}": value for key, value in row.items()}


def _mean(numbers: Iterable[float | None]) -> float | None:
    given = [number for number in numbers if number is not None]
    return fmean(given) if given else None


def _attainment(
    objectives: Objectives, measurements: Sequence[Measurement], repeats: Sequence[RepeatSummary]
) -> Attainment:
    good, ended = counted(objectives, measurements)
    rate = _mean(repeat.goodput_per_s for repeat in repeats) if ended else None
    return Attainment(objectives, good, ended, rate)


def _attained(attainment: Attainment | None) -> dict[str, Any]:
    low, high = attainment.interval if attainment and attainment.ended else (None, None)
    return {
        "goodput_per_s": attainment and attainment.goodput_per_s,
        "slo_attainment": attainment and attainment.share,
        "slo_attainment_low": low,
        "slo_attainment_high": high,
        "objectives": attainment and attainment.objectives.label,
    }


# The metrics reported for each class.
OF_CLASS = ("ttft_s", "e2e_s", "tpot_s", "tokens_per_s", "prompt_tokens", "output_tokens")
_FLAT = (
    "sent",
    "ok",
    "failed",
    "cancelled",
    "error_rate",
    "prompt_tokens",
    "output_tokens",
    "output_tokens_per_s",
    "total_tokens_per_s",
    "requests_per_s",
    "steady_output_tokens_per_s",
    "total_e2e_s",
    "fairness",
    "peak_in_flight",
    "cost_usd",
    "usd_per_million_output",
    "cost_source",
)
