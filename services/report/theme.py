"""How everything that is drawn looks: one light and one dark theme, and one colour for each run.

The colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), which colour-blind people can
tell apart; the dark ones are the same hues, lighter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.analysis.compare import Candidate
from services.ask.measurement import Measurement, Run

FONT = '"Source Sans", sans-serif'  # the pages' own; a longer list is measured wrongly in images
LABEL_LENGTH = 22


@dataclass(frozen=True)
class Palette:
    """The colours of one variant. `runs` holds eight; the others each have one meaning."""

    runs: tuple[str, ...]
    paper: str  # behind an image; a page's own background shows through a chart
    ink: str
    muted: str
    grid: str
    queued: str
    prefill: str
    decode: str
    failed: str


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
)


def palette(dark: bool = False) -> Palette:
    """Return the colours of the light or the dark variant."""
    return DARK if dark else LIGHT


def colour(position: int, dark: bool = False) -> str:
    """Return the colour at a position; after the eighth they begin again."""
    runs = palette(dark).runs
    return runs[position % len(runs)]


def positions(run_ids: Sequence[int]) -> dict[int, int]:
    """Map each run to its place in the palette, whatever the order they are given in.

    A run's place follows from its own id, so that it looks the same beside any other run. Only
    where two of them want the same place does the one with the higher id take the next free.
    """
    ids = sorted(set(run_ids))
    taken: dict[int, int] = {}
    for run_id in ids:
        if _wanted(run_id) not in taken.values():
            taken[run_id] = _wanted(run_id)
    for run_id in ids:
        if run_id not in taken:
            taken[run_id] = _next_free(_wanted(run_id), set(taken.values()))
    return taken


def _next_free(wanted: int, taken: set[int]) -> int:
    size = len(LIGHT.runs)
    after = ((wanted + step) % size for step in range(size))
    return next((position for position in after if position not in taken), wanted)


def _wanted(run_id: int) -> int:
    return (run_id - 1) % len(LIGHT.runs)


def colour_of(run_id: int, run_ids: Sequence[int], dark: bool = False) -> str:
    """Return a run's colour where the runs `run_ids` are shown together."""
    return colour(positions([*run_ids, run_id])[run_id], dark)


def label(run: Run) -> str:
    """Return a run's short name, unique by its id: `12 · Groq, sequential`. It says where LiteLLM
    is part of the numbers that stand beside it, and where another tool measured them."""
    name = " ".join(run.name.split())
    if len(name) > LABEL_LENGTH:
        name = name[: LABEL_LENGTH - 1].rstrip() + "…"
    parts = (str(run.id), name, "imported" if run.source is not None else run.through)
    return " · ".join(filter(None, parts))


def request_number(candidate: Candidate, measurement: Measurement) -> int:
    """Return a request's number in its run, from 1, counted on through the repeats."""
    return measurement.repeat * candidate.run.config.requests + measurement.index + 1


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
            "labelLimit": 190,
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
