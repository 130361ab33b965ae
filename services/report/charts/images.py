"""Charts as PNG and SVG images, rendered without a network."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert

from services.report import theme
from services.report.charts.frame import spec

WIDTH = 900  # pixels, before scaling
SCALE = 2.0


def png(chart: alt.LayerChart, dark: bool = False) -> bytes:
    """Return the chart as PNG, 900 points wide, two pixels a point. `dark` must be as in `draw`."""
    image: bytes = vl_convert.vegalite_to_png(
        _fixed(chart, dark), scale=SCALE, allowed_base_urls=[]
    )
    return image


def svg(chart: alt.LayerChart, dark: bool = False) -> bytes:
    """Return the chart as SVG, 900 points wide."""
    image: str = vl_convert.vegalite_to_svg(_fixed(chart, dark), allowed_base_urls=[])
    return image.encode()


def _fixed(chart: alt.LayerChart, dark: bool) -> dict[str, Any]:
    look = {
        "width": WIDTH,
        "background": theme.palette(dark).paper,
        "padding": 12,
    }
    return spec(chart, dark) | look
