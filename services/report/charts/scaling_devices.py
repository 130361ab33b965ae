"""Speed-up of a study's configurations with more devices, beside the ideal and the fitted
Universal Scalability Law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt

from services.analysis.statistics.geometric_mean import GeometricMean
from services.report import theme
from services.report.charts.frame import BESIDE, HALO, Rows, heading, layer_chart
from services.report.charts.scaling_frame import ends, interval_notes
from services.studies.cell import MeasuredCell
from services.studies.curves import KINDS, DeviceCurve, device_curves, rate_of
from services.studies.scaling import Row, Scaling, scaling
from services.studies.work import Work

AXIS = "Throughput relative to baseline"
FAR_OUT = 0.6  # of the axis: names are to the left of dots beyond it
SIDES: tuple[tuple[str, Literal["left", "right"], int], ...] = (
    ("<=", "left", 8),
    (">", "right", -8),
)
STEPS = 40  # of a fitted curve
MIXED, AT_BASELINE = "mixed", "baseline"
KIND_NAMES = (*KINDS.values(), MIXED)


def speedup(measured: Sequence[MeasuredCell], dark: bool = False) -> alt.LayerChart | None:
    """Draw speed-ups against devices, for the largest work that has some. None if none has."""
    scaled = scaling(measured)
    work = _largest(scaled)
    if work is None:
        return None
    rows: Rows = [_row(row) for row in scaled.rows if row.work == work and _is_drawn(row)]
    curves = [line for curve in device_curves(scaled) for line in _curve(curve, work)]
    most = max(row["devices"] for row in rows)
    top = _top(rows, most)
    curves = [point for point in curves if point["value"] <= top]
    ideal = [{"devices": n, "value": n} for n in (1, min(most, top))]
    title = heading(
        "Speed-up against devices",
        f"At {next(r.work_label for r in scaled.rows if r.work == work)}."
        + (" Other loads are in the table." if len(scaled.works) > 1 else ""),
        "The dashed line is ideal; thin lines are the fitted scaling law."
        if curves
        else "The dashed line is ideal.",
        *interval_notes(rows),
    )
    data = {"points": rows, "curves": curves, "ideal": ideal}
    return layer_chart(_layers(rows, most, top, dark), title, 320, data)


def _largest(scaling: Scaling) -> Work | None:
    """Return the work with the largest batch that has a speed-up over more devices."""
    works = [row.work for row in scaling.rows if _is_drawn(row) and not row.is_baseline]
    return max(works, key=lambda work: work.size or work.requests, default=None)


def _is_drawn(row: Row) -> bool:
    if row.is_baseline:
        return bool(row.configuration.ranks and rate_of(row))
    ranks, fewest = row.configuration.ranks, row.baseline.ranks
    return row.speedup is not None and bool(ranks and fewest and ranks != fewest)


def _row(row: Row) -> dict[str, Any]:
    level = row.speedup if row.speedup is not None else GeometricMean(1.0, None, None)
    shown = ends(level)
    if row.is_baseline:
        shown |= {"interval": True, "between": "none (baseline)"}
    devices = (row.configuration.ranks or 1) / (row.baseline.ranks or 1)
    kind = AT_BASELINE if row.is_baseline else _kind(row)
    return {"configuration": row.label, "kind": kind, "devices": devices, **shown}


def _kind(row: Row) -> str:
    engine = row.configuration.engine
    assert engine is not None
    varied = [name for kind, name in KINDS.items() if getattr(engine, kind) > 1]
    return varied[0] if len(varied) == 1 else MIXED


def _curve(curve: DeviceCurve, work: Work) -> Rows:
    """Return the fitted law relative to the baseline, if its smallest size is the baseline."""
    first = curve.rows[0]
    if first.work != work or not first.is_baseline or not rate_of(first):
        return []
    if (fit := curve.fit) is None:
        return []
    fewest, most = fit.sizes[0], fit.sizes[-1]
    sizes = [fewest + (most - fewest) * step / STEPS for step in range(STEPS + 1)]
    return [
        {
            "devices": n / fewest,
            "value": fit.at(n) / rate_of(first),
            "kind": curve.name,
            "line": first.label,
        }
        for n in sizes
    ]


def _top(rows: Rows, most: float) -> float:
    """The end of the axis: above all intervals, and of the ideal line as much as fits."""
    high: float = max(row["high"] for row in rows)
    return 1.08 * max(high, min(most, 1.25 * high))


def _layers(rows: Rows, most: float, top: float, dark: bool) -> list[alt.Chart]:
    look = theme.palette(dark)
    scale = alt.Scale(domain=[0, top], nice=False, clamp=True)
    x = _device_axis(rows, most)
    y = alt.Y("value:Q", title=AXIS, scale=scale)
    kinds = [
        AT_BASELINE,
        *(kind for kind in KIND_NAMES if any(row["kind"] == kind for row in rows)),
    ]
    hue = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[look.ink, *look.runs][: len(kinds)]),
        legend=alt.Legend(columns=BESIDE, symbolOpacity=1, orient="top"),
    )
    ideal, curve, data = (alt.Chart(alt.NamedData(n)) for n in ("ideal", "curves", "points"))
    bars = data.mark_rule(strokeWidth=3, opacity=0.45)
    return [
        ideal.mark_line(color=look.muted, strokeDash=[6, 4]).encode(x=x, y=y),
        curve.mark_line(strokeWidth=1.5, opacity=0.8).encode(x=x, y=y, color=hue, detail="line:N"),
        bars.encode(x=x, y=alt.Y("low:Q", title=AXIS, scale=scale), y2="high", color=hue),
        data.mark_point(size=70, filled=True, opacity=1).encode(
            x=x, y=y, color=hue, tooltip=TOOLTIP
        ),
        *(
            data.transform_filter(f"datum.devices {sign} {FAR_OUT * most}")
            .mark_text(align=align, dx=dx, dy=14, fontSize=11, **halo)
            .encode(x=x, y=y, text="configuration:N")
            for sign, align, dx in SIDES
            for halo in (HALO | {"stroke": look.paper}, {"color": look.ink})
        ),
    ]


def _device_axis(rows: Rows, most: float) -> alt.X:
    sizes = sorted({row["devices"] for row in rows})
    return alt.X(
        "devices:Q",
        title="Devices relative to baseline",
        scale=alt.Scale(domain=[0, most * 1.06], nice=False),
        axis=alt.Axis(values=sizes, format="~r", labelOverlap="greedy"),
    )


TOOLTIP = [
    alt.Tooltip("configuration:N", title="Configuration"),
    alt.Tooltip("value:Q", title="Relative to baseline", format=".3f"),
    alt.Tooltip("between:N", title="95 % interval"),
]
