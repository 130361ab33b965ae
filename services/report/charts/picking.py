"""What can be selected in a chart on a page: a mark, and a range of its x axis.

Charts in files have no selections, so these are added to the spec afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARK, STRETCH = "mark", "stretch"  # names of the selections


def pickable(spec: dict[str, Any], field: str, stretch: bool = False) -> dict[str, Any]:
    """Return a chart in which the marks of the first layer can be clicked, which selects the value
    of their `field`; with `stretch`, dragging selects a part of the x axis."""
    params: list[dict[str, Any]] = [
        {"name": MARK, "select": {"type": "point", "fields": [field], "toggle": False}}
    ]
    if stretch:
        params.append({"name": STRETCH, "select": {"type": "interval", "encodings": ["x"]}})
    first, *others = spec["layer"]
    mark = {"type": first["mark"]} if isinstance(first["mark"], str) else first["mark"]
    picked = first | {"params": params, "mark": mark | {"cursor": "pointer"}}
    return spec | {"layer": [picked, *others]}


def mark_of(selection: Mapping[str, Any], field: str) -> int | None:
    """Return the number that a click selected; None if nothing is selected."""
    marks = selection.get(MARK) or []
    text = str(marks[0].get(field, "")) if marks else ""
    return int(text) if text.isascii() and text.isdecimal() else None


def stretch_of(selection: Mapping[str, Any], field: str) -> tuple[float, float] | None:
    """Return the selected part of the x axis, if any."""
    ends = (selection.get(STRETCH) or {}).get(field) or []
    return (float(min(ends)), float(max(ends))) if len(ends) == 2 and ends[0] != ends[1] else None
