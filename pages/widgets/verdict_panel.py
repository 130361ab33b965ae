"""The result of a comparison: its verdict in a sentence, and each run next to the baseline."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from pages.widgets import tabular
from pages.widgets.panels import Colour
from pages.widgets.view import plain, prose
from services.analysis.compare import Comparison, Verdict
from services.analysis.compare.marks import MARK_OF, SIGNS, Mark, sign_of
from services.base.table import Table
from services.report.verdict_figures import (
    GEOMETRIC,
    VerdictFigures,
    overview,
    table,
    verdict_figures,
)

COLOURS: dict[Mark, Colour] = {
    "better": "green",
    "worse": "orange",
    "equivalent": "blue",
    "different": "gray",
    "inconclusive": "gray",
}

BREAKS = re.compile(r"(?<=,) | (?=\()")
TILE: dict[str, Any] = {"border": True, "height": "stretch"}


def show(comparison: Comparison) -> None:
    """Show the verdict before any chart."""
    verdicts = verdict_figures(comparison)
    with st.container(border=True, gap="small"):
        if len(verdicts) == 1:
            _pair(verdicts[0], comparison.verdicts[0])
        else:
            st.subheader(prose(overview(verdicts, comparison)), anchor=False)
            _table(table(verdicts, comparison))
            if any(figures.note for figures in verdicts):
                st.caption(GEOMETRIC)
            with st.expander("Each verdict in words", icon=":material/notes:"):
                for verdict in comparison.verdicts:
                    st.markdown(prose(verdict.sentence))
                    _by_measure(verdict)


def _pair(figures: VerdictFigures, verdict: Verdict) -> None:
    st.subheader(prose(verdict.headline), anchor=False)
    with st.grid(3, min_column_width=200):
        measure: dict[str, Any] = {
            "delta": plain(figures.measure),
            "delta_color": "off",
            "delta_arrow": "off",
        }
        baseline = f"{plain(figures.baseline_label)} (baseline)"
        st.metric(baseline, figures.baseline_value, **measure, **TILE)
        st.metric(plain(figures.label), figures.value, **measure, **TILE)
        st.metric(
            "Ratio",
            figures.ratio,
            delta=plain(figures.verdict_with_interval),
            delta_color=COLOURS[figures.mark],
            delta_arrow="off",
            help="The run relative to the baseline, with its 95 % interval: the ratio of geometric "
            "means over repeats, which differs from that of the two numbers if repeats vary",
            **TILE,
        )
    _by_measure(verdict)
    st.markdown(f":small[{prose(f'{verdict.details} {figures.note}'.strip())}]")


def _table(data: Table) -> None:
    """Show a row for each run, with the verdict in its colour."""
    rows = [[plain(row[0]), *map(_coloured, row[1:])] for row in data.rows]
    tabular.show_rows(data.title, rows, data)


def _coloured(text: str) -> str:
    """A cell in the colour of its verdict; a phone breaks the line before the ratio and the
    interval."""
    colour = {sign: COLOURS[mark] for mark, sign in SIGNS.items()}.get(text[:1])
    if colour is None:
        return plain(text)
    return f":{colour}[{' '.join(map(tabular.cell, BREAKS.split(text)))}]"


def _by_measure(verdict: Verdict) -> None:
    """Show the verdict by each measure as a badge; if there is none, the sentence explains why."""
    with st.container(horizontal=True, gap="xsmall"):
        for finding in verdict.findings:
            if finding.word != "no verdict":
                text = f"{sign_of(finding)} {finding.label}: {finding.word}"
                st.badge(plain(text), color=COLOURS[MARK_OF[finding.word]])
