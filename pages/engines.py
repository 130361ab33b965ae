"""Engines that Paceline starts: what each is asked to be, its log, where it answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import streamlit as st

from db import engines as stored
from db.database import opened
from db.engines import EngineNotFound
from jobs import serving
from pages.widgets import engine_form, fields, nodes, url_state
from pages.widgets.engine_panel import panel
from pages.widgets.view import plain, sentences, show_error
from services.ask import link
from services.ask.problems import InvalidConfig
from services.base import settings
from services.base.errors import PacelineError
from services.base.once import Once
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
ANY_PORT = 30000  # in the command that is shown before it starts


def asked() -> EngineConfig:
    """What the URL asks for; what it cannot have is left as it is, and said."""
    start = EngineConfig()
    for name, text in url_state.parameters().items():
        try:
            start = parse_engine({**start.model_dump(), name: text if text != "" else None})
        except InvalidConfig as error:
            st.warning(plain(str(error)), icon=":material/link_off:")
    return start


def form(start: EngineConfig) -> tuple[EngineConfig | None, Collection[str]]:
    """Show the form; return what it asks for, or what is wrong with that."""
    name = engine_form.which(start)
    begun = start if start.engine == name else EngineConfig.model_validate({"engine": name})
    try:
        return parse_engine(engine_form.ask(begun)), ()
    except InvalidConfig as error:
        return None, error.problems.values()


def preview(config: EngineConfig) -> None:
    """Say what is in the way, show the command, and let it be started."""
    found = devices()
    st.subheader("Command", anchor=False)
    st.caption(f"This machine has {found.counted()}.")
    why = preflight(config, found, settings.environment())
    if why:
        st.warning(plain(why), icon=":material/block:")
    else:
        show_command(config)
    if not button(possible=why is None):
        st.session_state["start-engine"] = Once()
    elif not why:
        begin(config)
    nodes.ask(config)


def button(possible: bool) -> bool:
    """Whether the engine is to start."""
    return st.button(
        "Start engine",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=not possible,
        on_click=url_state.touched,
    )


def show_command(config: EngineConfig) -> None:
    try:
        st.code(
            launch(config, ANY_PORT, settings.environment()).text(),
            language="bash",
            wrap_lines=True,
        )
    except EngineProblem as error:
        st.warning(plain(str(error)), icon=":material/block:")
    st.caption("The command that Paceline runs. It picks a free port.")


def begin(config: EngineConfig) -> None:
    once: Once = st.session_state.setdefault("start-engine", Once())
    try:
        once.get(lambda: serving.start(opened(), config))
    except PacelineError as error:
        show_error(error)
        return
    st.rerun()


@sentences()
def watch(ids: tuple[int, ...], every_s: float) -> None:
    """The engines that are wanted, and their logs."""
    found = wanted()
    if tuple(server.id for server in found) != ids or REFRESH.seconds() != every_s:
        st.rerun()
    for server in found:
        with st.container(border=True):
            panel(server)
            actions(server)


def wanted() -> list[EngineInstance]:
    planned = [one for one in stored.listed(opened()) if one.status == "planned"]
    return [*planned, *stored.up(opened())]


def actions(server: EngineInstance) -> None:
    with st.container(horizontal=True):
        if server.status == "ready" and server.base_url:
            there: dict[str, str] = {
                "backend": ENGINES[server.config.engine].backend,
                "base_url": server.base_url,
            }
            st.page_link(
                "run.py", label="Start a run", icon=":material/play_arrow:", query_params=there
            )
        if server.stop_requested:
            st.caption("Stopping …")
        else:
            st.button(
                "Stop",
                icon=":material/stop:",
                key=f"stop-{server.id}",
                on_click=stop,
                args=(server.id,),
            )


@sentences()
def stop(engine_id: int) -> None:
    try:
        serving.stop(opened(), engine_id)
    except PacelineError as error:
        show_error(error)


def earlier() -> None:
    """Engines that have ended, the newest first."""
    ended = [one for one in stored.listed(opened()) if one.status not in (*UP, "planned")]
    if not ended:
        return
    st.subheader("Earlier engines", anchor=False)
    for server in ended[:SHOWN]:
        with st.container(border=True):
            panel(server)
            with st.container(horizontal=True):
                st.page_link(
                    "engines.py",
                    label="Start again",
                    icon=":material/replay:",
                    query_params=parameters(server.config),
                )
                st.button(
                    "Delete",
                    icon=":material/delete:",
                    key=f"forget-{server.id}",
                    type="tertiary",
                    on_click=forget,
                    args=(server.id,),
                )


@sentences()
def forget(engine_id: int) -> None:
    try:
        serving.forget(opened(), engine_id)
    except EngineNotFound:
        return  # deleted while the button was on its way
    except PacelineError as error:
        show_error(error)


def parameters(config: EngineConfig) -> dict[str, str]:
    """Return the config as a link holds it."""
    plain_one = EngineConfig()
    values: dict[str, Any] = config.model_dump()
    return {
        name: link.text_of(value)
        for name, value in values.items()
        if name == "engine" or value != getattr(plain_one, name)
    }


touched = url_state.follow(fields.ENGINE)
start = asked()
st.title("Engines", anchor=False)
st.caption(
    "Start and stop inference servers on this machine, spread over its devices as you choose. "
    "A server that is already running needs no engine: select it as the backend of a run."
)
found = tuple(server.id for server in wanted())
if found:
    every_s = REFRESH.seconds()
    st.fragment(watch, run_every=every_s)(found, every_s)
left, right = st.columns([3, 2], gap="large")
with left:
    config, problems = form(start)
if touched and config:
    url_state.write(parameters(config))
with right:
    if config:
        preview(config)
    else:
        st.subheader("Command", anchor=False)
        fields.refuse(problems)
        button(possible=False)
earlier()
