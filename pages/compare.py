"""Runs side by side. The first is the baseline; the URL holds the selection
(`?runs=12,15&within=5`: runs that differ by less than 5 % are equivalent)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NoReturn

import streamlit as st

from db import garbage, results, runs
from db.database import opened
from db.runs import RunNotFound
from pages.widgets import actions as menu
from pages.widgets import (
    compare_tabs,
    objectives_form,
    panels,
    run_actions,
    share,
    verdict_panel,
)
from pages.widgets.view import (
    not_a_run_number,
    plain,
    read_only,
    run_numbers,
    share_view,
    shared,
    stop_with,
)
from services.analysis.compare import (
    FEWEST,
    MAX_MARGIN,
    MIN_MARGIN,
    MOST,
    Candidate,
    compare,
    margin_of,
)
from services.analysis.compare.diagnosed import diagnosed

RECENT = 200  # runs that are offered in the list
CHOOSE = "Runs and margin"
WANTED = f"Select 2 to {MOST} runs"


def runs_in_url() -> tuple[list[int], str]:
    """Return the runs in the URL without duplicates, and the reason if they cannot be compared."""
    numbers, bad = run_numbers(st.query_params.get("runs", ""))
    ids = list(dict.fromkeys(numbers))
    if len(ids) < len(numbers):
        st.caption("The link names a run more than once; it is shown once.")
    if bad:
        return ids[:MOST], f"{not_a_run_number(bad)} A link to this page ends in ?runs=12,15."
    if len(ids) > MOST:
        return ids[:MOST], f"{len(ids)} runs are too many: compare up to {MOST} at a time."
    return ids, ""


def margin_in_url() -> float | None:
    """Return the margin in the URL, as a share; None if there is none, or an invalid one, which is
    reported."""
    text = st.query_params.get("within")
    if text is None:
        return None
    try:
        margin = float(text) / 100
    except ValueError:
        margin = 0.0
    if MIN_MARGIN <= margin <= MAX_MARGIN:
        return margin
    ignored = f"“{text[:40]}” is not a valid margin and was ignored. Use 0.1 to 100."
    st.warning(plain(ignored), icon=":material/link_off:")
    return None


def choose_margin(margin: float) -> None:
    """Ask for the margin. Like the runs, it is read from the URL."""
    st.session_state["within"] = 100 * margin

    def into_url() -> None:
        st.query_params["within"] = f"{st.session_state['within']:g}"

    st.number_input(
        "Margin (± %)",
        100 * MIN_MARGIN,
        100 * MAX_MARGIN,
        step=1.0,
        format="%g",
        key="within",
        on_change=into_url,
        help="Runs that differ by less than this count as equivalent. Choose it before you look at "
        "the results: a margin chosen afterwards can make any two runs equivalent.",
    )


def choose(ids: list[int], called: Mapping[int, str]) -> None:
    """Ask for the runs. They are read from the URL; the widget only shows and changes it. `called`:
    the labels of those compared."""
    names = {row.id: f"{row.id} · {row.name}" for row in runs.search(opened(), limit=RECENT)}
    names |= {run_id: str(run_id) for run_id in ids if run_id not in names}
    names |= {run_id: f"{run_id} · {label}" for run_id, label in called.items()}
    st.session_state["chosen"] = ids

    def into_url() -> None:
        st.query_params["runs"] = ",".join(map(str, st.session_state["chosen"]))

    st.multiselect(
        "Runs (baseline first)",
        list(names),
        format_func=lambda run_id: names.get(run_id, str(run_id)),
        max_selections=MOST,
        key="chosen",
        on_change=into_url,
        placeholder=WANTED,
    )


def choose_baseline(ids: list[int], called: Mapping[int, str]) -> None:
    """Ask which run the others are compared with: it becomes the first in the URL."""
    st.session_state["baseline"] = ids[0]

    def into_url() -> None:
        first = st.session_state["baseline"]
        others = [run_id for run_id in ids if run_id != first]
        st.query_params["runs"] = ",".join(map(str, (first, *others)))

    st.selectbox(
        "Baseline",
        sorted(ids),
        format_func=lambda run_id: f"{run_id} · {called[run_id]}",
        key="baseline",
        on_change=into_url,
    )


def load(
    ids: list[int], judgement: dict[str, float | None], margin: float | None
) -> list[Candidate]:
    try:
        candidates = results.candidates(opened(), ids, judgement, margin)
    except RunNotFound as error:
        refuse(str(error))
    if empty := [c.run for c in candidates if not c.measurements and c.run.source is None]:
        refuse(f"Run {empty[0].id} has no measured requests.")
    return candidates


def refuse(why: str) -> NoReturn:
    """Report which run cannot be compared, below the widget that can remove it."""
    if not shared():
        choose(ids, {})
    stop_with(why, "Remove it from the comparison.")


def chosen_in_url(margin: float | None) -> dict[str, str]:
    """Return the parameters of a link to this page."""
    within = {} if margin is None else {"within": f"{100 * margin:g}"}
    return {"runs": ",".join(map(str, ids)), **within, **objectives_form.parameters()}


def menu_panels(candidates: list[Candidate]) -> menu.Panels:
    """Return the panels that can be opened below the buttons."""

    def runs_and_margin() -> None:
        called = {candidate.run.id: candidate.label for candidate in candidates}
        choose(ids, called)
        with st.grid(2, min_column_width=220):
            choose_baseline(ids, called)
            choose_margin(margin_of(candidates))

    configs = [candidate.run.config for candidate in candidates]
    return {
        CHOOSE: runs_and_margin,
        "Objectives and price": partial(objectives_form.form, configs, judgement),
    }


def to_share(margin: float | None) -> None:
    share.of_runs(ids, "compare", chosen_in_url(margin), judgement, load_again, margin)


def actions(candidates: list[Candidate]) -> None:
    """Show the buttons beside the title of a comparison."""
    menu.opener("compare", CHOOSE)
    run_actions.again([candidate.run for candidate in candidates], margin)
    to_share(margin)
    menu.more("compare", ["Objectives and price"])


with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Compare", anchor=False, width="stretch")
    beside_title = st.container(
        horizontal=True, horizontal_alignment="right", width="content", key="beside-title"
    )
ids, problem = runs_in_url()
margin = margin_in_url()
none_yet = not ids and not runs.count(opened())
if not shared() and (problem or len(ids) < FEWEST) and not none_yet:
    choose(ids, {})
if problem:
    stop_with(problem)
if none_yet:
    st.info(
        "There are no runs yet. Start a comparison, or two separate runs.", icon=":material/info:"
    )
if len(ids) < FEWEST and not shared():
    st.page_link(
        "run.py",
        label="Start a comparison with interleaved repeats",
        icon=":material/compare_arrows:",
        query_params={"vs": "mode=batch"},
    )
if none_yet:
    if not shared():
        st.page_link("run.py", label="Start a run", icon=":material/play_arrow:")
    st.stop()
if len(ids) < FEWEST:
    stop_with("Select one more run." if ids else f"{WANTED}.", "The first is the baseline.")
judgement = objectives_form.in_url()
with garbage.gc_disabled():  # with 40,000 requests, which are released when the script ends
    candidates = load(ids, judgement, margin)
    load_again = partial(results.candidates, opened(), ids, judgement, margin)
    comparison = compare(candidates)
    if read_only() and not share_view():
        with beside_title:
            to_share(margin)
    if not shared():
        with beside_title:
            actions(candidates)
        menu.panel("compare", menu_panels(candidates))
    verdict_panel.show(comparison)
    panels.show_diagnosed(list(diagnosed(candidates, comparison.warnings)))
    compare_tabs.show(comparison, candidates, load_again)
del candidates, comparison  # a session keeps the page's globals
