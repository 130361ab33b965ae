"""Studies: what is varied, the grid before it starts, its progress, and its report.

The form's choices are in the URL; `?study=3` is a study that was started.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import streamlit as st

from db import engines, studies
from db.database import opened
from jobs import studies as study_jobs
from pages.widgets import (
    api_keys,
    backend_form,
    fields,
    run_form,
    scenario_file,
    start_button,
    study_form,
    study_grid,
    study_page,
    url_state,
)
from pages.widgets.view import person, prose, read_only, show_error
from services.ask.backends import BackendProblem
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.base.errors import PacelineError
from services.base.units import many
from services.servers.engines import devices
from services.studies.grid import GridCell
from services.studies.study_config import StudyConfig
from services.studies.study_link import preset_config, query, read

GRID = (
    "A study is a grid of runs: Paceline starts each engine once, measures every load on it, "
    "stops it, and reports what changed. A study continues even if you close the browser and can "
    "be resumed."
)
SEARCHES = (
    "Paceline starts each configuration, searches for the highest load that it sustains, and "
    "stops it; then it measures the two best again. A study continues even if you close the "
    "browser and can be resumed."
)
START = "start-study"  # the key of the button
ANYWHERE = "concurrency"  # the preset that needs neither an engine nor a device


def earlier(text: str) -> StudyConfig:
    """Return the config of a stored study (`?like=3`)."""
    return study_page.load(text).config


def study_from_url() -> StudyConfig:
    """Return the study in the URL, or its preset's defaults if it is invalid. An empty URL gives
    the preset that runs everywhere: a sweep of an existing server."""
    parameters = url_state.parameters()
    if not parameters:
        return preset_config(ANYWHERE)
    like, to = parameters.pop("like", None), parameters.pop("to", None)
    earlier_studies = [earlier(text) for text in (like, to) if text is not None]
    start = earlier_studies[0] if earlier_studies else None
    try:
        return read(parameters, start)
    except InvalidConfig as error:
        fields.show_wrong_link(error.problems.values())
        return start or preset_config("tensor")


def grid_of(config: StudyConfig) -> list[GridCell]:
    """Return the grid; if it is invalid, report why and return []."""
    try:
        return study_jobs.plan(config, api_keys.typed())
    except (BackendProblem, InvalidConfig) as error:
        fields.show_problems([str(error)])
    return []


def show_plan(config: StudyConfig, to: str | None) -> None:
    """Show how many cells there are, how long they take, and the Start button."""
    grid = grid_of(config)
    st.subheader("Plan", anchor=False)
    st.caption(f"This machine has {devices().counted()}.")
    possible = any(planned.obstacle is None for planned in grid)
    if grid:
        ahead = study_jobs.estimated(opened(), config, grid, api_keys.typed())
        with st.container(horizontal=True):
            searches = config.search is not None
            st.metric("Searches" if searches else "Cells", ahead.cells_text)
            if config.engine is not None:
                st.metric("Engines to start", f"{ahead.starts:,}")
        st.markdown(prose(ahead.sentence))
        up = engines.list_running(opened())
        if ahead.starts and up:
            st.warning(
                f"{many(len(up), 'engine')} already running on this machine would share its "
                "devices with the study's engines, so all would be slower. Stop what you do not "
                "need in *Engines*.",
                icon=":material/memory:",
            )
    if possible and config.engine is None:
        possible = backend_form.all_ready([config.run])
    about = run_form.names_form(tags=config.search is None) if to is None else {}
    start_if_pressed(config, possible, about, to)
    if to is None:
        scenario_file.form_buttons(scenario_file.of_study_form(config, about))
    study_grid.planned(grid, config.search is not None)


def show_heading(searches: bool) -> None:
    """Show the title and what the page is for."""
    title = "Which configuration sustains the highest load?" if searches else "How does it scale?"
    st.title(title if adds is None else f"{add_label(searches)} to a study", anchor=False)
    st.caption(SEARCHES if searches else GRID)


def add_label(searches: bool) -> str:
    """Return what is added to a study: configurations whose capacity is searched, or cells."""
    return "Add configurations" if searches else "Add cells"


def show_form(begin: StudyConfig) -> tuple[StudyConfig | None, Collection[str]]:
    """Show the form; return its study, or what is wrong with it."""
    try:
        return study_form.ask(begin), ()
    except InvalidConfig as error:
        return None, error.problems.values()


def button(to: str | None, possible: bool, searches: bool) -> bool:
    """Return whether Start was pressed."""
    label = "Start study" if to is None else add_label(searches)
    return start_button.pressed(label, START, possible)


def start_if_pressed(
    config: StudyConfig, possible: bool, about: dict[str, Any], to: str | None
) -> None:
    if button(to, possible, config.search is not None) and possible:
        start(config, about, to)


def start(config: StudyConfig, about: dict[str, Any], to: str | None) -> None:
    """Queue the study, or add its cells to the study that was opened, and open its page."""
    typed, by = api_keys.typed(), person()

    def queue() -> int:
        if to is None:
            return study_jobs.submit(opened(), config, **about, typed=typed, by=by)
        study_jobs.extend(opened(), int(to), config, typed, by)
        return int(to)

    try:
        start_button.open_once(START, queue, "study.py", lambda study_id: {"study": str(study_id)})
    except PacelineError as error:
        show_error(error)


def show_list() -> None:
    """Show the stored studies, newest first."""
    if rows := studies.list_all(opened()):
        st.subheader("Studies", anchor="studies")
        study_grid.stored(rows)


start_button.reopen(START)
if (number := st.query_params.get("study")) is not None:
    study_page.page(number)
    st.stop()
touched = url_state.watch((fields.STUDY, fields.PREFIX, fields.ENGINE))
if read_only():
    st.title("Studies", anchor=False)
    st.caption(GRID)
    if rows := studies.list_all(opened()):
        study_grid.stored(rows)
    else:
        st.info("There are no studies yet.", icon=":material/info:")
    st.stop()
scenario_file.apply_opened(RunConfig())
begin = study_from_url()
adds = st.query_params.get("to")
heading = st.container()
left, right = st.columns([3, 2], gap="large")
with left:
    config, problems = show_form(begin)
with heading:
    show_heading(searches=(config or begin).search is not None)
if touched and config:
    url_state.update(({"to": adds} if adds else {}) | query(config))
with right:
    if config:
        show_plan(config, adds)
    else:
        st.subheader("Plan", anchor=False)
        fields.show_problems(problems)
        button(adds, False, begin.search is not None)
show_list()
