"""Every stored run: search, view, edit, delete, select for a comparison.

The search, the page number and the selected runs are in the URL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from db import baseline_verdicts, runs
from db.database import opened
from db.runs import RunNotFound
from pages.widgets import actions as menu
from pages.widgets import (
    baseline,
    edit,
    filter_words,
    import_form,
    run_actions,
    run_list,
    saved_filters,
    trend,
    url_state,
)
from pages.widgets.view import dark, not_a_run_number, plain, read_only
from services.analysis.compare import FEWEST, MOST
from services.ask.measurement import Run
from services.report.theme import palette

PAGE_SIZE = 25
PREFIX = run_list.PREFIX
LAST = "last-of-history"
# The actions for the selected runs stay visible above the list.
STICKY = """<style>
[data-testid=stLayoutWrapper]:has(> .st-key-selected) { position: sticky; top: 0; z-index: 50;
  background: %s; padding: .5rem 0; }
@media (max-width: 760px) {
  [data-testid=stLayoutWrapper]:has(> .st-key-selected) { top: 3.75rem; }
  .st-key-selected-row { gap: .4rem; }
}
[class*=st-key-panel-selected] { max-height: 65vh; overflow-y: auto; }
</style>"""
ANY = "any"


def narrowed() -> None:
    """Callback of the filters: return to the first page of the list."""
    url_state.touched()
    st.session_state[PREFIX + "page"] = 1


def filter_form(parameters: dict[str, str], choices: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Show the search field and the filters; return their values."""
    with st.grid(5, min_column_width=130, vertical_alignment="bottom"):
        chosen = {
            "text": st.text_input(
                filter_words.label("text"),
                **url_state.keyed(f"{PREFIX}text", parameters.get("text", ""), narrowed),
                type="search",
                live=True,
                placeholder="name, note, tag",
            )
        }
        for field, values in choices.items():
            given = parameters.get(field, ANY)
            chosen[field] = st.selectbox(
                filter_words.label(field),
                [ANY, *values],
                format_func=partial(filter_words.word, field),
                **url_state.keyed(PREFIX + field, given if given in values else ANY, narrowed),
            )
    return {name: value for name, value in chosen.items() if value and value != ANY}


def report_unknown(
    parameters: dict[str, str], choices: dict[str, tuple[str, ...]], pages: int
) -> None:
    """Report filters in the URL that do not exist."""
    for field, values in choices.items():
        if parameters.get(field, ANY) not in (ANY, *values):
            st.warning(plain(f"No run has the {field} “{parameters[field][:60]}”; showing all."))
    page = parameters.get("page", "1")
    if page not in map(str, range(1, pages + 1)):
        have = "one page" if pages == 1 else f"{pages} pages"
        st.warning(plain(f"There is no page “{page[:20]}”: the list has {have}."))


def page_buttons(pages: int) -> None:
    """Show the page buttons, if there are several pages."""
    if pages > 1:
        st.pagination(pages, **url_state.keyed(PREFIX + "page", 1))


def selected(total: int) -> list[int]:
    """Show and return the selected runs, even if the list does not show them. Deleted runs are
    reported and deselected."""
    names = {row.id: row.name for row in runs.rows_of(opened(), run_list.selected_ids())}
    missing = [run_id for run_id in run_list.selected_ids() if run_id not in names]
    if missing:
        st.warning(str(RunNotFound(missing[0])))
        run_list.deselect(missing)
    chosen = run_list.selected_ids()
    many = "One run" if total == 1 else f"{total:,} runs"
    st.caption(f"{many}. Select 2 to {MOST} to compare them; the first selected is the baseline.")
    if chosen:
        baseline, *others = (f"{run_id} · {names[run_id]}" for run_id in chosen)
        first = "Baseline" if others else "Selected"
        lines = [
            f"**{first}** {plain(baseline)}",
            *(f"**Compared with it** {plain(name)}" for name in others),
        ]
        st.markdown("  \n".join(lines))
    return chosen


def menu_panels(run: Run | None, chosen: Sequence[int]) -> menu.Panels:
    """Return the panels of the menu. `run`: the selected run, if exactly one is selected."""
    forms: dict[str, Callable[[], None]] = {}
    if read_only():
        return forms
    if run is not None:
        forms["Edit"] = partial(edit.form, run)
    if run is not None and baseline.can_be(run):
        forms["Baseline"] = partial(baseline.form, run)
    return forms | {"Delete": partial(edit.confirm_deletion, chosen, deleted)}


def deleted() -> None:
    """Go on without the selected runs, which have just been deleted."""
    run_list.clear()
    st.rerun()


def actions(chosen: Sequence[int], filters: dict[str, str]) -> None:
    """Show the actions for the selected runs."""
    run = runs.load(opened(), chosen[0]) if len(chosen) == 1 else None
    forms = menu_panels(run, chosen)
    page = f"selected-{chosen}"
    with st.container(key="selected"):
        with st.container(horizontal=True, vertical_alignment="center", key="selected-row"):
            compare = st.button(
                "Compare",
                type="primary",
                icon=":material/compare_arrows:",
                disabled=not FEWEST <= len(chosen) <= MOST,
                on_click=url_state.touched,
                help=f"Select 2 to {MOST} runs. The first selected is the baseline.",
            )
            st.page_link(
                "leaderboard.py",
                label="Leaderboard",
                icon=":material/leaderboard:",
                query_params={"runs": ",".join(map(str, chosen))} if len(chosen) > 1 else filters,
                help="Rank the selected runs, or all that match the filters",
            )
            if run is not None and not read_only():
                run_actions.again([run])
            if chosen:
                if forms:
                    menu.more(page, forms)
                st.caption(f"{len(chosen)} selected", width="content")
                st.button("Clear selection", type="tertiary", on_click=run_list.clear)
        menu.panel(page, forms)
    if compare:
        st.switch_page("compare.py", query_params={"runs": ",".join(map(str, chosen))})


with st.container(horizontal=True, vertical_alignment="center"):
    st.title("History", anchor=False)
    if not read_only():
        import_form.button()
if not runs.count(opened()):
    st.info(
        "There are no runs yet. Start one with the embedded model, or import the results of "
        "another benchmark.",
        icon=":material/info:",
    )
    if not read_only() and st.button("Start a run", type="primary", icon=":material/play_arrow:"):
        st.switch_page("run.py")
    st.stop()

if {"run", "runs"} & url_state.parameters().keys():
    url_state.update(st.session_state.get(LAST, {}))  # for Back: see widgets/url_state.py
touched = url_state.watch(PREFIX)
parameters = url_state.parameters()
not_a_run = run_list.follow(parameters)
choices = {name.removesuffix("s"): values for name, values in runs.choices(opened()).items()}
filters: Any = filter_form(parameters, choices)
saved_place = st.container()
total = runs.count(opened(), **filters)
pages = max(1, -(-total // PAGE_SIZE))
shown = trend.choose(PREFIX, parameters) if total else {}
with saved_place:
    if not read_only():
        saved_filters.show(filters | shown)
if not touched:
    report_unknown(parameters, choices, pages)
    trend.report_unknown(parameters)
    if not_a_run:
        st.warning(plain(f"{not_a_run_number(not_a_run)} A link ends in ?selected=12,15."))
for measure in shown.values():
    trend.show(measure, filters)
if not total:
    if touched:
        url_state.update(filters | shown | run_list.parameter())
    st.info("No run matches. Change the search or a filter.", icon=":material/info:")
    st.page_link("history.py", label="Show all runs", icon=":material/history:", query_params={})
    st.stop()
page = url_state.page_of(PREFIX, pages)
rows = runs.search(opened(), limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE, **filters)
against = baseline_verdicts.of_runs(
    opened(), rows, tag=filters.get("tag", ""), model=filters.get("model", "")
)
st.html(STICKY % palette(dark()).paper)
chosen = selected(total)
if len(chosen) == 1:
    baseline.against(chosen[0], against.get(chosen[0]))
actions(chosen, filters)
run_list.show(rows, against)
page_buttons(pages)
if touched:
    number = {"page": str(page)} if page > 1 else {}
    url_state.update(filters | number | shown | run_list.parameter())
st.session_state[LAST] = url_state.parameters()
