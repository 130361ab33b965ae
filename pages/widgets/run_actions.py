"""The actions on runs that their pages share: run again, and compare with others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

import jobs
from db import baseline_verdicts, runs
from db.database import opened
from jobs import scenarios
from pages.widgets import copyable, more_repeats, scenario_file, start_button, view
from pages.widgets.view import read_only, share_view
from services.analysis.compare.baseline_verdict import BASELINE
from services.ask.flag import command
from services.ask.measurement import Run
from services.report.scenario import Scenario

NO_COMMAND = "A command cannot contain your own prompts or a trace. Use a scenario instead."


def may_cancel(run_ids: Sequence[int]) -> bool:
    """Return whether the person may cancel these runs: an admin may cancel any, a runner only their
    own."""
    if share_view():
        return False
    who = view.person()
    return not read_only() or (who is not None and jobs.may_cancel(opened(), run_ids, who))


def compare(run: Run) -> None:
    """Show a popover with what a run can be compared with."""
    with st.popover("Compare", icon=":material/compare_arrows:"):
        if (baseline := _baseline_of(run)) is not None:
            st.page_link(
                "compare.py",
                label=f"With its baseline, run {baseline}",
                icon=":material/keep:",
                query_params={"runs": f"{baseline},{run.id}"},
            )
        st.page_link(
            "compare.py",
            label="With another run",
            icon=":material/compare_arrows:",
            query_params={"runs": str(run.id)},
        )
        if run.study_id is not None:
            st.page_link(
                "study.py",
                label="In its study",
                icon=":material/grid_on:",
                query_params={"study": str(run.study_id)},
            )


def again(measured: Sequence[Run], margin: float | None = None) -> None:
    """Show a popover to measure these runs again or to start a similar one, with the command and
    the scenario for it."""
    own = [run for run in measured if run.source is None]
    if len(own) < len(measured):
        return
    with st.popover("Run again", icon=":material/replay:"):
        if len(own) == 1:
            st.page_link(
                "run.py",
                label="New run, same settings",
                icon=":material/replay:",
                query_params={"like": str(own[0].id)},
            )
            st.page_link(
                "capacity.py",
                label="How much load can its server handle?",
                icon=":material/speed:",
                query_params={"like": str(own[0].id)},
            )
        start_button.reopen(more_repeats.START)
        if more_repeats.possible(own):
            more_repeats.form(own)
        if len(own) == 1:
            _command(own[0])
        scenario(own, margin)


def scenario(own: Sequence[Run], margin: float | None = None) -> None:
    """Offer the config of runs as a scenario file."""
    ids = [run.id for run in own]
    if len(ids) == 1:
        make: Callable[[], Scenario] = partial(scenarios.of_run, opened(), ids[0])
    else:
        make = partial(scenarios.of_runs, opened(), ids, margin)
    name = "-".join(["paceline", "run" if len(ids) == 1 else "comparison", *map(str, ids)])
    scenario_file.stored_form(make, [run.config for run in own], f"{name}.yaml")


def _command(run: Run) -> None:
    line = command(run.config)
    if line is None:
        st.caption(NO_COMMAND)
        return
    st.caption("On the command line")
    copyable.show(line, "command", "bash")


def _baseline_of(run: Run) -> int | None:
    """The baseline that History compares a run with."""
    verdict = baseline_verdicts.of_runs(opened(), runs.rows_of(opened(), [run.id])).get(run.id)
    return None if verdict is None or verdict.word == BASELINE else verdict.baseline_id
