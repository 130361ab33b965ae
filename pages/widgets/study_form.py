"""The form of a study: what to vary, on which engine, with which load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from pages.widgets import api_keys, backend_form, engine_form, fields, study_search_form, url_state
from pages.widgets.url_state import touched
from services.ask import about
from services.ask.modes import MODES
from services.ask.problems import InvalidConfig
from services.ask.saved_server import with_server_of
from services.base import settings
from services.servers.engines import ENGINES, EngineConfig
from services.studies.axis import split_axes
from services.studies.parallel import Parallel, format_parallel, parse_parallel
from services.studies.presets import PRESETS
from services.studies.study_config import StudyConfig, parse_study
from services.studies.study_link import AXES, numbers, preset_config

AXES_OF_SEARCH = ("input_lengths",)  # the search sets the other ones
LOAD = ("max_tokens", "repeats", "warmup")
PACE = MODES["staggered"].parameters  # requests sent all at once have no pace
SWITCHES: dict[str, tuple[bool, ...]] = {
    "Engine default": (),
    "On and off": (True, False),
    "On": (True,),
    "Off": (False,),
}


def ask(start: StudyConfig) -> StudyConfig:
    """Show the form, with the values of `start`; return the study.

    Raises:
        InvalidConfig: a value is invalid.
    """
    name = _preset(start)
    if name != start.preset:
        start = _preset_start(name, start)
    problems: dict[str, str] = {}
    values: dict[str, Any] = {"preset": name, **_server(start, problems)}
    searches = PRESETS[name].capacity
    if searches:
        values["search"] = study_search_form.ask(start)
    axes = _axes(start, problems, AXES_OF_SEARCH if searches else AXES)
    values |= axes
    values["axes"] = _axes_field(start)
    load = study_search_form.shape(start) if searches else _load(start, axes)
    values["run"] = start.run.model_dump() | values["run"] | load
    if problems:
        raise InvalidConfig(problems)
    return parse_study(values)


def _preset(start: StudyConfig) -> str:
    st.subheader("What to vary", anchor=False)
    name: str = st.selectbox(
        "Preset",
        sorted(PRESETS, key=lambda name: PRESETS[name].starts_engines),
        format_func=_preset_label,
        label_visibility="collapsed",
        **url_state.keyed(f"{fields.STUDY}preset", start.preset, _preset_changed),
    )
    st.caption(PRESETS[name].help)
    return name


def _preset_start(name: str, before: StudyConfig) -> StudyConfig:
    """Return what a preset starts from, on the engine or the server that was chosen before: a
    preset says what to vary, not where."""
    start = preset_config(name, before.engine or _runnable(name))
    if start.engine is not None:
        return start
    return start.model_copy(update={"run": with_server_of(start.run, before.run)})


def _preset_label(name: str) -> str:
    preset = PRESETS[name]
    return f"{preset.label} (starts engines)" if preset.starts_engines else preset.label


def _runnable(preset: str) -> EngineConfig | None:
    """The first engine that can be started here for a preset; None if there is none, or the preset
    is for an existing server."""
    if not PRESETS[preset].starts_engines:
        return None
    parallel = len(PRESETS[preset].parallel) > 1
    return engine_form.first_that_starts(
        name for name, spec in ENGINES.items() if spec.parallelism or not parallel
    )


def _preset_changed() -> None:
    """Callback of the preset: forget the axes of the previous preset."""
    touched()
    url_state.forget((fields.STUDY, fields.PREFIX), (f"{fields.STUDY}preset",))


def _server(start: StudyConfig, problems: dict[str, str]) -> dict[str, Any]:
    st.subheader("Engine" if PRESETS[start.preset].starts_engines else "Server", anchor=False)
    starts = PRESETS[start.preset].starts_engines
    if not starts:
        st.caption(
            "A server that is running, the embedded model, or an engine that Paceline starts for "
            "the study."
        )
    name = engine_form.engine_choice(start.engine, or_none=not starts)
    if name == engine_form.NOTHING:
        server = backend_form.ask(start.run, settings.environment())
        api_keys.ask([(server["backend"], server["base_url"])])
        return {"engine": None, "run": backend_form.on_server(start.run, server)}
    same = start.engine is not None and start.engine.engine == name
    other = EngineConfig.model_validate({"engine": name})
    first = (
        start.engine
        if same and start.engine
        else preset_config(start.preset, other).engine or other
    )
    values = engine_form.ask(first, sizes=False)
    fields_of_study: dict[str, Any] = {"engine": values, "run": {}}
    if ENGINES[name].parallelism:
        fields_of_study["parallel"] = _sizes(start, problems)
    if "chunked_prefill" in ENGINES[name].parameters:
        fields_of_study["chunked"] = _switches(start)
    fields_of_study["usd_per_gpu_hour"] = fields.number("usd_per_gpu_hour", start)
    return fields_of_study


def _sizes(start: StudyConfig, problems: dict[str, str]) -> tuple[Parallel, ...]:
    typed = _values_field(
        "parallel",
        format_parallel(start.parallel),
        parse_parallel,
        problems,
        widget=st.text_area,  # on a phone, a line would be cut
        height=68,
        help="For example TP=4 PP=2 DP=1; separate several with semicolons. The one with the "
        "fewest devices is the baseline.",
    )
    return typed or (Parallel(),)


def _switches(start: StudyConfig) -> tuple[bool, ...]:
    labels = {values: word for word, values in SWITCHES.items()}
    chosen: str = st.selectbox(
        fields.label("chunked"),
        list(SWITCHES),
        **url_state.keyed(f"{fields.STUDY}chunked", labels.get(start.chunked, "On and off")),
    )
    return SWITCHES[chosen]


def _axes(start: StudyConfig, problems: dict[str, str], names: Sequence[str]) -> dict[str, Any]:
    st.subheader("Load" if names == AXES else "Requests", anchor=False)
    axes = {}
    with st.grid(3, min_column_width=engine_form.NARROW, vertical_alignment="bottom"):
        for name in names:
            first = ", ".join(map(str, getattr(start, name)))
            axes[name] = _values_field(
                name,
                first,
                partial(numbers, name),
                problems,
                placeholder="not varied",
                help=f"{about.fields(StudyConfig)[name].help}, for example 1, 8, "
                "32. All combinations are measured.",
            )
    return axes


def _axes_field(start: StudyConfig) -> tuple[str, ...]:
    """Ask for further axes, one per line."""
    known = about.fields(StudyConfig)["axes"]
    text: str = st.text_area(
        known.label,
        help=f"{known.help}. One per line.",
        placeholder="not varied",
        height=68,
        **url_state.keyed(f"{fields.STUDY}axes", "\n".join(start.axes)),
    )
    return split_axes(text)


def _values_field(
    name: str,
    first: str,
    read: Callable[[str], tuple[Any, ...]],
    problems: dict[str, str],
    widget: Callable[..., str] = st.text_input,
    **shape: Any,
) -> tuple[Any, ...]:
    """Ask for values as text. Invalid ones are reported below and added to `problems`, so that the
    rest of the form is still shown."""
    with st.container(gap="xxsmall"):
        text = widget(
            fields.label(name), **shape, **url_state.keyed(f"{fields.STUDY}{name}", first)
        )
        try:
            return read(text)
        except InvalidConfig as error:
            problems |= error.problems
            fields.show_problem(str(error))
    return ()


def _load(start: StudyConfig, axes: dict[str, Any]) -> dict[str, Any]:
    """Ask for the load that all cells have in common, except for fields set by an axis."""
    preset = PRESETS[start.preset]
    at_once = bool(axes["batches"] or axes["concurrencies"])
    set_by_axes = at_once or preset.sets_mode
    values: dict[str, Any] = {}
    if not set_by_axes:
        values["mode"] = fields.choice_of_table("mode", MODES, start.run)
    own = () if set_by_axes else MODES[values["mode"]].parameters
    own = tuple(name for name in preset.form_fields if not (at_once and name in PACE)) or own
    requests = () if axes["batches"] else ("requests",)
    with st.grid(3, min_column_width=engine_form.NARROW, vertical_alignment="bottom"):
        for name in dict.fromkeys((*requests, *own, *LOAD)):
            values[name] = fields.widget_of(name, start.run)
    values["ignore_eos"] = fields.switch("ignore_eos", start.run)
    return values
