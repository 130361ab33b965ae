"""Objectives and price, which can be changed after a run.

The URL holds them: `?ttft=0.5&tpot=0.05&e2e=10&usd_per_hour=2.5`. A value that is missing there is
the one that each run was started with, and an empty one is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.widgets.view import IGNORED, plain
from services.analysis.objectives import IN_LINKS, PRESETS, from_link, objectives_of, with_judgement
from services.ask import about
from services.ask.config import RunConfig

PREFIX = "judge-"
NARROW = 130  # pixels: two fields beside each other on a phone


def in_url() -> dict[str, float | None]:
    """Return the objectives and price in the URL, by config field. Invalid ones are reported and
    left out."""
    objectives, problems = from_link(st.query_params.to_dict())
    for sentence in problems:
        st.warning(plain(f"{sentence} {IGNORED}"), icon=":material/link_off:")
    return objectives


def parameters() -> dict[str, str]:
    """Return the parameters of the URL that belong to them, for a link to this page."""
    return {name: st.query_params[name] for name in IN_LINKS if name in st.query_params}


def form(configs: Sequence[RunConfig], judgement: dict[str, float | None]) -> None:
    """Ask for objectives that apply to all runs of a page."""
    shown = [with_judgement(config, judgement) for config in configs]
    _preset(shown)
    with st.grid(4, min_column_width=NARROW, vertical_alignment="bottom"):
        for name, field in IN_LINKS.items():
            _number(name, field, {getattr(config, field) for config in shown})
    st.caption(
        "Leave a limit empty to ignore it. Goodput counts the requests that meet every limit. "
        "The price is for the whole server, with all its GPUs."
    )


def preset(**widget: Any) -> None:
    """Ask for one of MLPerf's sets of limits; `widget`: its key and other arguments."""
    st.selectbox(
        "MLPerf server limits",
        list(PRESETS),
        index=None,
        placeholder="Choose a preset",
        help="MLPerf requires 99 % of requests to meet them",
        **widget,
    )


def _preset(shown: Sequence[RunConfig]) -> None:
    now = {objectives_of(config) for config in shown}
    key = f"{PREFIX}preset"
    st.session_state[key] = next((name for name, one in PRESETS.items() if now == {one}), None)

    def into_url() -> None:
        chosen = PRESETS.get(st.session_state[key] or "")
        if chosen:
            limits = (chosen.ttft_s, chosen.tpot_s, chosen.e2e_s)
            for name, limit in zip(("ttft", "tpot", "e2e"), limits, strict=True):
                st.query_params[name] = _text(limit)

    preset(key=key, on_change=into_url)


def _number(name: str, field: str, values: set[float | None]) -> None:
    key = f"{PREFIX}{name}"
    several = len(values) > 1
    about_field = about.fields(RunConfig)[field]
    st.session_state[key] = None if several else values.pop()

    def into_url() -> None:
        st.query_params[name] = _text(st.session_state[key])

    st.number_input(
        about_field.label,
        value=None,
        step=about_field.step,
        format="%.5g",
        key=key,
        placeholder="differs between runs" if several else "none",
        help=about_field.help,
        on_change=into_url,
    )


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
