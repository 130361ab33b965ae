"""Every repeat of every run as a dot, with the mean of the run: do the repeats agree, and how far
apart are the runs compared with that?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from services.analysis.compare import COMPARED, Candidate
from services.analysis.compare.ratio_text import times_with_interval
from services.analysis.statistics import Ratio
from services.analysis.statistics.geometric_mean import geometric_mean
from services.ask import modes
from services.report import theme
from services.report.charts.frame import Rows, heading, layer_chart, run_colour
from services.report.charts.ratio_scale import AXIS, WISHES, bands, baseline_line, ratio_scale

MEASURES = {
    "output_tokens_per_s": "Output throughput ↑",
    "tokens_per_s_median": "Tokens/s per request, median ↑",
    "ttft_s_median": "TTFT, median ↓",
    "e2e_s_median": "E2E latency, median ↓",
}


def repeats(candidates: Sequence[Candidate], dark: bool = False) -> alt.LayerChart | None:
    """Draw the numbers of each repeat relative to the mean of the baseline, the first candidate.
    None if no run has two repeats.
    """
    dots, means = _rows(candidates)
    if max(len(candidate.groups) for candidate in candidates) < 2 or not dots:
        return None
    measures = list(dict.fromkeys(row["measure"] for row in dots))
    height = len(measures) * max(40, 10 * len(candidates) + 16)
    title = heading("Repeats", *_subtitle(candidates, means))
    layers = _layers(candidates, dark, dots, means, measures)
    return layer_chart(layers, title, height, {"dots": dots, "means": means})


def _rows(candidates: Sequence[Candidate]) -> tuple[Rows, Rows]:
    """Return a row for each repeat and one for each mean; its low and high are None if unknown."""
    dots: Rows = []
    means: Rows = []
    by_name = {compared.name: compared for compared in COMPARED}
    for name in modes.sort_metrics(MEASURES, *(candidate.run.config for candidate in candidates)):
        compared = by_name[name]
        values = [[value or 0.0 for value in compared.of(candidate)] for candidate in candidates]
        known = [[value for value in by_repeat if value > 0] for by_repeat in values]
        baseline = geometric_mean(known[0])
        if baseline is None:
            continue
        for candidate, by_repeat, positive in zip(candidates, values, known, strict=True):
            common = {"run": candidate.label, "measure": MEASURES[compared.name]}
            dots += [
                {**common, "repeat": number, "value": value, **_relative(value / baseline.value)}
                for number, value in enumerate(by_repeat, 1)
                if value > 0
            ]
            if mean := geometric_mean(positive):
                low, high = (end and end / baseline.value for end in (mean.low, mean.high))
                means.append(common | _relative(mean.value / baseline.value, low, high))
    return dots, means


def _relative(ratio: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    text = times_with_interval(Ratio(ratio, low, high, None, 0, 0))
    return {"times": ratio, "low": low, "high": high, "text": text}


def _layers(
    candidates: Sequence[Candidate], dark: bool, dots: Rows, means: Rows, measures: Sequence[str]
) -> list[alt.Chart]:
    y, offset = bands("measure", measures, candidates)
    colour = run_colour(candidates, dark)
    ends = [row[end] for row in means for end in ("low", "high") if row[end] is not None]
    scale, axis = ratio_scale([row["times"] for row in dots], ends, least=1.02)
    x = alt.X("times:Q", title=AXIS, scale=scale, axis=alt.Axis(grid=True, **axis))
    about = [alt.Tooltip("run:N", title="Run"), alt.Tooltip("text:N", title="Relative to baseline")]
    of_dot = [alt.Tooltip("repeat:Q", title="Repeat"), alt.Tooltip("value:Q", format=",.4~r")]
    mean = alt.Chart(alt.NamedData("means"))
    line = mean.mark_rule(strokeWidth=3, opacity=0.55)
    middle = mean.mark_tick(thickness=3, height=11, opacity=1)
    dot = alt.Chart(alt.NamedData("dots")).mark_point(size=34, strokeWidth=1.4, opacity=0.9)
    common = {"y": y, "yOffset": offset, "color": colour}
    return [
        baseline_line(theme.palette(dark).ink, "x", AXIS),
        line.encode(x=alt.X("low:Q", title=AXIS), x2=alt.X2("high"), **common),
        middle.encode(x=x, tooltip=about, **common),
        dot.encode(x=x, tooltip=[*about, *of_dot], **common),
    ]


def _subtitle(candidates: Sequence[Candidate], means: Rows) -> list[str]:
    sentences = ["Each circle is a repeat; each vertical bar is the geometric mean."]
    if any(row["low"] is not None for row in means):
        sentences.append("Lines are 95 % intervals of the means.")
    sentences.append(f"1× is the mean of {candidates[0].label}.")
    sentences.append(WISHES)
    return sentences
