"""Scenarios as files: *Download scenario* saves what a page shows, *Open scenario* fills in a form.

An opened scenario reaches the form through the URL, as a link does; only what a link cannot hold
(own prompts, a trace, the name, tags and note) goes through the session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import streamlit as st

from db.database import opened
from jobs import scenarios
from pages.widgets import candidates_form, fields, url_state
from pages.widgets.view import plain, show_error
from services.analysis.comparison_design import ComparisonDesign
from services.ask import link
from services.ask.config import RunConfig
from services.ask.own_prompts import own_prompts
from services.ask.problems import InvalidConfig, validate
from services.base.errors import PacelineError
from services.report.scenario import (
    MAX_BYTES,
    MIME,
    VERSION,
    CapacityScenario,
    ComparisonScenario,
    Keys,
    RunKeys,
    RunScenario,
    Scenario,
    StudyScenario,
    file_name,
    keys_of,
    left_out,
    read,
    scenario_of,
    write,
)
from services.studies import capacity_link
from services.studies.capacity_config import CapacityConfig
from services.studies.study_config import StudyConfig
from services.studies.study_link import query

ARRIVED = "scenario-arrived"  # a scenario that was opened and not yet put into the form
SEARCH = "c-"  # of the widgets of a capacity search
PAGES = {StudyScenario: "study.py", CapacityScenario: "capacity.py"}  # by the form that shows it
HERE = f"{fields.PREFIX}scenario"  # the scenario in the form, until the form follows another link
NUMBER = "scenario-number"  # of files opened so far
Own = TypeVar("Own", bound=Keys)
About = dict[str, Any]  # name, tags, note


def download(
    make: Callable[[], Scenario],
    name: str,
    prompts: bool,
    look: Literal["secondary", "tertiary"] = "tertiary",
) -> None:
    """Show a button that downloads a scenario, which is written when the button is pressed.
    `prompts`: whether the scenario has custom prompts, which are included only on request."""
    wanted = prompts and st.toggle("Include your own prompts", key="scenario-own-prompts")
    st.download_button(
        "Download scenario",
        data=lambda: write(make(), wanted),
        file_name=name,
        mime=MIME,
        key="scenario-download",
        icon=":material/download:",
        type=look,
        on_click="ignore",
    )


def stored_form(make: Callable[[], Scenario], configs: Sequence[RunConfig], name: str) -> None:
    """The same for something stored, with a sentence on its use."""
    st.caption(
        "A YAML file with all settings: edit it, then open it on *Run* or start it on the command "
        "line."
    )
    download(make, name, any(map(own_prompts, configs)))


def form_buttons(now: Scenario | None) -> None:
    """Show the buttons of a form: one downloads its config as a scenario file, if it is valid, the
    other opens a scenario in it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if now is None:
            st.button(
                "Download scenario",
                icon=":material/download:",
                disabled=True,
                key="scenario-none",
            )
        else:
            prompts = any(map(own_prompts, _configs(now)))
            download(partial(_unchanged, now), file_name(now), prompts, look="secondary")
        number = st.session_state.setdefault(NUMBER, 0)
        with st.popover(
            "Open scenario",
            icon=":material/upload_file:",
            key=f"scenario-open-{number}",  # a new key, so that the file is not opened again
        ):
            _upload(number)
    _report_left_out(now)


def _unchanged(scenario: Scenario) -> Scenario:
    return scenario


def _configs(scenario: Scenario) -> Sequence[RunConfig]:
    if isinstance(scenario, ComparisonScenario):
        return scenario.configs
    if isinstance(scenario, CapacityScenario):
        return scenario.config.servers
    return [scenario.config.run if isinstance(scenario, StudyScenario) else scenario.config]


def of_form(
    configs: Sequence[RunConfig], design: ComparisonDesign | None, about: About
) -> Scenario | None:
    """Return the run in the form as a scenario; None while it is invalid."""
    own = _name_keys(RunKeys, about)
    if own is None or not configs:
        return None
    if design is None:
        return RunScenario(configs[0], own)
    if len(configs) < 2:
        return None
    each = tuple(c.model_copy(update={"repeats": design.repeats}) for c in configs)
    named = {"name": own.name, "tags": own.tags, "note": own.note}
    return ComparisonScenario(each, (), design, keys_of(design, **named))


def of_study_form(config: StudyConfig, about: About) -> Scenario | None:
    """Return the study in the form as a scenario."""
    own = _name_keys(Keys, about)
    return StudyScenario(config, own) if own else None


def of_search_form(config: CapacityConfig) -> Scenario:
    """Return the capacity search in the form as a scenario."""
    return CapacityScenario(config, Keys(version=VERSION))


def _name_keys(kind: type[Own], about: About) -> Own | None:
    tags = [tag.strip() for tag in about.get("tags", ()) if tag.strip()]
    try:
        return validate(kind, {**about, "version": VERSION, "tags": tags})
    except InvalidConfig:
        return None  # Start reports what is wrong


def _upload(number: int) -> None:
    uploaded = st.file_uploader(
        "Scenario (YAML)",
        type=["yaml", "yml", "json"],
        key=f"scenario-file-{number}",
        max_upload_size=MAX_BYTES // 10**6,
    )
    if uploaded is None:
        return
    try:
        document = read(uploaded.getvalue(), uploaded.name)
        scenario = scenario_of(document, scenarios.reading_context(opened(), needs_prompts=False))
    except PacelineError as error:
        show_error(error)
        return
    st.session_state[NUMBER] = number + 1
    st.session_state[ARRIVED] = scenario
    page = PAGES.get(type(scenario), "run.py")
    st.switch_page(page, query_params=_parameters(scenario))


def _parameters(scenario: Scenario) -> dict[str, str]:
    """Return a scenario as the parameters of a link to its form."""
    if isinstance(scenario, StudyScenario):
        return query(scenario.config)
    usual = RunConfig()
    if isinstance(scenario, CapacityScenario):
        return capacity_link.query(scenario.config, usual)
    if isinstance(scenario, RunScenario):
        return link.query(dict(scenario.config), usual)
    baseline, *others = ({**dict(config), "repeats": 1} for config in scenario.configs)
    changes = [{n: v for n, v in other.items() if v != baseline[n]} for other in others]
    return link.query(baseline, usual) | candidates_form.query(changes, scenario.design)


def apply_opened(base: RunConfig) -> RunConfig:
    """Reset the form for a scenario that was opened. Returns the form's initial config, which is
    `base` with the scenario's own prompts and trace."""
    if (scenario := st.session_state.pop(ARRIVED, None)) is not None:
        url_state.forget((fields.PREFIX, fields.STUDY, fields.ENGINE, SEARCH))
        st.session_state[HERE] = scenario
        st.session_state["about-name"] = scenario.keys.name
        st.session_state["about-tags"] = ", ".join(scenario.keys.tags)
        st.session_state["about-note"] = scenario.keys.note
    here = st.session_state.get(HERE)
    if here is None or isinstance(here, StudyScenario):
        return base
    config = _configs(here)[0]
    return base.model_copy(update={name: getattr(config, name) for name in link.OWN})


def _report_left_out(now: Scenario | None) -> None:
    """Report which keys of an opened scenario the form does not support."""
    here = st.session_state.get(HERE)
    if here is None or now is None or not (names := left_out(here, now)):
        return
    keys = ", ".join(names)
    st.caption(plain(f"The scenario that you opened differs from this form in: {keys}."))
