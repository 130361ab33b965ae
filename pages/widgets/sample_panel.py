"""The sample comparison on an empty *Run* page: what a result looks like, before the first run."""

from __future__ import annotations

from functools import cache
from typing import Any

import streamlit as st

from db import runs
from db.database import opened
from pages.widgets import candidates_form
from pages.widgets.view import dark, plain, prose
from services.analysis.compare import Comparison, compare
from services.analysis.comparison_design import ComparisonDesign
from services.ask import link
from services.ask.config import RunConfig
from services.ask.plan import duration
from services.report.charts import chart, spec
from services.report.sample import Sample, sample
from services.report.verdict_figures import verdict_figures

CLOSE = "dismiss-sample"  # also a cookie: see web/index.py
CLOSED = "sample-closed"  # in this session, whose cookies are those that it began with
CHART = "tokens_per_s"
TILE: dict[str, Any] = {"width": "content"}  # side by side, on a phone too
UNASKED = ("model", "repeats")  # the embedded model is the only one; the comparison has repeats


def show() -> None:
    """Show the sample until it is closed, or there is another run."""
    closed = st.session_state.get(CLOSED) or st.context.cookies.get(CLOSE) == "1"
    if closed or runs.count(opened()):
        return
    with st.container(border=True, key="sample", gap="small"):
        _head(sample())
        verdict = _comparison().verdicts[0]
        st.markdown(f"**{prose(verdict.headline)}**")
        with st.container(horizontal=True, gap="medium", vertical_alignment="top"):
            (figures,) = verdict_figures(_comparison())
            st.metric(f"{plain(figures.baseline_label)} (baseline)", figures.baseline_value, **TILE)
            st.metric(plain(figures.label), figures.value, **TILE)
            st.metric(
                plain(f"{figures.measure}, ratio"),
                figures.ratio,
                delta=f"95 % {figures.interval}",
                delta_color="off",
                delta_arrow="off",
                **TILE,
            )
        st.markdown(f":small[{prose(verdict.details)}]")
        with st.expander("Show the chart", icon=":material/insights:"):
            st.vega_lite_chart(
                _spec(dark()),
                theme=None,
                width="stretch",
                key="sample-chart",
                alt=chart(CHART).question,
            )


@cache
def _comparison() -> Comparison:
    return compare(sample().candidates)


@cache
def _spec(dark: bool) -> dict[str, Any]:
    drawn = chart(CHART).draw(sample().candidates, dark=dark)
    assert drawn is not None, "the sample has successful requests"
    return spec(drawn, dark)


def _head(shown: Sample) -> None:
    run = shown.candidates[0].run
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.badge("Sample", icon=":material/science:", color="violet")
        st.caption(
            plain(
                f"The embedded model on {run.environment.get('cores')} cores of an "
                f"{run.environment.get('cpu')}: one request at a time versus four at once. It took "
                f"{duration(shown.took_s)}."
            )
        )
        _actions(shown)


def _actions(shown: Sample) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
        st.page_link(
            "run.py",
            label="Try it here",
            icon=":material/edit_note:",
            query_params=form_parameters(shown),
        )
        if st.button("Close", icon=":material/close:", type="tertiary", key=CLOSE):
            st.session_state[CLOSED] = True
            st.rerun()


def form_parameters(shown: Sample) -> dict[str, str]:
    """Return the parameters of a link to the form with the sample's settings."""
    baseline, *others = (candidate.run.config for candidate in shown.candidates)
    asked = {
        name: getattr(baseline, name) for name in RunConfig.model_fields if name not in UNASKED
    }
    changes = [{"concurrency": other.concurrency} for other in others]
    design = ComparisonDesign(repeats=baseline.repeats)
    return link.query(asked, RunConfig()) | candidates_form.query(changes, design)
