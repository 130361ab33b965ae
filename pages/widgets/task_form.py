"""The form that submits prompts, typed or as a file, to any backend or saved server."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

import streamlit as st

from db import servers
from db.database import opened
from db.new_tasks import IdempotentRequest
from jobs import inference
from pages.widgets import api_keys, backend_form, fields, url_state, view
from pages.widgets.view import plain, sentences, show_error
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.ask.tasks import NewTask, limits, prompt_files, settings
from services.ask.tasks.submission import prompt_from
from services.ask.workloads.entries import UnusableEntry
from services.ask.workloads.lines import MAX_FILE_BYTES, InvalidFile
from services.ask.workloads.promptfile import ENDINGS
from services.base import settings as environment
from services.base.errors import PacelineError
from services.base.units import many

START = RunConfig.model_validate(settings.USUAL)
WHOSE = "task-"  # distinguishes these widgets from those of a run
NUMBERS = ("max_tokens", "temperature", "retries")
ONE, LINES, FILE = "One prompt", "One per line", "File"
PRESSED = "tasks-pressed"


@sentences()
def show() -> None:
    """Ask for the server, the prompts and the settings; queue the tasks when the button is
    pressed."""
    env = environment.environment()
    server = backend_form.ask(START, env, WHOSE, servers.list_all(opened()))
    new = _prompts()
    with st.grid(3, min_column_width=fields.NARROW, vertical_alignment="bottom"):
        values = server | {name: fields.number(name, START, whose=WHOSE) for name in NUMBERS}
    if not view.only_saved():
        api_keys.ask([(values["backend"], values["base_url"])])
    config = _config(values)
    ready = config is not None and backend_form.all_ready([config])
    most = many(limits.at_once(env), "task")
    st.caption(f"At most {most} at once per server; callers take turns, and runs come first.")
    pressed = st.button(
        "Queue tasks", type="primary", icon=":material/playlist_add:", disabled=not ready
    )
    if pressed and not new:
        st.warning("There is no prompt yet. Type one, or choose a file.", icon=":material/info:")
    elif pressed:
        _queue(new, values)
    else:
        st.session_state.pop(PRESSED, None)


def _prompts() -> list[NewTask]:
    how = st.segmented_control(
        "Prompts", [ONE, LINES, FILE], required=True, **url_state.unlinked("tasks-how", ONE)
    )
    if how == FILE:
        return _tasks_of_file()
    text = st.text_area(
        "Prompt" if how == ONE else "Prompts, one per line",
        height=120,
        **url_state.unlinked("tasks-text", ""),
    )
    try:
        new = [NewTask(text, {})] if how == ONE and text.strip() else prompt_files.of_lines(text)
        for task in new:
            prompt_from({"prompt": task.prompt})
    except UnusableEntry as error:
        fields.show_problem(f"The text {error}")
        return []
    return new


def _tasks_of_file() -> list[NewTask]:
    uploaded = st.file_uploader(
        "OpenAI batch file, or prompts (JSONL, JSON, CSV or one per line)",
        type=list(ENDINGS),
        key="tasks-file",
        max_upload_size=MAX_FILE_BYTES // 10**6,
    )
    st.caption(
        "The server and model chosen here replace those in the file. Other settings in its lines, "
        "such as max_tokens, override the numbers below."
    )
    if uploaded is None:
        return []
    try:
        new = prompt_files.read(uploaded.getvalue(), uploaded.name)
    except InvalidFile as error:
        show_error(error)
        return []
    st.caption(plain(f"{uploaded.name[:80]}: {many(len(new), 'prompt')}."))
    return new


def _config(values: Mapping[str, Any]) -> RunConfig | None:
    try:
        return parse(dict(values))
    except InvalidConfig as error:
        fields.show_problems(error.problems.values())
    return None


def _queue(new: list[NewTask], values: Mapping[str, Any]) -> None:
    """Queue the tasks and open their page. A double click creates one batch."""
    own = {"model": values["model"]}
    new_tasks = [
        NewTask(each.prompt, {**values, **each.values, **own}, each.custom_id) for each in new
    ]
    once = IdempotentRequest.of(st.session_state.setdefault(PRESSED, token_hex(8)), b"")
    try:
        accepted = inference.submit(
            opened(), _caller(), new_tasks, once, view.person(), api_keys.typed()
        )
    except PacelineError as error:
        show_error(error)
        return
    st.switch_page("batches.py", query_params={"batch": accepted.batch_id})


def _caller() -> str:
    """Return the caller: the person if known, otherwise the address, as in the API."""
    who = view.person()
    return who.caller if who else f"address {st.context.ip_address or '127.0.0.1'}"
