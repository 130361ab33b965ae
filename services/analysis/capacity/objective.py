"""Objectives that a server has to meet at a load:

`ttft:p95<0.5`, `error_rate<0.01`. Each is the share of requests, of all that ended, that must be
within a limit; a failed request is within no limit. A share can be missed by a little or by a lot,
which is what a search needs; a percentile is either below its limit or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.analysis.metrics import metric
from services.analysis.thresholds import InvalidThreshold, Threshold, parse_threshold
from services.base.units import seconds

ERRORS = "error_rate"
SHARES = {"median": 0.5, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
METRICS = {"ttft": "ttft_s", "ttfa": "ttfa_s", "tpot": "tpot_s", "e2e": "e2e_s"}
USUAL = ("ttft:p95<0.5",)  # a common target for interactive use


@dataclass(frozen=True, slots=True)
class Objective:
    """At least `share` of the requests have `metric` (a key of METRICS' values) at or below
    `limit_s`, in seconds; without a metric, at least `share` succeed."""

    text: str
    metric: str | None
    share: float
    limit_s: float | None = None

    @property
    def allowed(self) -> float:
        """The share of requests that may miss it; rounded, since 1 − 0.9 is a little less than
        0.1."""
        return round(1 - self.share, 12)

    @property
    def label(self) -> str:
        """For example "TTFT p95 ≤ 500 ms"."""
        if self.metric is None or self.limit_s is None:
            return f"error rate ≤ {100 * self.allowed:.4g} %"
        percent = f"p{100 * self.share:g}" if self.share != 0.5 else "median"
        return f"{metric(self.metric).label} {percent} ≤ {seconds(self.limit_s)}"


def parse_objectives(texts: Sequence[str]) -> tuple[Objective, ...]:
    """Parse objectives, without duplicates.

    Raises:
        InvalidThreshold: one cannot be parsed, is not a capacity objective, or there are none.
    """
    if not texts:
        raise InvalidThreshold(f"A capacity needs an objective, such as '{USUAL[0]}'.")
    return tuple(dict.fromkeys(_objective(parse_threshold(text)) for text in texts))


def label_of(objectives: Sequence[Objective]) -> str:
    """Return objectives as text: "TTFT p95 ≤ 500 ms and error rate ≤ 1 %"."""
    return " and ".join(objective.label for objective in objectives)


def _objective(threshold: Threshold) -> Objective:
    if threshold.sign not in ("<", "<="):
        raise InvalidThreshold(
            f"{threshold.text}: a capacity objective must be an upper limit: use <."
        )
    if threshold.name == ERRORS:
        if not 0 < threshold.limit < 1:
            raise InvalidThreshold(
                f"{threshold.text}: an error rate must be more than 0 and less than 1: with 0, a "
                "single failure would decide."
            )
        return Objective(threshold.text, None, 1 - threshold.limit)
    if threshold.name not in METRICS or threshold.statistic not in SHARES:
        raise InvalidThreshold(
            f"{threshold.text}: a capacity objective is one of {', '.join(METRICS)} at "
            f"{', '.join(SHARES)}, or by {ERRORS}."
        )
    if threshold.limit <= 0:
        raise InvalidThreshold(f"{threshold.text}: the limit must be more than 0 seconds.")
    named = METRICS[threshold.name]
    return Objective(threshold.text, named, SHARES[threshold.statistic], threshold.limit)
