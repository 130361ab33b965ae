"""The part of a study's form with the settings of the capacity searches."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.widgets import capacity_form, fields, url_state
from services.studies.study_config import StudyCapacity, StudyConfig

NUMBERS = ("lowest", "highest", "window_s", "probes", "precision", "margin", "starts")
SHAPE = ("max_tokens", "warmup")


def ask(start: StudyConfig) -> dict[str, Any]:
    """Ask for objectives and loads; return them as fields of a StudyCapacity."""
    first = start.search or StudyCapacity()
    st.subheader("Objective", anchor=False)
    conditions = capacity_form.objectives(first.parsed_objectives, _keyed)
    st.subheader("Search", anchor=False)
    load = st.segmented_control(
        "Load",
        list(capacity_form.LOADS),
        format_func=lambda name: capacity_form.LOADS[name],
        required=True,
        **_keyed("load", first.load),
    )
    with st.grid(4, min_column_width=130, vertical_alignment="bottom"):
        numbers = {
            name: capacity_form.number(name, getattr(first, name), _keyed, StudyCapacity)
            for name in NUMBERS
        }
    return {"objectives": conditions, "load": load, "arrivals": first.arrivals, **numbers}


def shape(start: StudyConfig) -> dict[str, Any]:
    """Ask for the fields that are the same in every probe."""
    with st.grid(3, min_column_width=130, vertical_alignment="bottom"):
        values = {name: fields.widget_of(name, start.run) for name in SHAPE}
    return values | {"ignore_eos": fields.switch("ignore_eos", start.run)}


def _keyed(name: str, first: Any) -> dict[str, Any]:
    return url_state.keyed(f"{fields.STUDY}search-{name}", first)
