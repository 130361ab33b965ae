"""The form of a run: one section a question, and only the parameters that its answer has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.widgets.models import listed
from pages.widgets.view import plain
from services.backends import BACKENDS
from services.config import RunConfig
from services.modes import MODES
from services.workloads import WORKLOADS
from services.workloads.promptfile import InvalidPrompts, read_prompts

LABELS = {
    "pause_s": "Pause after each answer (s)",
    "interval_s": "Interval between sends (s)",
    "concurrency": "Most in flight at once",
    "input_tokens": "Tokens in each prompt, about",
    "max_tokens": "Max tokens",
    "top_p": "Top-p",
    "ignore_eos": "Answer to full length (ignore end of text)",
    "unique_prompts": "Make every prompt unique",
    "warmup": "Warm-up requests",
    "timeout_s": "Timeout of a request (s)",
    "stop_after_s": "Stop a repeat after (s)",
    "stop_after_errors": "Stop a repeat after this many failures",
    "base_url": "Address",
}


def ask(like: RunConfig, env: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Show the form, starting from `like`; return (fields of a RunConfig, name, tags and note)."""
    values = _backend(like, env) | _mode(like) | _workload(like) | _sampling(like)
    with st.expander("Warm-up, repeats, limits"):
        values |= _more(like)
    with st.expander("Name, tags, note"):
        about = _about()
    return values, about


def in_words(sentence: str) -> str:
    """Put the form's label where a sentence begins with a field's name."""
    field, _, rest = sentence.partition(" ")
    return f"{LABELS[field]} {rest}" if field in LABELS else sentence[:1].upper() + sentence[1:]


def _backend(like: RunConfig, env: Mapping[str, str]) -> dict[str, Any]:
    st.subheader("Backend")
    labels = {backend.label: name for name, backend in BACKENDS.items()}
    chosen = st.selectbox(
        "Backend",
        list(labels),
        index=list(labels.values()).index(like.backend) if like.backend in BACKENDS else 0,
        bind="query-params",
        key="backend",
        label_visibility="collapsed",
    )
    name = labels[chosen]
    values: dict[str, Any] = {"backend": name}
    if name not in ("embedded", "litellm"):
        values["base_url"] = _address(name, like)
    models, problem = listed(name, values.get("base_url"))
    if problem:
        st.warning(plain(problem), icon=":material/cloud_off:")
    values["model"] = _model(name, like, models)
    return values


def _address(name: str, like: RunConfig) -> str | None:
    text = st.text_input(
        LABELS["base_url"],
        value=like.base_url or "" if like.backend == name else "",
        placeholder=BACKENDS[name].base_url or "http://127.0.0.1:8000/v1",
        key=f"base_url-{name}",
        help="Empty: the backend's own, from the environment or the default shown.",
    )
    return text.strip() or None


def _model(name: str, like: RunConfig, models: tuple[str, ...]) -> str:
    given = like.model if like.backend == name else ""
    options = list(dict.fromkeys([*filter(None, [given]), *models]))
    chosen = st.selectbox(
        "Model",
        options,
        index=0 if options else None,
        accept_new_options=True,
        placeholder="Type a model's name" if not options else None,
        key=f"model-{name}",
        help="As the server lists them; another name can be typed.",
    )
    return (chosen or "").strip()


def _mode(like: RunConfig) -> dict[str, Any]:
    st.subheader("Mode")
    labels = {mode.label: name for name, mode in MODES.items()}
    chosen = st.segmented_control(
        "Mode",
        list(labels),
        default=MODES[like.mode].label,
        required=True,
        bind="query-params",
        key="mode",
        label_visibility="collapsed",
    )
    name = labels[chosen]
    values: dict[str, Any] = {"mode": name}
    with st.container(horizontal=True):
        values["requests"] = st.number_input(
            "Requests", 1, 5000, like.requests, bind="query-params", key="requests"
        )
        for parameter in MODES[name].parameters:
            if parameter != "requests":
                values[parameter] = _number(parameter, getattr(like, parameter))
    return values


def _number(field: str, default: float | int | None) -> float | int | None:
    """A number input with the limits and the help of the field it sets."""
    info = RunConfig.model_fields[field]
    kind: type[int] | type[float] = int if "int" in str(info.annotation) else float
    limits: dict[str, Any] = {}
    for rule in info.metadata:
        for bound, argument in (("ge", "min_value"), ("gt", "min_value"), ("le", "max_value")):
            if getattr(rule, bound, None) is not None:
                limits[argument] = kind(getattr(rule, bound))
    shape: dict[str, Any] = {"step": 1} if kind is int else {"format": "%.5g"}
    value: float | int | None = st.number_input(
        LABELS.get(field, field.capitalize()),
        value=None if default is None else kind(default),
        placeholder="none" if default is None else None,
        key=field,
        bind="query-params",
        help=info.description,
        **limits,
        **shape,
    )
    return value


def _workload(like: RunConfig) -> dict[str, Any]:
    st.subheader("Prompts")
    labels = {workload.label: name for name, workload in WORKLOADS.items()}
    chosen = st.segmented_control(
        "Prompts",
        list(labels),
        default=WORKLOADS[like.workload].label,
        required=True,
        bind="query-params",
        key="workload",
        label_visibility="collapsed",
    )
    name = labels[chosen]
    st.caption(WORKLOADS[name].help)
    values: dict[str, Any] = {"workload": name}
    if name == "text":
        values["prompt"] = st.text_area("Prompt", like.prompt or "", key="prompt")
    elif name == "file":
        values["prompts"] = _file(like)
    elif name == "synthetic":
        values["input_tokens"] = _number("input_tokens", like.input_tokens)
    return values


def _file(like: RunConfig) -> tuple[str, ...]:
    uploaded = st.file_uploader("Prompts, as JSONL or CSV", type=["jsonl", "csv"], key="prompts")
    if uploaded is None:
        return like.prompts
    try:
        found = read_prompts(uploaded.getvalue(), uploaded.name)
    except InvalidPrompts as error:
        st.error(plain(str(error)), icon=":material/error:")
        return ()
    st.caption(f"{len(found):,} prompts, used in turn.")
    return found


def _sampling(like: RunConfig) -> dict[str, Any]:
    st.subheader("Sampling")
    fields = ("max_tokens", "temperature", "top_p", "seed")
    with st.grid(2):
        return {field: _number(field, getattr(like, field)) for field in fields}


def _more(like: RunConfig) -> dict[str, Any]:
    with st.container(horizontal=True):
        numbers = {field: _number(field, getattr(like, field)) for field in ("warmup", "repeats")}
    with st.container(horizontal=True):
        for field in ("timeout_s", "stop_after_s", "stop_after_errors"):
            numbers[field] = _number(field, getattr(like, field))
    switches = {
        field: st.toggle(
            LABELS[field],
            getattr(like, field),
            key=field,
            bind="query-params",
            help=RunConfig.model_fields[field].description,
        )
        for field in ("unique_prompts", "ignore_eos")
    }
    through = st.toggle(
        "Measure through LiteLLM",
        like.client == "litellm",
        key="litellm",
        help="For providers with a wire format of their own. LiteLLM adds about 10 ms of CPU to "
        "each request and 0.4 ms to each chunk, and they stand in the numbers.",
    )
    return {**numbers, **switches, "client": "litellm" if through else "wire"}


def _about() -> dict[str, Any]:
    name = st.text_input("Name", key="name", max_chars=200, placeholder="made from the settings")
    tags = st.text_input("Tags, separated by commas", key="tags", max_chars=300)
    note = st.text_area("Note", key="note", max_chars=10_000, height=68)
    return {"name": name, "tags": [t.strip() for t in tags.split(",") if t.strip()], "note": note}
