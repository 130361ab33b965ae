"""The form of a study: what is varied, on which engine, with which load."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.widgets import engine_form, fields, linked, to_whom
from pages.widgets.linked import touched
from pages.widgets.view import plain
from services import settings
from services.config import InvalidConfig
from services.engines import ENGINES, EngineConfig
from services.modes import MODES
from services.studies.asked import StudyConfig, parse_study
from services.studies.parallel import Parallel, read_parallel, write_parallel
from services.studies.presets import PRESETS
from services.studies.written import AXES, begun, numbers

PREFIX = "study-"
LOAD = ("max_tokens", "repeats", "warmup")
PACE = MODES["staggered"].parameters  # what is sent at once has none
SWITCHES: dict[str, tuple[bool, ...]] = {
    "As the engine has it": (), "On and off": (True, False), "On": (True,), "Off": (False,),
}  # fmt: skip


def ask(start: StudyConfig) -> StudyConfig | None:
    """Show the form, beginning with `start`; None: it asks for something that cannot be."""
    name = _preset(start)
    if name != start.preset:
        start = begun(name, start.engine)
    try:
        values: dict[str, Any] = {"preset": name, **_server(start)}
        axes = _axes(start)
        values |= axes
        values["run"] = start.run.model_dump() | values["run"] | _load(start, axes)
        return parse_study(values)
    except InvalidConfig as error:
        for sentence in error.problems.values():
            st.error(plain(fields.in_words(sentence)), icon=":material/error:")
    return None


def _preset(start: StudyConfig) -> str:
    st.subheader("What is varied", anchor=False)
    name: str = st.selectbox(
        "Preset", list(PRESETS), format_func=lambda name: PRESETS[name].label,
        key=linked.begin(f"{PREFIX}preset", start.preset), label_visibility="collapsed",
        on_change=_begin_anew,
    )  # fmt: skip
    st.caption(PRESETS[name].help)
    return name


def _begin_anew() -> None:
    """Another preset begins with its own axes: those of the one before are forgotten."""
    touched()
    kept = (f"{PREFIX}preset", f"{fields.ENGINE}engine", f"{fields.ENGINE}model")
    for key in [key for key in st.session_state if str(key).startswith((PREFIX, fields.PREFIX))]:
        if key not in kept:
            del st.session_state[key]


def _server(start: StudyConfig) -> dict[str, Any]:
    st.subheader("Engine", anchor=False)
    starts = PRESETS[start.preset].starts
    if not starts:
        st.caption("A server that is there already, or one that Paceline starts for the study.")
    name = engine_form.which(start.engine, or_none=not starts)
    if name == engine_form.NOTHING:
        return {"engine": None, "run": to_whom.ask(start.run, settings.environment())}
    same = start.engine is not None and start.engine.engine == name
    other = EngineConfig.model_validate({"engine": name})
    first = start.engine if same and start.engine else begun(start.preset, other).engine or other
    values = engine_form.ask(first, sizes=False)
    found: dict[str, Any] = {"engine": values, "run": {}}
    if ENGINES[name].knows:
        found["parallel"] = _sizes(start)
    if "chunked_prefill" in ENGINES[name].parameters:
        found["chunked"] = _switches(start)
    found["usd_per_gpu_hour"] = st.number_input(
        fields.label("usd_per_gpu_hour"), 0.001, 1e6, None, 0.5, on_change=touched,
        key=linked.begin(f"{PREFIX}usd_per_gpu_hour", start.usd_per_gpu_hour),
        help=StudyConfig.model_fields["usd_per_gpu_hour"].description, placeholder="none",
    )  # fmt: skip
    return found


def _sizes(start: StudyConfig) -> tuple[Parallel, ...]:
    text = st.text_input(
        fields.label("parallel"),
        key=linked.begin(f"{PREFIX}parallel", write_parallel(start.parallel)),
        help="Such as TP=4 PP=2 DP=1, with ; between two. What takes the fewest devices is what "
        "the others are compared with.",
        on_change=touched,
    )  # fmt: skip
    return read_parallel(text) or (Parallel(),)


def _switches(start: StudyConfig) -> tuple[bool, ...]:
    words = {values: word for word, values in SWITCHES.items()}
    chosen: str = st.selectbox(
        fields.label("chunked"), list(SWITCHES), on_change=touched,
        key=linked.begin(f"{PREFIX}chunked", words.get(start.chunked, "On and off")),
    )  # fmt: skip
    return SWITCHES[chosen]


def _axes(start: StudyConfig) -> dict[str, Any]:
    st.subheader("Load", anchor=False)
    found = {}
    with st.grid(3, min_column_width=engine_form.NARROW, vertical_alignment="bottom"):
        for name in AXES:
            first = ", ".join(map(str, getattr(start, name)))
            text = st.text_input(
                fields.label(name), key=linked.begin(f"{PREFIX}{name}", first),
                help=f"{StudyConfig.model_fields[name].description}: 1, 8, 32. "
                "Every value is crossed with every other.",
                placeholder="one, as below", on_change=touched,
            )  # fmt: skip
            found[name] = numbers(name, text)
    return found


def _load(start: StudyConfig, axes: dict[str, Any]) -> dict[str, Any]:
    """What is the same in all cells, as far as no axis says it."""
    preset = PRESETS[start.preset]
    at_once = bool(axes["batches"] or axes["concurrencies"])
    set_by_axes = at_once or preset.sends_itself
    values: dict[str, Any] = {}
    if not set_by_axes:
        values["mode"] = fields.one_of("mode", MODES, start.run)
    own = () if set_by_axes else MODES[values["mode"]].parameters
    own = tuple(name for name in preset.asks if not (at_once and name in PACE)) or own
    requests = () if axes["batches"] else ("requests",)
    with st.grid(3, min_column_width=engine_form.NARROW, vertical_alignment="bottom"):
        for name in dict.fromkeys((*requests, *own, *LOAD)):
            values[name] = fields.number(name, start.run)
    values["ignore_eos"] = fields.switch("ignore_eos", start.run)
    return values
