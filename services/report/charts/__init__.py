"""The charts. Each answers one question about one to eight runs, with at most 5,000 marks; larger
data is aggregated, and the chart says so. Charts of a study are in `scaling`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import altair as alt

from services.analysis.compare import Candidate
from services.report.charts.bars import tokens_per_s
from services.report.charts.concurrency import concurrency
from services.report.charts.distributions import e2e, gaps, ttft
from services.report.charts.engine import engine, live_engine
from services.report.charts.frame import spec
from services.report.charts.images import png, svg
from services.report.charts.latency_over_time import latency_over_time
from services.report.charts.live import MAX_BARS, arrivals_spec, live_spec, schedule_spec
from services.report.charts.over_time import in_flight, throughput
from services.report.charts.packed import packed
from services.report.charts.quantiles import quantile_shift
from services.report.charts.ratios import ratios
from services.report.charts.repeats import repeats
from services.report.charts.scatter import cost, trade_off
from services.report.charts.session import session_spec
from services.report.charts.timeline import timeline

__all__ = [
    "CHARTS",
    "MAX_BARS",
    "Chart",
    "arrivals_spec",
    "chart",
    "live_engine",
    "live_spec",
    "packed",
    "png",
    "schedule_spec",
    "session_spec",
    "spec",
    "svg",
    "tokens_per_s",
]


RATIOS, REQUESTS, TRADE_OFFS, OVER_TIME = "Ratios", "Requests", "Trade-offs", "Over time"


class Draw(Protocol):
    """Draws runs. None: there is nothing to show."""

    def __call__(
        self, candidates: Sequence[Candidate], dark: bool = False
    ) -> alt.LayerChart | None: ...


@dataclass(frozen=True)
class Chart:
    """A chart: the question it answers, and the message to show if `draw` returns None. Without a
    message, the chart and its question are then left out. `group` is the section of a comparison
    that shows it."""

    name: str
    question: str
    title: str
    draw: Draw
    nothing: str = ""
    least: int = 1  # number of runs
    group: str = REQUESTS


def chart(name: str) -> Chart:
    """Return the chart with this name. Raises KeyError if there is none."""
    return {entry.name: entry for entry in CHARTS}[name]


def _with_send_times(draw: Draw) -> Draw:
    """Wrap a chart over time: leave out imported runs whose send times are unknown."""

    def draw_placed(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
        known = [candidate for candidate in candidates if candidate.run.placed]
        return draw(known, dark=dark) if known else None

    return draw_placed


# In the order of an argument: how large is the difference, is it real, what causes it.
CHARTS = (
    Chart(
        "ratios",
        "How does each run compare with the baseline?",
        "Compared with the baseline",
        ratios,
        "The baseline and the other runs have no measure in common.",
        least=2,
        group=RATIOS,
    ),
    Chart("repeats", "Do the repeats agree?", "Repeats", repeats, least=2, group=RATIOS),
    Chart(
        "tokens_per_s",
        "How fast did each request run?",
        "Tokens per second of each request",
        tokens_per_s,
        "No request was answered with a known token count.",
    ),
    Chart(
        "quantile_shift",
        "Is every request faster, or only some?",
        "E2E latency by quantile",
        quantile_shift,
        least=2,
        group=RATIOS,
    ),
    Chart(
        "ttft",
        "How long until the first token?",
        "Time to first token",
        ttft,
        "No streamed answer arrived.",
    ),
    Chart(
        "e2e",
        "How long until the whole answer?",
        "End-to-end latency",
        e2e,
        "No request was answered.",
    ),
    Chart(
        "inter_chunk",
        "How evenly did tokens arrive?",
        "Inter-chunk latency",
        gaps,
        "No answer came in more than one chunk.",
    ),
    Chart(
        "trade_off",
        "How does throughput affect each request?",
        "Throughput against speed",
        trade_off,
        "No request was answered with a known token count.",
        least=2,
        group=TRADE_OFFS,
    ),
    Chart(
        "concurrency",
        "How does latency grow with concurrency?",
        "Latency against concurrency",
        concurrency,
        least=2,
        group=TRADE_OFFS,
    ),
    Chart("cost", "What does speed cost?", "Cost against speed", cost, least=2, group=TRADE_OFFS),
    Chart(
        "timeline",
        "What did each request wait for?",
        "Timeline",
        _with_send_times(timeline),
        "No request was sent.",
        group=OVER_TIME,
    ),
    Chart(
        "engine",
        "What did the server do during the run?",
        "Server metrics",
        _with_send_times(engine),
        group=OVER_TIME,
    ),
    Chart(
        "in_flight",
        "How many requests were in flight?",
        "Requests in flight",
        _with_send_times(in_flight),
        "No request was sent and finished.",
        group=OVER_TIME,
    ),
    Chart(
        "ttft_over_time",
        "Did latency change over time?",
        "TTFT over time",
        _with_send_times(latency_over_time),
        "This chart needs a repeat with 20 or more requests whose answers are streamed.",
        group=OVER_TIME,
    ),
    Chart(
        "throughput",
        "Was throughput steady?",
        "Output throughput over time",
        _with_send_times(throughput),
        "No answer was streamed with a known token count.",
        group=OVER_TIME,
    ),
)
