"""How much load a server can handle: a search for the highest load that meets objectives.

The URL holds a search that was started, `?search=3`, or the state of the form; `?like=12` begins
with the server, the prompts and the lengths of run 12.
"""

from __future__ import annotations

import streamlit as st

from db import capacity_list
from db.database import opened
from jobs import capacities as capacity_jobs
from pages.widgets import (
    capacity_form,
    capacity_page,
    fields,
    initial_config,
    scenario_file,
    start_button,
    url_state,
)
from pages.widgets.scenario_file import SEARCH
from pages.widgets.view import person, prose, shared, show_error
from services.base.errors import PacelineError
from services.studies import capacity_link
from services.studies.capacity_config import CapacityConfig
from services.studies.capacity_wording import plan

START = "start-capacity"  # the key of the button


def start(config: CapacityConfig) -> None:
    """Queue the search and open its page."""
    try:
        start_button.open_once(
            START,
            lambda: capacity_jobs.submit(opened(), config, by=person()),
            "capacity.py",
            lambda number: {"search": str(number)},
        )
    except PacelineError as error:
        show_error(error)


def form(touched: bool) -> None:
    """Show the form and the plan. `touched`: whether a widget was changed."""
    parameters = url_state.parameters()
    like = parameters.pop("like", None)
    base, problems = initial_config.of_link(like)
    base = scenario_file.apply_opened(base)
    linked = capacity_link.read(parameters, base)
    if not touched and (complaints := (*problems, *linked.problems)):
        fields.show_wrong_link(complaints)
    left, right = st.columns([3, 2], gap="large")
    with left:
        config = capacity_form.ask(linked.config)
    if touched and config is not None:
        kept = {"like": like} if like and not problems else {}
        url_state.update(kept | capacity_link.query(config, base))
    with right:
        show_plan(config)


def show_plan(config: CapacityConfig | None) -> None:
    """Show what will be measured, how long it takes, and the Start button."""
    st.subheader("Plan", anchor=False)
    ready = config is not None and capacity_form.ready(config)
    if config is not None:
        st.markdown(prose(plan(config)))
    if start_button.pressed("Start search", START, ready) and config is not None:
        start(config)
    scenario_file.form_buttons(None if config is None else scenario_file.of_search_form(config))


start_button.reopen(START)
if (number := st.query_params.get("search")) is not None:
    capacity_page.page(number)
    st.stop()
touched = url_state.watch((SEARCH, fields.PREFIX))
st.title("How much load can it handle?", anchor=False)
st.caption(
    prose(
        "Capacity is the highest load at which a server meets the objectives and its queue does "
        "not grow. The search measures one load after another, each as a separate run, until the "
        "95 % interval is narrow enough. It continues even if you close the browser."
    )
)
if not shared():
    form(touched)
elif not capacity_list.list_all(opened()):
    st.info("There are no searches yet.", icon=":material/info:")
capacity_page.show_list(capacity_list.list_all(opened()))
