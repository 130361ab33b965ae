"""The answer of a comparison: its verdict in a sentence, and each run beside the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.widgets import tabular
from pages.widgets.panels import Colour
from pages.widgets.view import plain
from services.analysis.compare import Comparison, Verdict
from services.analysis.compare.marks import MARK_OF, Mark, sign_of
from services.analysis.compare.wording import verdict_label
from services.report.answer import Answer, answers, overview, table

COLOURS: dict[Mark, Colour] = {
    "better": "green",
    "worse": "orange",
    "equivalent": "blue",
    "undecided": "gray",
}

TILE: dict[str, Any] = {"border": True, "height": "stretch"}


def show(comparison: Comparison) -> None:
    """Show the answer before any chart."""
    found = answers(comparison)
    with st.container(border=True, gap="small"):
        if len(found) == 1:
            _pair(found[0], comparison.verdicts[0])
        else:
            st.subheader(plain(overview(found, comparison)), anchor=False)
            _table(found, comparison)
            with st.expander("Each verdict in words", icon=":material/notes:"):
                for verdict in comparison.verdicts:
                    st.markdown(plain(verdict.sentence))
                    _by_measure(verdict)


def _pair(answer: Answer, verdict: Verdict) -> None:
    st.subheader(plain(verdict.headline), anchor=False)
    with st.grid(3, min_column_width=200):
        st.metric(f"{plain(answer.baseline_label)} (baseline)", answer.baseline_value, **TILE)
        st.metric(plain(answer.label), answer.value, **TILE)
        st.metric(
            plain(f"{answer.measure}, ratio"),
            answer.ratio,
            delta=plain(answer.said),
            delta_color=COLOURS[answer.mark],
            delta_arrow="off",
            delta_description=plain(f"95 % interval {answer.interval}")
            if answer.interval
            else None,
            **TILE,
        )
    _by_measure(verdict)
    st.markdown(f":small[{plain(verdict.details)}]")


def _table(found: Sequence[Answer], comparison: Comparison) -> None:
    """A row for each run, the verdict in its colour."""
    data = table(found, comparison)
    colours = [None] * (len(data.rows) - len(found)) + [COLOURS[answer.mark] for answer in found]
    rows = [
        [tabular.cell(label), _coloured(said, colour), *map(tabular.cell, rest)]
        for (label, said, *rest), colour in zip(data.rows, colours, strict=True)
    ]
    columns = [plain(column) or " " for column in data.columns]
    st.table(
        pd.DataFrame(rows, columns=columns), border="horizontal", hide_index=True, alt=data.title
    )


def _coloured(text: str, colour: Colour | None) -> str:
    return f":{colour}[{tabular.cell(text)}]" if colour else tabular.cell(text)


def _by_measure(verdict: Verdict) -> None:
    """The verdict by each measure as a badge; why there is none, the sentence says."""
    with st.container(horizontal=True, gap="xsmall"):
        for finding in verdict.findings:
            if finding.word != "no verdict":
                word = verdict_label(finding.word, verdict.margin)
                text = f"{sign_of(finding)} {finding.label}: {word}"
                st.badge(plain(text), color=COLOURS[MARK_OF[finding.word]])
