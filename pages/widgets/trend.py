"""The trend of a measure over the runs that History shows, with their verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from db import baseline_verdicts
from db.database import opened
from pages.widgets import url_state
from pages.widgets.chart_panel import captioned, image_buttons
from pages.widgets.view import dark, plain, prose
from services.analysis.compare.trend import MEASURES, Trend
from services.report.charts import spec
from services.report.charts.trend import PICKED, measure_of, trend_chart

QUESTION = "Is it getting faster?"
PARAMETER = "trend"


def choose(prefix: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Ask which measure's trend to show, if any. Returns it as a parameter of the URL."""
    text = parameters.get(PARAMETER)
    chosen = st.segmented_control(
        "Trend of",
        MEASURES,
        format_func=lambda name: measure_of(name)[0],
        **url_state.keyed(prefix + PARAMETER, text if text in MEASURES else None),
    )
    return {PARAMETER: chosen} if chosen else {}


def report_unknown(parameters: Mapping[str, str]) -> None:
    """Report a measure in the URL that does not exist."""
    if parameters.get(PARAMETER, MEASURES[0]) not in MEASURES:
        st.warning(plain(f"Unknown trend “{parameters[PARAMETER][:60]}”; choose one below."))


def show(measure: str, filters: Mapping[str, Any]) -> None:
    """Show the sentences about the runs, and the chart."""
    series = baseline_verdicts.trend(opened(), measure, **filters)
    st.subheader(QUESTION, anchor="trend")
    first, *others = map(prose, series.sentences)
    st.markdown(first)
    if others:
        st.caption(" ".join(others))
    if series.warning:
        st.warning(plain(series.warning), icon=":material/warning:")
    drawn = trend_chart(series, dark())
    if drawn is None:
        st.caption("None of these runs has this metric.")
        return
    with st.container(gap="xxsmall"):
        event = st.vega_lite_chart(
            captioned(spec(drawn, dark())),
            key="trend-chart",
            theme=None,
            width="stretch",
            alt=QUESTION,
            on_select="rerun",
            selection_mode=PICKED,
        )
        image_buttons(partial(trend_chart, series), "trend", f"paceline-trend-{series.measure}")
    picked = event["selection"].get(PICKED, [])
    if picked:
        _show_selected(series, picked[0]["run"])


def _show_selected(series: Trend, run_id: int) -> None:
    """Show the run whose mark was clicked, with a link to its result."""
    point = next((point for point in series.points if point.run_id == run_id), None)
    if point is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(f"Run {run_id} · {point.name} · {point.word}"), width="content")
        st.page_link(
            "result.py",
            label="View result",
            icon=":material/insights:",
            query_params={"run": str(run_id)},
        )
        if series.baseline and series.baseline.run_id != run_id:
            st.page_link(
                "compare.py",
                label="Compare with baseline",
                icon=":material/compare_arrows:",
                query_params={"runs": f"{series.baseline.run_id},{run_id}"},
            )
