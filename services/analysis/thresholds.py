"""Pass/fail conditions on a run or a comparison: `ttft:p95<0.5`, or not slower than the baseline.

An unknown value fails its threshold: only a measured value can pass.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.analysis.compare import Candidate, Comparison, Verdict, Word
from services.analysis.compare.candidate import labels_of, row_of
from services.analysis.compare.findings import E2E, RATE, THROUGHPUT, TTFT, Finding, finding
from services.analysis.compare.ratio_text import verdict_label
from services.analysis.figures import figure_name
from services.analysis.metrics import Metric, metric, of_class
from services.analysis.statistics import FLOORS
from services.analysis.summary import OF_CLASS, Summary
from services.ask.workloads import CLASSES
from services.base.errors import Invalid
from services.base.units import show


class InvalidThreshold(Invalid):
    """A threshold that cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A condition on a run. `name` is a key of REQUESTS, with a statistic, or of RUNS."""

    text: str
    name: str
    statistic: str  # "" for a key of RUNS
    sign: str
    limit: float  # in the unit of the metric: seconds, tokens/s, a share, USD


@dataclass(frozen=True, slots=True)
class ThresholdResult:
    """Whether a run passed a threshold; `value` is None if it is not known."""

    slo: str
    value: float | None
    passed: bool
    sentence: str


def parse_threshold(text: str) -> Threshold:
    """Parse a threshold such as `ttft:p95<0.5` or `error_rate<=0.01`.

    Raises:
        InvalidThreshold: the text is not a threshold.
    """
    match = re.fullmatch(r"\s*(\w+)(?::(\w+))?\s*(<=|>=|<|>)\s*(\S+)\s*", text)
    if not match:
        raise InvalidThreshold(
            f"“{text[:60]}” is not a condition. Put it in quotes, because a shell interprets < and "
            ">: 'ttft:p95<0.5', 'error_rate<0.01'."
        )
    name, statistic, sign, number = match.groups(default="")
    if name not in REQUESTS and name not in RUNS:
        raise InvalidThreshold(
            f"Unknown metric {name[:40]}; choose from {', '.join((*REQUESTS, *RUNS))}."
        )
    if name in REQUESTS and statistic not in STATISTICS:
        raise InvalidThreshold(
            f"{name} needs a statistic, one of {', '.join(STATISTICS)}: '{name}:p95{sign}…'."
        )
    if name in RUNS and statistic:
        raise InvalidThreshold(
            f"{name} is a single number for the run: leave out :{statistic[:20]}."
        )
    return Threshold(text.strip(), name, statistic, sign, _limit(name, number))


def _limit(name: str, number: str) -> float:
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise InvalidThreshold(
            f"“{number[:40]}” is not a number: {name} is in {_unit(name)}, written without the "
            "unit."
        )
    return limit


def check(thresholds_: Sequence[Threshold], candidate: Candidate) -> tuple[ThresholdResult, ...]:
    """Check a run against its thresholds. An unfinished run gets one more result, which fails."""
    run = candidate.run
    row = row_of(candidate)
    results = tuple(_result(threshold, candidate.summary, row) for threshold in thresholds_)
    if run.status == "done":
        return results
    sentence = f"Run {run.id} did not finish: it is {run.status}."
    return (ThresholdResult("status", None, False, sentence), *results)


def _result(threshold: Threshold, summary: Summary, row: Mapping[str, Any]) -> ThresholdResult:
    sign, keeps = SIGNS[threshold.sign]
    unit = _unit(threshold.name)
    condition = f"{_label(threshold)} {sign} {show(threshold.limit, unit)}"
    value = row.get(_key(threshold))  # an imported run lacks some
    if value is None:
        return ThresholdResult(
            threshold.text, None, False, f"{condition}: {_why_not(threshold, summary)}"
        )
    return ThresholdResult(
        threshold.text,
        value,
        keeps(value, threshold.limit),
        f"{condition}: measured {show(value, unit)}",
    )


def _why_not(threshold: Threshold, summary: Summary) -> str:
    if threshold.name in OBJECTIVES and summary.attainment is None:
        return "unknown, because no objective is set. Set one: --ttft-limit 0.5."
    if threshold.name in REQUESTS and (name := _metric(threshold.name)[1]):
        if name not in summary.classes:
            return f"unknown, because the run has no {CLASSES[name]}."
        return _why_not(
            replace(threshold, name=threshold.name.removeprefix(f"{name}_")), summary.classes[name]
        )
    if threshold.name == "session" and summary.session_s is None:
        return "unknown, because no session was completed."
    distribution = summary.distributions.get(REQUESTS.get(threshold.name, ""))
    needed = (
        FLOORS.get(int(threshold.statistic[1:]))
        if threshold.statistic in ("p90", "p95", "p99")
        else None
    )
    if distribution and needed and distribution.n < needed:
        return (
            f"needs {needed:,} requests; there are {distribution.n:,}. Send more, or use the "
            "median."
        )
    return "unknown for this run."


def _key(threshold: Threshold) -> str:
    """The key in `summary_row`."""
    return (
        f"{REQUESTS[threshold.name]}_{STATISTICS[threshold.statistic]}"
        if threshold.statistic
        else RUNS[threshold.name]
    )


def _label(threshold: Threshold) -> str:
    if threshold.statistic:
        entry, name = _metric(threshold.name)
        label = f"{entry.label}, {threshold.statistic}"
        return of_class(name, label) if name else label
    return figure_name(RUNS[threshold.name])[0]


def _unit(name: str) -> str:
    return _metric(name)[0].unit if name in REQUESTS else figure_name(RUNS[name])[1]


def _metric(name: str) -> tuple[Metric, str]:
    """The metric behind a name, and its request class of a mixed workload, or ""."""
    of, _, plain = name.partition("_")
    return (metric(REQUESTS[plain]), of) if of in CLASSES else (metric(REQUESTS[name]), "")


def check_verdicts(
    comparison: Comparison,
    words: Collection[Word],
    measure: str | None = None,
    allow_no_verdict: bool = False,
) -> list[str]:
    """Return a sentence for each run whose verdict is among `words`, by one of MEASURES or the
    deciding measure, and for each run without a verdict unless `allow_no_verdict`."""
    bad = {*words, *(() if allow_no_verdict else ("no verdict",))}
    names = labels_of((comparison.baseline, *comparison.others))
    sentences = []
    for name, verdict in zip(names[1:], comparison.verdicts, strict=True):
        item = _finding(verdict, measure)
        if item.word in bad:
            text = verdict_label(item.word, verdict.margin)
            sentences.append(f"{name} against {names[0]}: {text}, by {item.label}.")
    return sentences


def _finding(verdict: Verdict, measure: str | None) -> Finding:
    return finding(verdict.findings, MEASURES[measure]) if measure else verdict.findings[0]


WORDS: tuple[Word, ...] = ("faster", "slower", "equivalent", "inconclusive", "no verdict")
SIGNS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "<": ("<", operator.lt),
    "<=": ("≤", operator.le),
    ">": (">", operator.gt),
    ">=": ("≥", operator.ge),
}
STATISTICS = {
    "median": "median",
    "p50": "median",
    "mean": "mean",
    "sd": "sd",
    "min": "minimum",
    "max": "maximum",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
}
REQUESTS = {  # metrics of requests, which need a statistic
    "ttft": "ttft_s",
    "ttfa": "ttfa_s",
    "tpot": "tpot_s",
    "e2e": "e2e_s",
    "tokens_per_s": "tokens_per_s",
    "decode_tokens_per_s": "decode_tokens_per_s",
    "output_tokens": "output_tokens",
}
REQUESTS |= {  # of a mixed workload, by class: short_ttft
    f"{of}_{name}": f"{of}_{field}"
    for of in CLASSES
    for name, field in REQUESTS.items()
    if field in OF_CLASS
}
REQUESTS["session"] = "session_s"  # of sessions, which need a statistic, too
OBJECTIVES = ("goodput", "attainment")  # these need objectives
RUNS = {  # numbers of a whole run
    "goodput": "goodput_per_s",
    "attainment": "slo_attainment",
    "error_rate": "error_rate",
    "throughput": "output_tokens_per_s",
    "requests_per_s": "requests_per_s",
    "cost": "cost_usd",
    "usd_per_million_output": "usd_per_million_output",
}
MEASURES = {"throughput": THROUGHPUT, "tokens_per_s": RATE, "ttft": TTFT, "e2e": E2E}
