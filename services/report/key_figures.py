"""The five most important numbers of a run; its tables have the rest.

Speed of a request, time to first token, total throughput, failures, and cost or, if no price is
known, E2E latency. Each comes with its tail or its interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from services.analysis.compare import Candidate
from services.analysis.statistics import Distribution
from services.analysis.statistics.geometric_mean import geometric_mean
from services.analysis.summary import Summary
from services.ask import modes
from services.base.units import many, on_one_line, show, significant

MOST = 5


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One number of a run. `about` is small type below the value; `help` explains the number;
    `bad`: it makes the others doubtful; `unit`: if neither the label nor the value has it."""

    name: str  # as in summary_row
    label: str
    value: str
    about: str
    help: str
    bad: bool = False
    unit: str = ""

    @property
    def about_with_unit(self) -> str:
        """The small type, which begins with the unit, if any: a line ends after it at most."""
        return f"{self.unit}, {on_one_line(self.about)}" if self.unit else self.about


def key_figures(candidate: Candidate) -> tuple[KeyFigure, ...]:
    """Return a run's most important numbers; none if no request succeeded."""
    if not candidate.summary.ok:
        return ()
    first = {figure.name: figure for figure in islice(_known(candidate.summary), MOST)}
    return tuple(first[name] for name in modes.sort_metrics(first, candidate.run.config))


def _known(summary: Summary) -> Iterator[KeyFigure]:
    """The known numbers of a run, the most important first, with failures always among the first
    five."""
    yield from _speeds(summary)
    yield KeyFigure(
        "error_rate",
        "Error rate",
        show(summary.error_rate, "share"),
        _failed_text(summary),
        "Requests whose first attempt failed, divided by all requests that ended",
        bad=bool(summary.error_rate),
    )
    yield from _costs_and_others(summary)


def _failed_text(summary: Summary) -> str:
    ended = summary.ok + summary.failed
    first = round((summary.error_rate or 0.0) * ended)
    if first == summary.failed:
        return f"{summary.failed:,} of {ended:,} failed"
    return f"{first:,} at first, then {summary.failed:,}"


def _speeds(summary: Summary) -> Iterator[KeyFigure]:
    spread = summary.distributions
    if each := spread["tokens_per_s"]:
        yield KeyFigure(
            "tokens_per_s_median",
            "Tokens/s per request",
            show(each.median, ""),
            f"median of {each.n:,}",
            "Output tokens of a request over the time from sending it to its last token",
        )
    if ttft := spread["ttft_s"]:
        yield _latency("ttft_s_median", "TTFT, median", ttft, "Time to first token")
    if summary.output_tokens_per_s is not None:
        yield KeyFigure(
            "output_tokens_per_s",
            "Output throughput",
            show(summary.output_tokens_per_s, ""),
            _interval(summary),
            "The tokens of all requests together, over the measured time",
            unit="tokens/s",
        )


def _costs_and_others(summary: Summary) -> Iterator[KeyFigure]:
    """The cost; if it or one of the other numbers is missing, the numbers that take its place."""
    if summary.cost_usd is not None:
        yield KeyFigure(
            "cost_usd", "Cost, sum", show(summary.cost_usd, "USD"), _per_million(summary), COST
        )
    if e2e := summary.distributions["e2e_s"]:
        yield _latency("e2e_s_median", "E2E latency, median", e2e, "From sending to the last token")
    if summary.requests_per_s is not None:
        yield KeyFigure(
            "requests_per_s",
            "Requests/s",
            show(summary.requests_per_s, ""),
            f"{summary.ok:,} answered",
            "Successful requests over the measured time",
        )


def _latency(name: str, label: str, spread: Distribution, meaning: str) -> KeyFigure:
    """The median, with the tail below it: p95, or the maximum if there are too few requests for
    p95."""
    tail = f"p95 {show(spread.p95, 's')}" if spread.p95 is not None else ""
    slowest = f"slowest {show(spread.maximum, 's')}" if spread.n > 1 else "of one request"
    return KeyFigure(name, label, show(spread.median, "s"), tail or slowest, meaning)


def _interval(summary: Summary) -> str:
    rates = [repeat.output_tokens_per_s for repeat in summary.repeats]
    over = geometric_mean([rate for rate in rates if rate is not None])
    if over is None or over.low is None or over.high is None:
        return f"over {many(len(rates), 'repeat')}"
    return f"95 % {significant(over.low)}–{significant(over.high)}"


def _per_million(summary: Summary) -> str:
    each = summary.usd_per_million_output
    return "of all repeats" if each is None else f"{show(each, 'USD')} per 1M"


COST = "All repeats together; per 1M: for a million output tokens, including prompts"
