"""Distributions as lines: for each value, the share of requests at or below it.

An empirical distribution function needs no bins, shows the median and the tail, and includes
failures: the line ends below 100 % by their share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
from numpy.typing import NDArray

from services.analysis.compare import Candidate
from services.analysis.metric_arrays import known, metric_array
from services.analysis.summary.gaps import gaps as gaps_of
from services.analysis.summary.repeats import successes
from services.ask.workloads.mixed import LONG, SHORT
from services.ask.workloads.turns import FIRST, LATER
from services.report.charts.frame import Rows, fitting_scale, heading, layer_chart, run_colour

MAX_POINTS = 200  # of a run
SOLID, DASHED = [1, 0], [6, 4]
DASHES = {
    "": SOLID,
    SHORT: SOLID,
    LONG: DASHED,
    FIRST: SOLID,
    LATER: DASHED,
}  # by class; "" for all requests together
MAX_GAPS = 100_000  # of a run; if it has more, only every n-th request is used


@dataclass(frozen=True)
class Sample:
    """The values of one run, or of one class of a mix, in ascending order; `of` also counts failed
    requests."""

    candidate: Candidate
    values: NDArray[np.float64]
    of: int
    kind: str = ""  # class of the requests


def ttft(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the distributions of the time to first token."""
    samples = _metric_samples(candidates, "ttft_s")
    return _draw(samples, dark, "Time to first token", "Time to first token (s)", "requests")


def e2e(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the distributions of the end-to-end latency."""
    samples = _metric_samples(candidates, "e2e_s")
    return _draw(samples, dark, "End-to-end latency", "End-to-end latency (s)", "requests")


def gaps(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the distributions of the time between consecutive chunks of an answer."""
    samples, sampling_note = [], ""
    for candidate in candidates:
        count = candidate.summary.inter_chunk.n if candidate.summary.inter_chunk else 0
        stride = -(-count // MAX_GAPS) or 1
        timed, _ = candidate.table.timed()
        some = timed[::stride]
        values = np.sort(gaps_of(some))
        samples.append(Sample(candidate, values, len(values)))
        if stride > 1 or not candidate.table.complete:
            sampling_note = "For the longest runs, a sample of the requests is shown."
    return _draw(
        samples, dark, "Inter-chunk latency", "Time between chunks (s)", "gaps", sampling_note
    )


def _metric_samples(candidates: Sequence[Candidate], name: str) -> list[Sample]:
    """Return a sample for each run, or for each class of a mix."""
    return [
        _metric_sample(part, name, kind)
        for candidate in candidates
        for kind, part in (candidate.classes or {"": candidate}).items()
    ]


def _metric_sample(candidate: Candidate, name: str, kind: str) -> Sample:
    table = candidate.table
    values = np.sort(known(metric_array(successes(table), name)))
    failed = int(np.count_nonzero(table.are("failed")))
    return Sample(candidate, values, len(values) + failed, kind)


def _draw(
    samples: Sequence[Sample], dark: bool, title: str, axis: str, what: str, sampling_note: str = ""
) -> alt.LayerChart | None:
    some = [sample.values for sample in samples if len(sample.values)]
    if not some:
        return None
    # Chunks that were read together are 0 s apart; a logarithmic scale draws them at its edge.
    low = min(float(values[0]) or float(values[len(values) // 2]) / 20 for values in some)
    scale, note = fitting_scale([low, max(float(values[-1]) for values in some)])
    runs = {sample.candidate.run.id: sample.candidate for sample in samples}
    candidates = list(runs.values())
    x = alt.X("seconds:Q", title=axis.replace(")", f"{note})"), scale=scale)
    share = f"Share of {what}"
    y = alt.Y(
        "share:Q",
        title=share,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 0.9, 1]),
    )
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("seconds:Q", title="Within (s)", format=",.4~r"),
        alt.Tooltip("share:Q", title=share, format=".1%"),
    ]
    line = alt.Chart(alt.NamedData("steps")).mark_line(interpolate="step-after")
    drawn = line.encode(x=x, y=y, color=run_colour(candidates, dark), tooltip=tooltip)
    if any(sample.kind for sample in samples):
        drawn = drawn.encode(strokeDash=_dashes(samples))
        tooltip.insert(1, alt.Tooltip("kind:N", title="Requests"))
    rows = [row for sample in samples for row in _steps(sample)]
    sentences = (f"The share of {what} at or below each value.", sampling_note, _failures(samples))
    return layer_chart([drawn], heading(title, *sentences), 260, {"steps": rows})


def _dashes(samples: Sequence[Sample]) -> alt.StrokeDash:
    """Return the dash channel of classes: solid for short requests and first turns, dashed for the
    others."""
    kinds = [kind for kind in DASHES if any(sample.kind == kind for sample in samples)]
    scale = alt.Scale(domain=kinds, range=[DASHES[kind] for kind in kinds])
    listed = alt.Legend(
        values=[kind for kind in kinds if kind],
        orient="bottom",
        columns=2,
        symbolSize=800,  # long enough for a dash to be visible
        symbolStrokeWidth=2,
    )
    return alt.StrokeDash("kind:N", scale=scale, legend=listed)


def _steps(sample: Sample) -> Rows:
    """Return the corners of a line: every value, or 200 that are evenly spaced in rank."""
    count = len(sample.values)
    if not count:
        return []
    ranks: Sequence[int] = range(1, count + 1)
    if count > MAX_POINTS:
        ranks = [1, *(-(-count * i // (MAX_POINTS - 2)) for i in range(1, MAX_POINTS - 1))]
    label = sample.candidate.label
    steps = [(float(sample.values[0]), 0.0)]
    steps += [(float(sample.values[rank - 1]), rank / sample.of) for rank in ranks]
    common = {"run": label, "kind": sample.kind}
    return [{**common, "seconds": at, "share": share} for at, share in steps]


def _failures(samples: Sequence[Sample]) -> str:
    short = [sample for sample in samples if len(sample.values) < sample.of]
    if not short:
        return ""
    if len(samples) == 1:
        sample = short[0]
        share = len(sample.values) / sample.of
        failed = sample.of - len(sample.values)
        return f"The line ends at {100 * share:.1f} %: {failed:,} of {sample.of:,} requests failed."
    listed = "; ".join(
        f"{' '.join(filter(None, (sample.candidate.label, sample.kind)))}: "
        f"{sample.of - len(sample.values):,} of {sample.of:,}"
        for sample in short
    )
    return f"Lines that end below 100 % have failed requests ({listed})."
