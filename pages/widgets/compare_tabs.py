"""The tabs below the verdict of a comparison. Only the open tab is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.widgets import chart_panel, tabular, tool_report, url_state
from pages.widgets.view import shared
from services.analysis.compare import Candidate, Comparison
from services.analysis.compare.candidate import labels_of
from services.report import run_facts, tables
from services.report.charts import CHARTS, TRADE_OFFS

NUMBERS, SETUP = "Numbers", "Setup"


def show(comparison: Comparison, candidates: Sequence[Candidate], load: chart_panel.Load) -> None:
    """Show the charts by group, then the tables; `load` reads the runs again."""
    groups = list(dict.fromkeys(chart.group for chart in CHARTS))
    tabs = st.tabs([*groups, NUMBERS, SETUP], key=url_state.TABS, bind="query-params")
    for tab, group in zip(tabs, groups, strict=False):
        if tab.open:
            with tab:
                _charts(group, candidates, load)
    rest: tuple[Callable[[], None], ...] = (
        lambda: _numbers(comparison, candidates),
        lambda: _setup(comparison, candidates),
    )
    for tab, draw in zip(tabs[len(groups) :], rest, strict=True):
        if tab.open:
            with tab:
                draw()


def _charts(group: str, candidates: Sequence[Candidate], load: chart_panel.Load) -> None:
    if group == TRADE_OFFS and not shared():
        st.page_link(
            "leaderboard.py",
            label="Rank these runs",
            icon=":material/leaderboard:",
            query_params={"runs": ",".join(str(candidate.run.id) for candidate in candidates)},
        )
    for chart in CHARTS:
        if chart.group == group:
            chart_panel.draw(chart, candidates, "compare", load)


def _numbers(comparison: Comparison, candidates: Sequence[Candidate]) -> None:
    tabular.table(tables.measures(comparison, labels_of(candidates)), "What are the numbers?")
    tool_report.summary_table(candidates)


def _setup(comparison: Comparison, candidates: Sequence[Candidate]) -> None:
    tabular.table(run_facts.differences(comparison), "What differs between the runs?")
    tabular.setup_expander(candidates)
