"""A run over time: any repeat and any part of its timeline; clicking a line opens its request.

The URL says what is shown: `?repeat=2&window=3.5-10`, in seconds since the repeat began.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from pages.widgets import chart_panel, request_detail
from pages.widgets.view import IGNORED, plain, shared
from services.analysis.compare import Candidate
from services.report.charts import chart
from services.report.charts.engine import engine
from services.report.charts.latency_over_time import latency_over_time
from services.report.charts.over_time import in_flight, throughput
from services.report.charts.picking import stretch_of
from services.report.charts.timeline import Window, end_of, timeline

REPEAT, WINDOW = "timeline-repeat", "timeline-window"  # keys of the widgets
STEPS = 200  # of the slider
LONG_S = 1000  # above it, %.3g would show an exponent
NUMBERS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)-(\d{1,9}(?:\.\d{1,9})?)")


def show(candidate: Candidate, load: chart_panel.Load) -> None:
    """Show the timeline with its controls; a shared page does not have them."""
    if not candidate.run.placed:
        chart_panel.draw(chart("timeline"), [candidate], "result", load)
        return
    repeat = _repeat(candidate)
    end = end_of(candidate, repeat)
    window = _window(end)
    if not shared() and end:
        _controls(candidate, repeat, window, end)
    drawn = replace(chart("timeline"), draw=partial(timeline, repeat=repeat, window=window))
    shown = "" if window is None else f"-{window[0]:g}-{window[1]:g}"
    key = request_detail.key(f"timeline-{repeat}{shown}")
    chart_panel.draw(drawn, [candidate], "result", load, _picking(key))
    for name, draw in BELOW.items():
        of_repeat = replace(chart(name), draw=partial(draw, repeat=repeat))
        chart_panel.draw(of_repeat, [candidate], "result", load)


def _picking(key: str) -> chart_panel.Picking:
    opens = request_detail.clicked(key, "request")

    def selected() -> None:
        """A click opens a request, dragging zooms."""
        opens()
        if stretch := stretch_of(st.session_state[key]["selection"], "start"):
            _zoom(stretch)

    zooms = not shared()  # a shared page has no button to show the whole repeat again
    hint = f"Click a bar to open its request.{' Drag to zoom.' * zooms}"
    return chart_panel.Picking(key, "request", selected, hint, stretch=zooms)


def _controls(candidate: Candidate, repeat: int, window: Window | None, end: float) -> None:
    repeats = [repeat.index for repeat in candidate.summary.repeats]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(repeats) > 1:
            st.session_state[REPEAT] = repeat
            st.selectbox(
                "Repeat",
                repeats,
                format_func=lambda index: f"{index + 1} of {len(repeats)}",
                key=REPEAT,
                on_change=_turn,
                width=130,
            )
        st.session_state[WINDOW] = window or (0.0, end)
        st.slider(
            "Seconds shown",
            0.0,
            end,
            step=end / STEPS,
            format="%.3g s" if end < LONG_S else "%.0f s",
            key=WINDOW,
            on_change=lambda: _zoom(st.session_state[WINDOW]),
            width=360,
        )
        st.button(
            "Whole repeat", icon=":material/zoom_out_map:", on_click=_whole, disabled=window is None
        )


def _turn() -> None:
    st.query_params["repeat"] = str(st.session_state[REPEAT] + 1)
    _whole()


def _zoom(window: Window) -> None:
    st.query_params["window"] = f"{max(window[0], 0.0):.6f}-{window[1]:.6f}"


def _whole() -> None:
    st.query_params.pop("window", None)


def _repeat(candidate: Candidate) -> int:
    """Return the index of the repeat in the URL, from 0; 0 if it is missing or invalid."""
    text = st.query_params.get("repeat", "1")
    repeats = {str(each.index + 1): each.index for each in candidate.summary.repeats}
    if text not in repeats and "repeat" in st.query_params:
        _ignored(f"There is no repeat “{text[:20]}”")
    return repeats.get(text, min(repeats.values()))


def _window(end: float) -> Window | None:
    """Return the part of the repeat in the URL, in seconds; None: all of it."""
    text = st.query_params.get("window", "")
    numbers = NUMBERS.fullmatch(text)
    low, high = (min(float(one), end) for one in numbers.groups()) if numbers else (0.0, 0.0)
    if text and low >= high:
        _ignored(
            f"“{text[:20]}” is not a time range of this repeat: window=3.5-10 means seconds 3.5 to "
            "10"
        )
    return (low, high) if low < high and (low, high) != (0.0, end) else None


def _ignored(what: str) -> None:
    st.warning(plain(f"{what}. {IGNORED}"), icon=":material/link_off:")


BELOW: dict[str, Callable[..., Any]] = {
    "engine": engine,
    "ttft_over_time": latency_over_time,
    "in_flight": in_flight,
    "throughput": throughput,
}
SHOWN = ("timeline", *BELOW)  # names of charts
