"""The look of charts: a light and a dark theme, and a color for each run.

The colors are Okabe and Ito's (https://jfly.uni-koeln.de/color/), which color-blind people can
distinguish; in the dark theme the same hues are lighter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analysis.compare import Candidate
from services.ask.measurement import Measurement

FONT = '"Source Sans", sans-serif'  # that of the pages; a longer list is measured wrongly in images


@dataclass(frozen=True)
class Palette:
    """The colours of a theme. `runs` has eight; each of the others has one meaning."""

    runs: tuple[str, ...]
    paper: str  # behind an image; a page's own background shows through a chart
    ink: str
    muted: str
    grid: str
    queued: str
    prefill: str
    decode: str
    failed: str
    better: str
    worse: str
    equivalent: str
    inconclusive: str  # also what is neither better nor worse
    warning: str


LIGHT = Palette(
    runs=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#555555"),
    paper="#ffffff",
    ink="#1f2933",
    muted="#56616e",
    grid="#e4e7eb",
    queued="#a4acb5",
    prefill="#E69F00",
    decode="#0072B2",
    failed="#c62828",
    better="#00805d",
    worse="#b84f00",
    equivalent="#0072B2",
    inconclusive="#5f6a76",
    warning="#8a5a00",
)
DARK = Palette(
    runs=("#56B4E9", "#E69F00", "#2fc79a", "#e08cc0", "#f07d3e", "#9ecae1", "#b79ad6", "#bbbbbb"),
    paper="#0e1117",
    ink="#e8ebef",
    muted="#a7b0bc",
    grid="#2b323c",
    queued="#6b7683",
    prefill="#E69F00",
    decode="#56B4E9",
    failed="#ff6b6b",
    better="#2fc79a",
    worse="#f07d3e",
    equivalent="#56B4E9",
    inconclusive="#95a0ad",
    warning="#f0b24d",
)


def palette(dark: bool = False) -> Palette:
    """Return the colours of the light or the dark theme."""
    return DARK if dark else LIGHT


def colour(position: int, dark: bool = False) -> str:
    """Return the colour at a position; after the eighth, they repeat."""
    runs = palette(dark).runs
    return runs[position % len(runs)]


def positions(run_ids: Sequence[int]) -> dict[int, int]:
    """Return the position of each run in the palette, whatever the order of `run_ids`.

    The position follows from the run's id, so that a run looks the same beside any other run. If
    two runs want the same position, the one with the higher id gets the next free one.
    """
    ids = sorted(set(run_ids))
    by_run: dict[int, int] = {}
    for run_id in ids:
        if _preferred_position(run_id) not in by_run.values():
            by_run[run_id] = _preferred_position(run_id)
    for run_id in ids:
        if run_id not in by_run:
            by_run[run_id] = _free_position(_preferred_position(run_id), set(by_run.values()))
    return by_run


def _free_position(wanted: int, taken: set[int]) -> int:
    size = len(LIGHT.runs)
    after = ((wanted + step) % size for step in range(size))
    return next((position for position in after if position not in taken), wanted)


def _preferred_position(run_id: int) -> int:
    return (run_id - 1) % len(LIGHT.runs)


def colour_of(run_id: int, run_ids: Sequence[int], dark: bool = False) -> str:
    """Return the colour of a run that is shown together with the runs `run_ids`."""
    return colour(positions([*run_ids, run_id])[run_id], dark)


def request_number(candidate: Candidate, measurement: Measurement) -> int:
    """Return the number of a request in its run, from 1, across all repeats."""
    return measurement.repeat * candidate.per_repeat + measurement.index + 1


def request_numbers(candidate: Candidate) -> NDArray[np.int64]:
    """Return the numbers of all requests of a run."""
    table = candidate.table
    numbers = table.numbers("repeat") * candidate.per_repeat + table.numbers("index") + 1
    return numbers.astype(np.int64)


def config(dark: bool = False) -> dict[str, Any]:
    """Return the theme as a Vega-Lite config."""
    look = palette(dark)
    text = {"labelColor": look.muted, "titleColor": look.ink, "labelFontSize": 12}
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None, "continuousHeight": 260},
        "title": _title(look),
        "axis": {
            **text,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "gridColor": look.grid,
            "domainColor": look.muted,
            "tickColor": look.muted,
        },
        "axisX": {"grid": False},
        "axisXQuantitative": {"tickCount": {"expr": "ceil(width / 80)"}},
        "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
        "legend": {
            **text,
            "title": None,
            "orient": "top",
            "labelLimit": 0,  # pixels; 0: labels are not cut off
            "symbolType": "stroke",
            "symbolStrokeWidth": 4,
        },
        "line": {"strokeWidth": 2},
        "rule": {"color": look.muted},
        "text": {"color": look.ink},
        "range": {"category": list(look.runs)},
    }


def _title(look: Palette) -> dict[str, Any]:
    return {
        "anchor": "start",
        "color": look.ink,
        "fontSize": 15,
        "fontWeight": 600,
        "subtitleColor": look.muted,
        "subtitleFontSize": 12,
        "subtitlePadding": 5,
        "offset": 12,
    }
