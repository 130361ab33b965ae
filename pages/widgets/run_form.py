"""The form of a run: one section per topic, with only the fields that apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.widgets import (
    fields,
    lengths_form,
    objectives_form,
    prefix_form,
    request_form,
    session_form,
    trace_form,
)
from pages.widgets.url_state import keyed, touched
from pages.widgets.view import only_saved, plain, show_error
from services.analysis.objectives import PRESETS
from services.ask.backends import BACKENDS
from services.ask.clusters import clusters
from services.ask.config import RunConfig
from services.ask.modes import MODES
from services.ask.saved_server import FIELDS
from services.ask.workloads import WORKLOADS
from services.ask.workloads.lines import MAX_FILE_BYTES, InvalidFile
from services.ask.workloads.promptfile import ENDINGS, read_file
from services.base import settings
from services.base.units import many

REQUESTS, DURATION = "Requests", "Duration"  # how a run ends
DEFAULT_S = 60.0
APART = ("mode", "repeats", "requests", "duration_s")  # shown separately
CALIBRATE = {"Above 64 concurrent requests": None, "Always": True, "Never": False}


def ask(start: RunConfig, server: Mapping[str, Any], once: bool = True) -> dict[str, Any]:
    """Ask for everything that all servers have in common, with the values of `start`; return those
    fields of a RunConfig. `server`: the fields of the first server. `once`: for a single run, which
    has repeats, not for a comparison, which has its own."""
    values = _mode(start, once)
    values |= _workload(start, values["mode"])
    values |= _sampling(start, values["workload"])
    with _section("limits", "Warm-up, limits, client"):
        values |= _further_fields(start, server["backend"])
    if not only_saved():
        with _section("request", "Request options"):
            values |= request_form.ask(start)
    with _section("objectives", "Objectives and price"):
        values |= _judgement(start)
    if only_saved():  # an admin saved the server's fields
        return {name: value for name, value in values.items() if name not in FIELDS}
    return values


def _section(name: str, title: str) -> DeltaGenerator:
    """Show a part of the form that is collapsed at first; a link to `#name` opens it."""
    with st.container(gap=None):  # an anchor alone takes no space
        st.html(f'<div id="{name}"></div>')
        return st.expander(title)


def _mode(start: RunConfig, once: bool) -> dict[str, Any]:
    st.subheader("Mode", anchor="mode")
    name = fields.choice_of_table("mode", MODES, start, _mode_changed)
    st.caption(MODES[name].help)
    if name == "replay":
        repeats = ("repeats",) if once else ()
        return {"mode": name, **trace_form.ask(start, "trace_speed", "concurrency", *repeats)}
    by_time = _ends_by_time(start)
    if by_time:
        start = start.model_copy(update={"duration_s": start.duration_s or DEFAULT_S})
    until = "duration_s" if by_time else "requests"
    first = (until, "repeats") if once else (until,)
    own = (n for n in fields.section_fields("mode", start, name) if n not in APART)
    return {"mode": name, **fields.columns_of(dict.fromkeys((*first, *own)), start, columns=3)}


def _mode_changed() -> None:
    """When trace replay is chosen, use the trace's prompts, too, unless others were chosen
    before."""
    touched()
    mode, workload = (f"{fields.PREFIX}{name}" for name in ("mode", "workload"))
    usual = RunConfig().workload
    if st.session_state[mode] == "replay" and st.session_state.get(workload, usual) == usual:
        st.session_state[workload] = "trace"


def _ends_by_time(start: RunConfig) -> bool:
    chosen: str | None = st.segmented_control(
        "Ends after",
        [REQUESTS, DURATION],
        required=True,
        help="After a number of requests or a duration; requests in flight are still completed.",
        **fields.keyed("ends", DURATION if start.duration_s else REQUESTS),
    )
    return chosen == DURATION


def _workload(start: RunConfig, mode: str) -> dict[str, Any]:
    st.subheader("Prompts", anchor="prompts")
    name = fields.choice_of_table("workload", WORKLOADS, start)
    st.caption(WORKLOADS[name].help)
    values: dict[str, Any] = {"workload": name}
    if name == "text":
        values["prompt"] = st.text_area(
            "Prompt", max_chars=200_000, **fields.keyed("prompt", start.prompt or "")
        )
    elif name == "file":
        values |= _file(start)
    elif name == "synthetic":
        values |= lengths_form.ask("input", start)
        values["text_style"] = fields.choice("text_style", start)
        values |= prefix_form.ask(start)
    elif name == "trace":
        values |= trace_form.ask(start) if mode != "replay" else {}
    elif own := WORKLOADS[name].parameters:
        titles = {"input_tokens": "Tokens per short prompt"} if name == "mixed" else {}
        with st.grid(2, min_column_width=fields.NARROW, vertical_alignment="bottom"):
            numbers = [field for field in own if field != "text_style"]
            values |= {field: fields.number(field, start, titles.get(field)) for field in numbers}
        values["text_style"] = fields.choice("text_style", start)
    return values | session_form.ask(start, name, values.get("prompts", ()))


def _file(start: RunConfig) -> dict[str, Any]:
    uploaded = st.file_uploader(
        "Prompts (JSONL, JSON, CSV or one per line)",
        type=list(ENDINGS),
        key="prompt-file",
        on_change=touched,
        max_upload_size=MAX_FILE_BYTES // 10**6,
    )
    if uploaded is None:
        if start.prompts:
            prompts = many(len(start.prompts), "prompt")
            st.caption(
                f"Uses the {prompts} of the earlier run or scenario unless you upload others."
            )
        return {"prompts": start.prompts, "prompt_max_tokens": start.prompt_max_tokens}
    try:
        file = read_file(uploaded.getvalue(), uploaded.name)
    except InvalidFile as error:
        show_error(error)
        return {"prompts": ()}
    used = f"{many(len(file.prompts), 'prompt')}, used in rotation."
    st.caption(plain(" ".join((used, *file.notes))))
    return {"prompts": file.prompts, "prompt_max_tokens": file.max_tokens}


def _sampling(start: RunConfig, workload: str) -> dict[str, Any]:
    st.subheader("Answers", anchor="answers")
    own = lengths_form.FIELDS["output"]
    others = (name for name in fields.section_fields("answers", start) if name not in own)
    if workload == "trace":
        st.caption("Max tokens of each answer: as in the trace.")
        return fields.columns_of(others, start, columns=3)
    return lengths_form.ask("output", start) | fields.columns_of(others, start, columns=3)


def _further_fields(start: RunConfig, backend: str) -> dict[str, Any]:
    own = {"client", "calibrate", "on"}  # which have their own widgets
    if not BACKENDS[backend].supports_ignore_eos:
        own.add("ignore_eos")
    if not BACKENDS[backend].supports_min_tokens:
        own.add("min_tokens")
    values = fields.columns_of(
        (n for n in fields.section_fields("limits", start) if n not in own), start
    )
    if BACKENDS[backend].kind != "litellm":
        values["client"] = _client(start)
    values["calibrate"] = _calibrate(start)
    named = clusters(settings.environment())
    if named and BACKENDS[backend].kind not in ("embedded", "litellm"):
        values["on"] = _cluster(start, named)
    return values


def _cluster(start: RunConfig, named: Sequence[str]) -> str | None:
    """Ask which machines send the requests: this one, or those of a cluster in the settings."""
    chosen: str | None = st.selectbox(
        fields.label("on"),
        named,
        placeholder="this machine",
        help=fields.help_of("on"),
        **fields.keyed("on", start.on if start.on in named else None),
    )
    return chosen


def _judgement(start: RunConfig) -> dict[str, Any]:
    """Ask for the objectives and the price, which can be changed after the run."""

    def fill() -> None:
        touched()
        if chosen := PRESETS.get(st.session_state[f"{fields.PREFIX}preset"] or ""):
            limits = {"ttft": chosen.ttft_s, "tpot": chosen.tpot_s, "e2e": chosen.e2e_s}
            for name, limit in limits.items():
                st.session_state[f"{fields.PREFIX}{name}_limit_s"] = limit

    objectives_form.preset(**fields.keyed("preset", None, fill))
    own = fields.section_fields("objectives", start)
    return fields.columns_of((n for n in own if not (only_saved() and n in FIELDS)), start)


def _calibrate(start: RunConfig) -> bool | None:
    chosen = st.selectbox(
        fields.label("calibrate"),
        list(CALIBRATE),
        help=fields.help_of("calibrate"),
        **fields.keyed("calibrate", _word_of(start.calibrate)),
    )
    return CALIBRATE[chosen]


def _word_of(calibrate: bool | None) -> str:
    return next(word for word, meant in CALIBRATE.items() if meant is calibrate)


def _client(start: RunConfig) -> str:
    through = st.toggle(
        "Measure through LiteLLM",
        help="For providers whose API format Paceline does not support. LiteLLM adds about 10 ms "
        "of CPU time to each request and 0.4 ms to each chunk; the measured times include "
        "both.",
        **fields.keyed("client", start.client == "litellm"),
    )
    return "litellm" if through else "wire"


def names_form(tags: bool = True) -> dict[str, Any]:
    """Ask for name, tags and note. They are not in the URL, because they describe only one run.
    `tags`: whether what is started can have tags."""
    with st.expander("Name, tags and note" if tags else "Name and note"):
        return _names_fields(tags)


def _names_fields(tags: bool) -> dict[str, Any]:
    name = st.text_input(
        "Name",
        max_chars=200,
        placeholder="generated from the settings",
        **keyed("about-name", ""),
    )
    written = ""
    if tags:
        written = st.text_input("Tags (comma-separated)", max_chars=1200, **keyed("about-tags", ""))
    note = st.text_area("Note", max_chars=10_000, height=68, **keyed("about-note", ""))
    return {"name": name, "tags": _tags(written), "note": note}


def _tags(written: str) -> list[str]:
    return [tag for each in written.split(",") if (tag := each.strip())]
