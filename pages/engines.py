"""Engines that Paceline starts: the form, the command, and each engine's state and log."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import streamlit as st

from db import engines as stored
from db.database import opened
from db.engines import EngineNotFound
from jobs import serving
from pages.widgets import create_button, engine_form, fields, nodes, url_state
from pages.widgets.engine_panel import panel
from pages.widgets.view import sentences, show_blocked, show_error
from services.ask import link
from services.ask.problems import InvalidConfig
from services.base import settings
from services.base.errors import PacelineError
from services.base.refresh import REFRESH
from services.servers.engines import (
    ENGINES,
    EngineConfig,
    EngineProblem,
    devices,
    launch,
    parse_engine,
    preflight,
)
from services.servers.engines.instance import UP, EngineInstance

SHOWN = 10  # engines that have ended
ANY_PORT = 30000  # in the command shown before an engine starts


def config_from_url() -> EngineConfig:
    """Return the config in the URL. Warn about invalid values, which keep their defaults. Without
    one, the engine is the first that can start on this machine."""
    config = EngineConfig()
    if not url_state.parameters():
        config = engine_form.first_that_starts() or config
    for name, text in url_state.parameters().items():
        try:
            config = parse_engine({**config.model_dump(), name: text if text != "" else None})
        except InvalidConfig as error:
            fields.show_wrong_link(error.problems.values())
    return config


def form(initial: EngineConfig) -> tuple[EngineConfig | None, Collection[str]]:
    """Show the form; return its config, or None and the problems."""
    name = engine_form.engine_choice(initial)
    if name != initial.engine:
        initial = EngineConfig.model_validate({"engine": name})
    try:
        return parse_engine(engine_form.ask(initial)), ()
    except InvalidConfig as error:
        return None, error.problems.values()


def ask_to_start(config: EngineConfig | None, problems: Collection[str]) -> bool:
    """Show a button that starts the engine, and what prevents that, if anything does; return
    whether it can start. `problems`: of the form, if there is no config."""
    hardware = devices()
    st.subheader("Start", anchor=False)
    st.caption(f"This machine has {hardware.counted()}.")
    fields.show_problems(problems)
    problem = preflight(config, hardware, settings.environment()) if config else None
    if problem:
        show_blocked(problem)
    possible = config is not None and problem is None
    key = create_button.key("start-engine")
    if start_button(key, possible) and possible and config:
        start(config, key)
    return possible


def start_button(key: str, enabled: bool) -> bool:
    """Show the button; return whether it was pressed."""
    return st.button(
        "Start engine",
        key=key,
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=not enabled,
        on_click=url_state.touched,
    )


def show_command(config: EngineConfig) -> None:
    st.subheader("Command", anchor=False)
    st.caption(f"The command that Paceline will run, with a free port instead of {ANY_PORT}.")
    try:
        st.code(
            launch(config, ANY_PORT, settings.environment()).text(),
            language="bash",
            wrap_lines=True,
        )
    except EngineProblem as error:
        show_blocked(str(error))


def start(config: EngineConfig, key: str) -> None:
    try:
        create_button.create(key, lambda: serving.start(opened(), config))
    except PacelineError as error:
        show_error(error)
        return
    st.rerun()


@sentences()
def live_panels(engine_ids: tuple[int, ...], refresh_s: float) -> None:
    """Show the state and log of each current engine. Rerun the page when the engines or the refresh
    interval have changed."""
    engines = current_engines()
    if tuple(engine.id for engine in engines) != engine_ids or REFRESH.seconds() != refresh_s:
        st.rerun()
    for engine in engines:
        with st.container(border=True):
            panel(engine)
            actions(engine)


def current_engines() -> list[EngineInstance]:
    """Return the engines that are planned or up."""
    planned = [engine for engine in stored.list_all(opened()) if engine.status == "planned"]
    return [*planned, *stored.list_running(opened())]


def actions(engine: EngineInstance) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if engine.status == "ready" and engine.base_url:
            run_form: dict[str, str] = {
                "backend": ENGINES[engine.config.engine].backend,
                "base_url": engine.base_url,
            }
            st.page_link(
                "run.py", label="Start a run", icon=":material/play_arrow:", query_params=run_form
            )
        if engine.stop_requested:
            st.caption("Stopping …")
        else:
            st.button(
                "Stop",
                icon=":material/stop:",
                key=f"stop-{engine.id}",
                on_click=stop,
                args=(engine.id,),
            )


@sentences()
def stop(engine_id: int) -> None:
    try:
        serving.stop(opened(), engine_id)
    except PacelineError as error:
        show_error(error)


def earlier() -> None:
    """Show the engines that have ended, newest first."""
    ended = [
        engine for engine in stored.list_all(opened()) if engine.status not in (*UP, "planned")
    ]
    if not ended:
        return
    st.subheader("Earlier engines", anchor=False)
    for engine in ended[:SHOWN]:
        with st.container(border=True):
            panel(engine)
            with st.container(horizontal=True, vertical_alignment="center"):
                st.page_link(
                    "engines.py",
                    label="Start again",
                    icon=":material/replay:",
                    query_params=parameters(engine.config),
                )
                st.button(
                    "Delete",
                    icon=":material/delete:",
                    key=f"forget-{engine.id}",
                    type="tertiary",
                    on_click=forget,
                    args=(engine.id,),
                )


@sentences()
def forget(engine_id: int) -> None:
    try:
        serving.delete(opened(), engine_id)
    except EngineNotFound:
        return  # it was deleted before the button was pressed
    except PacelineError as error:
        show_error(error)


def parameters(config: EngineConfig) -> dict[str, str]:
    """Return the parameters of a link to the config: its fields that are not the default."""
    default = EngineConfig()
    values: dict[str, Any] = config.model_dump()
    return {
        name: link.text_of(value)
        for name, value in values.items()
        if name == "engine" or value != getattr(default, name)
    }


touched = url_state.watch(fields.ENGINE)
initial = config_from_url()
st.title("Engines", anchor=False)
st.caption(
    "Start and stop inference servers on this machine, on as many of its devices as you choose. "
    "If a server is already running, you do not need an engine: select it as the backend of a "
    "run."
)
if engine_ids := tuple(engine.id for engine in current_engines()):
    refresh_s = REFRESH.seconds()
    st.fragment(live_panels, run_every=refresh_s)(engine_ids, refresh_s)
left, right = st.columns([3, 2], gap="large")
with left:
    st.subheader("New engine", anchor=False)
    config, problems = form(initial)
if touched and config:
    url_state.update(parameters(config))
with right:
    possible = ask_to_start(config, problems)
if config:
    if possible:
        show_command(config)
    nodes.ask(config)
earlier()
