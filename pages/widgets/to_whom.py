"""The form's first question: which backend, where it is, and which of its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.widgets import fields
from pages.widgets.linked import touched
from pages.widgets.view import plain
from services import settings
from services.backends import BACKENDS
from services.config import InvalidConfig, RunConfig, parse
from services.visit import models


@st.cache_data(ttl=10, show_spinner="Asking the server for its models …", max_entries=50)
def listed(backend: str, base_url: str | None) -> tuple[tuple[str, ...], str | None]:
    """Return (models, None), or (no models, a sentence that says what is wrong)."""
    return models(backend, base_url, settings.environment())


def ask(start: RunConfig, env: Mapping[str, str]) -> dict[str, Any]:
    """Show backend, address and model; return those fields of a RunConfig."""
    st.subheader("Backend", anchor=False)
    name = st.selectbox(
        "Backend",
        list(BACKENDS),
        format_func=lambda name: BACKENDS[name].label,
        key=fields.begin("backend", start.backend),
        label_visibility="collapsed",
        on_change=touched,
    )
    return {"backend": name, **place(name, start, env)}


def place(name: str, start: RunConfig, env: Mapping[str, str]) -> dict[str, Any]:
    """Show a backend's address, where it may have another, and its model; return both."""
    values: dict[str, Any] = {}
    if BACKENDS[name].kind == "openai":
        values["base_url"] = _address(name, start)
    return values | {"model": _model(name, values.get("base_url"), start, env)}


def _address(name: str, start: RunConfig) -> str | None:
    text = st.text_input(
        fields.label("base_url"),
        key=fields.begin(f"base_url-{name}", _given("base_url", name, start) or ""),
        placeholder=BACKENDS[name].base_url or "http://127.0.0.1:8000/v1",
        help="Empty: the backend's own, from the environment or the default shown.",
        on_change=touched,
    )
    return text.strip() or None


def _model(name: str, base_url: str | None, start: RunConfig, env: Mapping[str, str]) -> str:
    there, problem = _models(name, base_url)
    if problem:
        st.warning(plain(problem), icon=":material/cloud_off:")
        st.button(
            "Ask again", icon=":material/refresh:", type="tertiary", on_click=_forget,
            help="Ask the server for its models once more",
        )  # fmt: skip
    own = env.get(BACKENDS[name].model_env or "", "").strip()
    given = _given("model", name, start) if base_url == _given("base_url", name, start) else ""
    options = list(dict.fromkeys(filter(None, [given, own, *there])))
    key = fields.begin(f"model-{name}-{base_url}", options[0] if options else None)
    if options and st.session_state[key] is None:
        st.session_state[key] = options[0]  # the server has come up since
    chosen = st.selectbox(
        "Model",
        options,
        index=0 if options else None,
        accept_new_options=True,
        placeholder="provider/model" if name == "litellm" else "Type a model's name",
        key=key,
        help="As the server lists them; another name can be typed.",
        on_change=touched,
    )
    return (chosen or "").strip()


def _models(name: str, base_url: str | None) -> tuple[tuple[str, ...], str | None]:
    if BACKENDS[name].kind == "litellm":
        return (), None  # its providers are not asked
    try:
        parse({"base_url": base_url})
    except InvalidConfig:
        return (), None  # the page says what is wrong with the address
    return listed(name, base_url)


def _given(field: str, backend: str, start: RunConfig) -> Any:
    """What the link or the earlier run says, if it is about this backend."""
    return getattr(start, field) if start.backend == backend else getattr(RunConfig(), field)


def _forget() -> None:
    touched()
    listed.clear()
