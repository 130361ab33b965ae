"""Add repeats to finished runs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

import jobs
from db.database import opened
from pages.widgets import api_keys, fields, start_button
from pages.widgets.view import sentences, show_error
from services.ask.config import MAX_REPEATS
from services.ask.measurement import Run
from services.base.errors import PacelineError

USUAL = 4
START = "run-more"  # the key of the button


def possible(measured: Sequence[Run]) -> bool:
    """Return whether all of these runs can be repeated."""
    over = all(run.status == "done" and run.source is None for run in measured)
    return over and _repeats_left(measured) >= 1


def form(measured: Sequence[Run]) -> None:
    """Ask how many more repeats to measure of all of these runs."""
    left = _repeats_left(measured)
    comparison_ids = {run.comparison_id for run in measured}
    count = fields.whole_number("Additional repeats", min(USUAL, left), 1, left, key="further")
    st.caption(_help_text(len(measured), len(comparison_ids) == 1 and None not in comparison_ids))
    if (
        start_button.pressed("Start", START, count is not None, width="content")
        and count is not None
    ):
        _start(measured, count)


def _repeats_left(measured: Sequence[Run]) -> int:
    return MAX_REPEATS - max(run.config.repeats for run in measured)


def _help_text(runs: int, interleaved: bool) -> str:
    if runs == 1:
        return "Added to this run: more repeats narrow its confidence intervals."
    how = "interleaved" if interleaved else "one run after the other"
    return f"Added to each of these runs, {how}: more repeats narrow the confidence intervals."


@sentences()
def _start(measured: Sequence[Run], count: int) -> None:
    def queue() -> int:
        jobs.more(opened(), [run.id for run in measured], count, api_keys.typed())
        return measured[-1].id

    comparison_id = measured[0].comparison_id
    together = len(measured) > 1 and comparison_id is not None
    try:
        start_button.open_once(
            START,
            queue,
            "live.py",
            lambda run: {"comparison": str(comparison_id)} if together else {"run": str(run)},
        )
    except PacelineError as error:
        show_error(error)
