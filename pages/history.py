"""Every stored run: search, view, edit, delete, select for a comparison.

What is searched for, and which page of it is shown, is in the URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from db import baseline_verdicts, runs
from db.database import opened
from pages.widgets import baseline, edit, import_form, run_table, trend, url_state
from pages.widgets.view import plain, stop_with
from services.analysis.compare import MOST

PAGE_SIZE = 50
PREFIX = "history-"
LAST = "last-of-history"
ANY = "any"


def narrowed() -> None:
    """The callback of what narrows the list: it begins anew."""
    url_state.touched()
    st.session_state[PREFIX + "page"] = 1


def narrow(parameters: dict[str, str], there: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """The search: a text, and a choice for each filter. Returns what is set."""
    with st.grid(5, min_column_width=130, vertical_alignment="bottom"):
        chosen = {
            "text": st.text_input(
                "Search",
                **url_state.keyed(f"{PREFIX}text", parameters.get("text", ""), narrowed),
                icon=":material/search:",
                placeholder="name, note, tag",
            )
        }
        for field, values in there.items():
            given = parameters.get(field, ANY)
            chosen[field] = st.selectbox(
                field.capitalize(),
                [ANY, *values],
                **url_state.keyed(PREFIX + field, given if given in values else ANY, narrowed),
            )
    return {name: value for name, value in chosen.items() if value and value != ANY}


def complain(parameters: dict[str, str], there: dict[str, tuple[str, ...]], pages: int) -> None:
    """Say what the URL asks for that is not there."""
    for field, values in there.items():
        if parameters.get(field, ANY) not in (ANY, *values):
            st.warning(plain(f"No run has the {field} “{parameters[field][:60]}”; showing all."))
    page = parameters.get("page", "1")
    if page not in map(str, range(1, pages + 1)):
        have = "one page" if pages == 1 else f"{pages} pages"
        st.warning(plain(f"There is no page “{page[:20]}”: the list has {have}."))


def turn(page_text: str, pages: int) -> int:
    """Which page of the list is shown, and how to turn it."""
    first = int(page_text) if page_text in map(str, range(1, pages + 1)) else 1
    widget = url_state.keyed(PREFIX + "page", first)
    st.session_state[widget["key"]] = min(st.session_state[widget["key"]], pages)
    if pages == 1:
        return 1
    return st.pagination(pages, **widget)


def actions(chosen: Sequence[int]) -> None:
    """What can be done with the selected runs."""
    with st.container(horizontal=True, vertical_alignment="center"):
        compare = st.button(
            "Compare",
            type="primary",
            icon=":material/compare_arrows:",
            disabled=not 2 <= len(chosen) <= MOST,
            on_click=url_state.touched,
            help=f"Select 2 to {MOST} runs. The first selected is the baseline.",
        )
        result = st.button(
            "View result",
            icon=":material/insights:",
            disabled=len(chosen) != 1,
            on_click=url_state.touched,
        )
        delete = st.button(
            "Delete", icon=":material/delete:", disabled=not chosen, on_click=url_state.touched
        )
        if len(chosen) == 1:
            run = runs.load(opened(), chosen[0])
            edit.button(run)
            baseline.button(run)
    if compare:
        st.switch_page("compare.py", query_params={"runs": ",".join(map(str, chosen))})
    if result:
        st.switch_page("result.py", query_params={"run": str(chosen[0])})
    if delete:
        edit.confirm_deletion(chosen)


st.title("History", anchor=False)
import_form.button()
if not runs.count(opened()):
    st.info(
        "There are no runs yet. Start one with the embedded model, or import the results of "
        "another benchmark."
    )
    st.page_link("run.py", label="Start a run", icon=":material/play_arrow:")
    st.stop()

if {"run", "runs"} & url_state.parameters().keys():
    url_state.write(st.session_state.get(LAST, {}))  # the back button: see widgets/url_state.py
touched = url_state.follow(PREFIX)
parameters = url_state.parameters()
there = {name.removesuffix("s"): values for name, values in runs.choices(opened()).items()}
filters: Any = narrow(parameters, there)
total = runs.count(opened(), **filters)
pages = max(1, -(-total // PAGE_SIZE))
shown = trend.choose(PREFIX, parameters) if total else {}
if not touched:
    complain(parameters, there, pages)
    trend.complain(parameters)
for measure in shown.values():
    trend.show(measure, filters)
many = "One run" if total == 1 else f"{total:,} runs"
st.caption(f"{many}. Select 2 to {MOST} to compare them; the first selected is the baseline.")
page = turn(parameters.get("page", "1"), pages)
if touched:
    url_state.write(filters | ({"page": str(page)} if page > 1 else {}) | shown)
st.session_state[LAST] = url_state.parameters()
if not total:
    stop_with("No run matches.", "Remove a filter.")
rows = runs.search(opened(), limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE, **filters)
against = baseline_verdicts.of_runs(
    opened(), rows, tag=filters.get("tag", ""), model=filters.get("model", "")
)
chosen = run_table.choose(rows, against)
actions(chosen)
if len(chosen) == 1:
    baseline.against(chosen[0], against.get(chosen[0]))
