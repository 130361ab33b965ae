"""The form of an engine: which engine, its model, its parallelism, and its other settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from pages.widgets import fields, url_state
from services.base import settings
from services.servers.engines import ENGINES, EngineConfig, devices, preflight

NARROW = 130  # pixels: two fields beside each other on a phone
SIZES = ("tp", "pp", "dp")
NOTHING = ""  # instead of an engine: an existing server


def first_that_starts(names: Iterable[str] = ENGINES) -> EngineConfig | None:
    """Return the first engine of `names` that can start on this machine; None if none can."""
    hardware, env = devices(), settings.environment()
    configs = (EngineConfig.model_validate({"engine": name}) for name in names)
    return next((config for config in configs if preflight(config, hardware, env) is None), None)


def engine_choice(start: EngineConfig | None, or_none: bool = False) -> str:
    """Ask for the engine; `or_none`: an existing server is also an option."""
    names = [NOTHING, *ENGINES] if or_none else list(ENGINES)
    labels = {NOTHING: "Existing server"}
    widget = url_state.keyed(f"{fields.ENGINE}engine", start.engine if start else NOTHING)
    if st.session_state[widget["key"]] not in names:  # for another preset, which starts its engine
        st.session_state[widget["key"]] = start.engine if start else names[0]
    chosen = st.segmented_control(
        "Engine",
        names,
        required=True,
        wrap=True,
        label_visibility="collapsed",
        format_func=lambda name: labels.get(name) or ENGINES[name].label,
        **widget,
    )
    return chosen or NOTHING


def ask(start: EngineConfig, sizes: bool = True) -> dict[str, Any]:
    """Show the engine's fields; return those of an EngineConfig. Without `sizes`, the parallel
    sizes and chunked prefill are asked for elsewhere."""
    spec = ENGINES[start.engine]
    values: dict[str, Any] = {"engine": start.engine}
    if "model" in spec.parameters:
        values["model"] = fields.text("model", start, "the small model that ships with Paceline")
    if sizes and spec.parallelism:
        with st.grid(3, min_column_width=NARROW, vertical_alignment="bottom"):
            values |= {
                name: fields.number(name, start) for name in SIZES if name in spec.parallelism
            }
    with st.expander("Engine settings"):
        left_out = {"model"} if sizes else {"model", "chunked_prefill"}
        values |= _settings(start, [n for n in spec.parameters if n not in left_out])
    return values


def _settings(start: EngineConfig, names: list[str]) -> dict[str, Any]:
    with st.grid(2, min_column_width=NARROW, vertical_alignment="bottom"):
        return {name: fields.widget_of(name, start) for name in (*names, "start_timeout_s")}
