"""Every repeat of every run as a dot, with the run's mean: whether they agree, and how far the runs
are apart compared with that."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from services.analysis.compare import COMPARED, Candidate
from services.analysis.statistics.level import level
from services.ask import modes
from services.report import theme
from services.report.charts.frame import Rows, heading, layered, run_colour
from services.report.charts.ratio_scale import AXIS, bands, one, ratio_scale

MEASURES = {
    "output_tokens_per_s": "Output throughput|more is better",
    "tokens_per_s_median": "Tokens/s per request|median, more is better",
    "ttft_s_median": "TTFT|median, less is better",
    "e2e_s_median": "E2E latency|median, less is better",
}


def repeats(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the repeats' own numbers, relative to the baseline's mean. None where no run has two.

    The first candidate is the baseline; alone it is its own.
    """
    dots, means = _rows(candidates)
    if max(len(candidate.groups) for candidate in candidates) < 2 or not dots:
        return None
    measures = list(dict.fromkeys(row["measure"] for row in dots))
    height = len(measures) * max(40, 10 * len(candidates) + 16)
    title = heading("Repeats", *_said(candidates, means))
    layers = _layers(candidates, dark, dots, means, measures)
    return layered(layers, title, height, {"dots": dots, "means": means})


def _rows(candidates: Sequence[Candidate]) -> tuple[Rows, Rows]:
    """A row for each repeat's number, and one for each run's mean; ends are None where unknown."""
    dots: Rows = []
    means: Rows = []
    by_name = {compared.name: compared for compared in COMPARED}
    for name in modes.sort_metrics(MEASURES, *(candidate.run.config for candidate in candidates)):
        compared = by_name[name]
        found = [[number or 0.0 for number in compared.of(candidate)] for candidate in candidates]
        known = [[number for number in numbers if number > 0] for numbers in found]
        baseline = level(known[0])
        if baseline is None:
            continue
        for candidate, numbers, positive in zip(candidates, found, known, strict=True):
            about = {"run": theme.label(candidate.run), "measure": MEASURES[compared.name]}
            dots += [
                {**about, "repeat": place, "value": number, "times": number / baseline.value}
                for place, number in enumerate(numbers, 1)
                if number > 0
            ]
            if mean := level(positive):
                ends = {"times": mean.value, "low": mean.low, "high": mean.high}
                means.append(about | {k: end and end / baseline.value for k, end in ends.items()})
    return dots, means


def _layers(
    candidates: Sequence[Candidate], dark: bool, dots: Rows, means: Rows, measures: Sequence[str]
) -> list[alt.Chart]:
    y, offset = bands("measure", measures, candidates)
    colour = run_colour(candidates, dark)
    ends = [row[end] for row in means for end in ("low", "high") if row[end] is not None]
    scale, axis = ratio_scale([row["times"] for row in dots], ends, least=1.02)
    x = alt.X("times:Q", title=AXIS, scale=scale, axis=alt.Axis(grid=True, **axis))
    about = [alt.Tooltip("run:N", title="Run"), alt.Tooltip("times:Q", title=AXIS, format=".3f")]
    of_dot = [alt.Tooltip("repeat:Q", title="Repeat"), alt.Tooltip("value:Q", format=",.4~r")]
    of_mean = [
        alt.Tooltip("low:Q", title="95 % from", format=".3f"),
        alt.Tooltip("high:Q", title="95 % to", format=".3f"),
    ]
    mean = alt.Chart(alt.NamedData("means"))
    line = mean.mark_rule(strokeWidth=3, opacity=0.55, clip=True)
    middle = mean.mark_tick(thickness=3, height=11, opacity=1)
    dot = alt.Chart(alt.NamedData("dots")).mark_point(size=34, strokeWidth=1.4, opacity=0.9)
    common = {"y": y, "yOffset": offset, "color": colour}
    return [
        one(theme.palette(dark).ink, "x", AXIS),
        line.encode(x=alt.X("low:Q", title=AXIS), x2=alt.X2("high"), **common),
        middle.encode(x=x, tooltip=[*about, *of_mean], **common),
        dot.encode(x=x, tooltip=[*about, *of_dot], **common),
    ]


def _said(candidates: Sequence[Candidate], means: Rows) -> list[str]:
    said = ["Each circle is a repeat; each vertical bar is the mean."]
    if any(row["low"] is not None for row in means):
        said.append("Lines are 95 % intervals of the means.")
    said.append(f"1 is the mean of {theme.label(candidates[0].run)}.")
    return said
