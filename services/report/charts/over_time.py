"""A run over time: requests in flight, and output tokens per second."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np

from services.analysis.compare import Candidate
from services.analysis.summary import steady
from services.analysis.summary.repeats import successes
from services.ask.measurements import CHUNKS, Floats, Measurements
from services.base.units import many
from services.report.charts.frame import Rows, heading, layer_chart, repeat_note, run_colour

MAX_STEPS = 500  # of a run
MAX_BINS = 100  # of a run; fewer if there are several, whose lines would cover each other
CHUNKS_A_BIN = 20  # with fewer, the line would show single chunks instead of the throughput
CROWDED = 0.5  # of the quarters of a step: with more, requests are not answered in step
ROUNDS_A_BIN = 10  # of an engine that answers all requests step by step: 1 more or less is 10 %


def in_flight(
    candidates: Sequence[Candidate], dark: bool = False, repeat: int = 0
) -> alt.LayerChart | None:
    """Draw how many requests were in flight, in one repeat of each run."""
    rows: Rows = []
    for candidate in candidates:
        steps = _in_flight(_of_repeat(candidate, repeat))
        label = candidate.label
        rows += [{"run": label, "seconds": at, "value": value} for at, value in steps]
    if not rows:
        return None
    most = max(len(_of_repeat(candidate, repeat)) for candidate in candidates)
    title = heading(
        "Requests in flight",
        "Requests sent but not finished.",
        "Where changes are close together, the highest is shown." if 2 * most > MAX_STEPS else "",
        repeat_note(candidates, repeat),
    )
    y = alt.Y("value:Q", title="Requests in flight", axis=alt.Axis(format=",d", tickMinStep=1))
    return _draw(candidates, dark, rows, title, y)


def throughput(
    candidates: Sequence[Candidate], dark: bool = False, repeat: int = 0
) -> alt.LayerChart | None:
    """Draw output tokens per second of successful requests over time, in one repeat of each run.

    The tokens of a request are spread evenly over its chunks: how many each carried is unknown.
    """
    rows: Rows = []
    left_out = 0
    for candidate in candidates:
        measurements = successes(_of_repeat(candidate, repeat))  # as in all other rates
        label = candidate.label
        bins = _throughput(measurements, min(MAX_BINS, 240 // len(candidates)))
        rows += [{"run": label, "seconds": at, "value": value} for at, value in bins]
        unknown = np.isnan(measurements.numbers("output_tokens"))
        left_out += int(np.count_nonzero(unknown & (measurements.numbers(CHUNKS) > 0)))
    if not rows:
        return None
    whole = all(candidate.table.complete for candidate in candidates)
    title = heading(
        "Output throughput over time",
        "Tokens per second of all successful requests together.",
        f"Left out: {many(left_out, 'request')} without a token count." if left_out else "",
        "" if whole else "Taken from an evenly spaced sample of the requests.",
        repeat_note(candidates, repeat),
    )
    y = alt.Y("value:Q", title="Output tokens per second", axis=alt.Axis(format=",.3~r"))
    return _draw(candidates, dark, rows, title, y)


def _of_repeat(candidate: Candidate, repeat: int) -> Measurements:
    table = candidate.table
    sent = ~np.isnan(table.numbers("t_send"))
    return table.where((table.numbers("repeat") == repeat) & sent)


def _in_flight(measurements: Measurements) -> list[tuple[float, int]]:
    """Return the steps of the number in flight; if there are over 500, the highest of each
    group."""
    times, counts = steady.in_flight(measurements)
    if not len(times):
        return []
    size = -(-len(times) // (MAX_STEPS - 1))
    highest = np.maximum.reduceat(counts, np.arange(0, len(counts), size))
    steps = list(zip(times[::size].tolist(), highest.tolist(), strict=True))
    return steps if size == 1 else [*steps, (float(times[-1]), int(counts[-1]))]


def _throughput(measurements: Measurements, most: int) -> list[tuple[float, float]]:
    """Return the tokens per second in up to `most` equal bins, from first send to last token."""
    known = (measurements.numbers("output_tokens") > 0) & (measurements.numbers(CHUNKS) > 0)
    of = measurements.where(known)
    if not len(of):
        return []
    start = float(of.numbers("t_send").min())
    timed, chunk_times = of.timed()  # in a large run, a sample that represents all
    if not len(timed):
        return []
    times = np.concatenate([np.asarray(each) for each in chunk_times])
    chunks = timed.numbers(CHUNKS).astype(np.int64)
    shares = timed.numbers("output_tokens") * (len(of) / len(timed)) / chunks
    rounds = _rounds(times, [np.diff(each) for each in chunk_times])
    count = max(1, min(most, len(times) // CHUNKS_A_BIN, rounds // ROUNDS_A_BIN))
    tokens, edges = np.histogram(
        times, bins=count, range=(start, float(times.max())), weights=np.repeat(shares, chunks)
    )
    rates = (tokens / np.diff(edges)).tolist()
    return list(zip(edges.tolist(), [*rates, rates[-1]], strict=True))


def _rounds(times: Floats, gaps: Sequence[Floats]) -> int:
    """Return in how many rounds tokens arrived: those of an engine that answers all requests step
    by step, whose tokens come together and leave most of a step empty. Otherwise each arrival is a
    round of its own. `gaps`: those between the chunks of each answer."""
    between = np.concatenate(gaps)
    between = between[between > 0]
    if 2 * len(between) < len(times):
        return len(times)
    quarter = float(np.median(between)) / 4
    occupied, all_of_them = len(np.unique(times // quarter)), float(np.ptp(times)) / quarter
    return occupied if occupied < CROWDED * all_of_them else len(times)


def _draw(
    candidates: Sequence[Candidate], dark: bool, rows: Rows, title: alt.TitleParams, y: alt.Y
) -> alt.LayerChart:
    base = alt.Chart(alt.NamedData("steps"))
    scale = alt.Scale(nice=False, zero=True)
    x = alt.X("seconds:Q", title="Time since the repeat began (s)", scale=scale)
    colour = run_colour(candidates, dark)
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("seconds:Q", title="Time (s)", format=",.2f"),
        alt.Tooltip("value:Q", title="Value", format=",.4~r"),
    ]
    line = base.mark_line(interpolate="step-after").encode(x=x, y=y, color=colour, tooltip=tooltip)
    if len(candidates) > 1:
        return layer_chart([line], title, 260, {"steps": rows})
    area = base.mark_area(interpolate="step-after", opacity=0.15).encode(x=x, y=y, color=colour)
    return layer_chart([area, line], title, 260, {"steps": rows})
