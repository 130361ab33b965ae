"""Server metrics over time: a row for each kind of metric, on the time axis of the requests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np

from services.analysis.compare import Candidate
from services.analysis.metric_arrays import known
from services.analysis.samples import during, repeat_start_s
from services.ask.measurement import Sample
from services.ask.series import device_of
from services.base.units import show
from services.report import theme
from services.report.charts.frame import (
    Rows,
    even_indices,
    heading,
    layer_chart,
    repeat_note,
    round_up,
    run_colour,
    spec,
)

MAX_POINTS = 4_500  # in all lines
MAX_LINE_POINTS = 300
ROW_HEIGHT = 74  # pixels
LEFT_AXIS = 40  # pixels: about that of the charts above, so that their time axes line up
BELOW = 6  # pixels under the title of the x axis, which would be cut off otherwise
RIGHT_AXIS = 39  # pixels, the same for the live chart
FILLED = 0.62  # share of a row that its data fill; its title is above them

Parts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the chart. `parts` returns the values of its lines, by line name, from those of a
    sample; `second` is the dashed line. The scale ends at `top`, or at the highest value if
    None."""

    title: str
    unit: str  # as in units.show
    parts: Callable[[Parts], dict[str, float]]
    second: str = ""
    top: float | None = None
    least: float = 1.0  # the scale ends at this or higher


def engine(
    candidates: Sequence[Candidate], dark: bool = False, repeat: int = 0
) -> alt.LayerChart | None:
    """Draw the server metrics of each run in one repeat. None if there are none, or too few for a
    line."""
    end = max(_repeat_end(candidate, repeat) for candidate in candidates)
    shown = [(candidate, _of_repeat(candidate, repeat, end)) for candidate in candidates]
    rows = _rows_with_data([sample for _, samples in shown for sample in samples])
    if not rows:
        return None
    names = [candidate.label for candidate in candidates]
    lines = {name: samples for name, (_, samples) in zip(names, shown, strict=True)}
    title = heading(
        "Server metrics",
        "Sampled from outside the client.",
        repeat_note(candidates, repeat),
    )
    colour = run_colour(candidates, dark)
    x = alt.X(
        "seconds:Q",
        title="Time since the repeat began (s)",
        scale=alt.Scale(domain=[0, end], nice=False),
    )
    points, tops = _points(rows, lines)
    return _draw(rows, points, tops, x, colour, title)


def live_engine(
    samples: Sequence[Sample], until_s: float, dark: bool = False
) -> dict[str, Any] | None:
    """Return the server metrics of a running run as a Vega-Lite dict, on the axis of the live
    chart, which ends at `until_s`. None if there are none."""
    rows = _rows_with_data(samples)
    if not rows:
        return None
    points, tops = _points(rows, {"": samples})
    frame = _live_frame(tuple(rows), tuple(tops), dark)
    curves, titles = frame["layer"]
    x = curves["encoding"]["x"]
    scale = x["scale"] | {"domain": [0, max(until_s, samples[-1].t)]}
    encoding = curves["encoding"] | {"x": x | {"scale": scale}}
    return frame | {
        "layer": [curves | {"encoding": encoding}, titles],
        "datasets": {"points": points, "titles": _titles(rows)},
    }


@lru_cache(maxsize=64)
def _live_frame(rows: tuple[Row, ...], tops: tuple[float, ...], dark: bool) -> dict[str, Any]:
    """The live chart without its points and the end of its x axis. It stays the same for minutes,
    and building it takes Altair longer than everything else."""
    x = alt.X(
        "seconds:Q",
        title="Time since the run began (s)",
        scale=alt.Scale(domain=[0, 1], nice=False),
    )
    colour: Any = alt.value(theme.palette(dark).decode)
    chart = _draw(rows, [{}], tops, x, colour, heading("Server metrics"))
    chart.padding = {"left": 0, "top": 0, "right": RIGHT_AXIS, "bottom": BELOW}
    return spec(chart, dark)


def _of_repeat(candidate: Candidate, repeat: int, end: float) -> list[Sample]:
    """Return the samples of one repeat until `end`, with times since it began."""
    start = next(
        (repeat_start_s(row) for row in candidate.run.repeats if row.index == repeat), None
    )
    if start is None:
        return []
    samples = during(candidate.run, candidate.samples, repeat)
    moved = [Sample(sample.t - start, sample.values) for sample in samples]
    return [sample for sample in moved if 0 <= sample.t <= end]


def _repeat_end(candidate: Candidate, repeat: int) -> float:
    """Return when the last request of the repeat ended, as in the timeline."""
    table = candidate.table
    of_repeat = table.numbers("repeat") == repeat
    ends = [known(table.numbers(name)[of_repeat]) for name in ("t_end", "t_last")]
    return float(np.concatenate(ends).max(initial=0.0)) or 1.0


def _rows_with_data(samples: Sequence[Sample]) -> list[Row]:
    """Return the rows that have a line: at least two samples."""
    return [row for row in ROWS if sum(bool(row.parts(s.values)) for s in samples) > 1]


def _draw(
    rows: Sequence[Row],
    points: Rows,
    tops: Sequence[float],
    x: alt.X,
    colour: Any,
    title: alt.TitleParams,
) -> alt.LayerChart:
    base = alt.Chart(alt.NamedData("points"))
    y = alt.Y("y:Q", axis=_axis(rows, tops), scale=alt.Scale(domain=[0, len(rows)], nice=False))
    dash = alt.StrokeDash(
        "second:N", scale=alt.Scale(domain=[0, 1], range=[[1, 0], [4, 3]]), legend=None
    )
    tooltip = [
        alt.Tooltip("part:N", title="What"),
        alt.Tooltip("text:N", title="Value"),
        alt.Tooltip("seconds:Q", title="Time (s)", format=",.1f"),
    ]
    curves = base.mark_line(strokeWidth=1.6).encode(
        x=x, y=y, color=colour, strokeDash=dash, detail="line:N", tooltip=tooltip
    )
    row_titles = (
        alt.Chart(alt.NamedData("titles"))
        .mark_text(align="left", baseline="bottom", fontSize=12, fontWeight=600, dx=4)
        .encode(x=alt.value(0), y=alt.Y("at:Q"), text=alt.Text("text:N"))
    )
    data = {"points": points, "titles": _titles(rows)}
    return layer_chart([curves, row_titles], title, ROW_HEIGHT * len(rows), data)


def _titles(rows: Sequence[Row]) -> Rows:
    return [{"at": len(rows) - i - 0.34, "text": row.title} for i, row in enumerate(rows)]


def _points(rows: Sequence[Row], lines: Mapping[str, Sequence[Sample]]) -> tuple[Rows, list[float]]:
    """Return the points of every line, and where the scale of each row ends."""
    values_at = [sample.values for samples in lines.values() for sample in samples]
    parts = {
        (row.title, name) for row in rows for values in values_at for name in row.parts(values)
    }
    most = max(2, min(MAX_LINE_POINTS, MAX_POINTS // max(1, len(parts) * len(lines))))
    data: Rows = []
    tops = []
    for lane, row in zip(reversed(range(len(rows))), rows, strict=True):
        points = [
            (run, samples[at].t, row.parts(samples[at].values))
            for run, samples in lines.items()
            for at in even_indices(len(samples), most)
        ]
        tops.append(top := _scale_end(row, [v for _, _, values in points for v in values.values()]))
        data += [
            {
                "run": run,
                "line": f"{lane} {part} {run}",
                "part": f"{part}, {run}" if run else part,
                "second": int(part == row.second),
                "seconds": t,
                "y": lane + FILLED * min(value / top, 1.0),
                "text": show(value, row.unit),
            }
            for run, t, values in points
            for part, value in values.items()
        ]
    return data, tops


def _scale_end(row: Row, values: Sequence[float]) -> float:
    """Return where the scale of a row ends: a round number in its unit."""
    highest = max([*values, row.least])
    if row.top or row.unit != "bytes":
        return row.top or round_up(highest)
    power = 1024.0 ** int(math.log(highest, 1024))
    end = round_up(highest / power)
    return (end if end < 1000 else 1024.0) * power  # 1,000 MiB would be 0.977 GiB


def _axis(rows: Sequence[Row], tops: Sequence[float]) -> alt.Axis:
    """Return an axis with the scale of each row: two labels, at its bottom and its top."""
    ticks: dict[float, str] = {}
    for lane, row, top in zip(reversed(range(len(rows))), rows, tops, strict=True):
        highest = show(top, row.unit).replace(".00 ", " ").replace(".0 ", " ")
        ticks |= {float(lane): "0", lane + FILLED: highest}
    labels = ", ".join(f"'{y:.2f}': '{label}'" for y, label in ticks.items())
    return alt.Axis(
        title=None,
        values=list(ticks),
        labelExpr=f"({{{labels}}})[format(datum.value, '.2f')]",
        tickCount=len(ticks),
        labelOverlap=False,
        minExtent=LEFT_AXIS,
        grid=True,
    )


def _series_parts(**names: str) -> Callable[[Parts], dict[str, float]]:
    """Return `parts` for single series; `names` maps lines to series."""
    return lambda values: {
        line.replace("_", " "): values[name] for line, name in names.items() if name in values
    }


def _devices(ending: str) -> Callable[[Parts], dict[str, float]]:
    """Return `parts` for the series of every device with this ending."""

    def parts(values: Parts) -> dict[str, float]:
        return {
            f"GPU {device_of(name)}": value
            for name, value in values.items()
            if name.endswith(ending) and device_of(name) is not None
        }

    return parts


ROWS = (
    Row(
        "Requests running and waiting (dashed)",
        "count",
        _series_parts(Running="running", Waiting="waiting"),
        "Waiting",
    ),
    Row("KV cache in use", "share", _series_parts(KV_cache="kv_cache_share"), least=0.01),
    Row("GPU memory in use", "bytes", _devices("_memory_bytes")),
    Row("GPU utilization", "share", _devices("_use_share"), top=1.0),
    Row(
        "Cores used: engine, machine (dashed)",
        "cores",
        _series_parts(Engine="engine_cores", Machine="machine_cores"),
        "Machine",
    ),
    Row("Memory of the engine's processes", "bytes", _series_parts(Memory="memory_bytes")),
)
