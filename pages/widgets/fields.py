"""One field of a run, an engine or a study as a widget. Its title, limits and help come from its
declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

import streamlit as st

from pages.widgets import terms, url_state
from pages.widgets.view import IGNORED, plain
from services.ask import about
from services.ask.about import Section
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig, validate
from services.servers.engines import EngineConfig
from services.studies.capacity_config import CapacityConfig
from services.studies.study_config import StudyCapacity, StudyConfig

NUMBERS = (int, float, int | None, float | None)
NARROW = 130  # pixels: two fields beside each other on a phone
PREFIX = "run-"
ENGINE = "engine-"
STUDY = "study-"
Config = RunConfig | EngineConfig | StudyConfig
CHOICES = {  # labels for the options of a field, if they differ from the values
    "fixed": "Fixed",
    "uniform": "Uniform",
    "normal": "Normal",
    "lognormal": "Log-normal",
    "prose": "English prose",
    "words": "Random words",
    "recorded": "Recorded answers",
    "answered": "The server's own answers",
}
PREFIXES = {RunConfig: PREFIX, EngineConfig: ENGINE, StudyConfig: STUDY}  # of the widgets' keys


def label(field: str) -> str:
    """Return the label of a field of a run, an engine or a study."""
    return _KNOWN[field].label


def help_of(field: str) -> str:
    """Return the help text of a field of a run, an engine or a study."""
    return _help(_KNOWN[field])


def with_labels(sentence: str, kind: type[Config] | None = None) -> str:
    """Replace the field's name at the beginning of a sentence by its label, and name others by
    their titles."""
    field, _, rest = sentence.partition(" ")
    known = about.fields(kind) if kind else _KNOWN
    if field in known:
        return f"{known[field].label} {_with_titles(rest)}"
    sentence = _with_titles(sentence)
    return sentence[:1].upper() + sentence[1:]


def _help(known: about.About) -> str:
    return terms.linked(_with_titles(known.help), known.label)


def _with_titles(text: str) -> str:
    """Return a text with the titles of the fields that it names."""
    return about.renamed(text, _KNOWN, lambda field: f"“{_KNOWN[field].title}”")


def keyed(
    key: str, first: Any, on_change: Callable[[], None] = url_state.touched
) -> dict[str, Any]:
    """Set the initial value of a widget of a run's form; return the widget's arguments."""
    return url_state.keyed(PREFIX + key, first, on_change)


def widget_arguments(field: str, start: Config, whose: str = "") -> dict[str, Any]:
    """Return the arguments of the widget for a config's field, including its help."""
    prefix = next(PREFIXES[kind] for kind in type(start).__mro__ if kind in PREFIXES)
    known = about.fields(type(start))[field]
    return {"help": _help(known)} | url_state.keyed(prefix + whose + field, getattr(start, field))


def number(
    field: str, start: Config, title: str | None = None, whose: str = ""
) -> float | int | None:
    """Ask for a number; None if it may be empty and is. `words`: a label that replaces the field's.
    `whose`: the candidate that it belongs to, unless it is the baseline.

    The field's limits are checked here and not by the widget, which would keep its previous value
    while showing the new one.
    """
    info, about_field = type(start).model_fields[field], about.fields(type(start))[field]
    kind: type[int] | type[float] = int if "int" in str(info.annotation) else float
    optional = "None" in str(info.annotation)
    if (first := getattr(start, field)) is not None:
        start = start.model_copy(update={field: kind(first)})
    with st.container(gap="xxsmall"):
        value: float | int | None = st.number_input(
            title or about_field.label,
            value=None if optional else "min",
            step=1 if kind is int else about_field.step,
            format=None if kind is int else "%.5g",
            placeholder=about_field.empty if optional else None,
            **widget_arguments(field, start, whose),
        )
        show_problem(problem(type(start), field, value), type(start))
    return value


def whole_number(title: str, first: int, least: int, most: int, key: str) -> int | None:
    """Ask for a whole number that is not part of a config; report it and return None if it is
    outside its limits."""
    with st.container(gap="xxsmall"):
        value = int(st.number_input(title, step=1, **url_state.unlinked(key, first)))
        if least <= value <= most:
            return value
        show_problem(f"Must be between {least} and {most}.")
    return None


def problem(config: type[Config], field: str, value: Any) -> str:
    """Return what is wrong with a field's value on its own; "" if nothing is."""
    try:
        of_run = {"workload": "builtin"} if issubclass(config, RunConfig) else {}
        validate(config, {**of_run, field: value})
    except InvalidConfig as error:
        return error.problems.get(field, "")
    return ""


def show_problems(problems: Iterable[str]) -> None:
    """Report what is wrong with a form, one sentence each: it cannot be started."""
    for sentence in problems:
        st.error(plain(with_labels(sentence)), icon=":material/error:")


def show_wrong_link(problems: Iterable[str]) -> None:
    """Report what is wrong with a link, with fields named by their labels."""
    text = " ".join(map(with_labels, problems))
    st.warning(plain(f"{text} {IGNORED}"), icon=":material/link_off:")


def problem_with_link(field: str, sentence: str) -> str:
    """Return the problem of a run's field as markdown, with a link to the field."""
    known = about.fields(RunConfig).get(field)
    text = plain(with_labels(sentence))
    if known is None or known.section == "backend":
        return text
    return f"{text} [Show the field](#{known.section})"


def show_problem(sentence: str, kind: type[Config] | None = None) -> None:
    """Show the problem of a field below it, if there is one."""
    if sentence:
        st.caption(f":red[{plain(with_labels(sentence, kind))}]")


def choice_of_table(
    field: str,
    table: Mapping[str, Any],
    start: RunConfig,
    on_change: Callable[[], None] = url_state.touched,
) -> str:
    """Ask for one entry of a table, by its label."""
    chosen: str | None = st.segmented_control(
        label(field),
        list(table),
        required=True,
        wrap=True,
        format_func=lambda name: table[name].label,
        label_visibility="collapsed",
        **keyed(field, getattr(start, field), on_change),
    )
    return chosen or getattr(start, field)


def section_fields(section: Section, start: RunConfig, *readers: str) -> list[str]:
    """Return the fields of a section of the form that this mode and workload (`readers`) use."""
    known = about.fields(type(start)).items()
    return [
        name
        for name, known_field in known
        if known_field.section == section and known_field.is_read(*readers)
    ]


def columns_of(names: Iterable[str], start: Config, columns: int = 2) -> dict[str, Any]:
    """Show fields as widgets, numbers side by side, the others below; return their values."""
    names = list(names)
    numbers = [name for name in names if type(start).model_fields[name].annotation in NUMBERS]
    with st.grid(columns, min_column_width=NARROW, vertical_alignment="bottom"):
        values: dict[str, Any] = {name: number(name, start) for name in numbers}
    return values | {name: widget_of(name, start) for name in names if name not in numbers}


def widget_of(field: str, start: Config, whose: str = "") -> Any:
    """Show a field as a widget of its kind and return its value; `whose`: as for `number`."""
    kind = type(start).model_fields[field].annotation
    if kind is bool:
        return switch(field, start, whose)
    if kind == bool | None:
        return optional_switch(field, start)
    if kind is str:
        return text(field, start)
    if kind == str | None:
        return text(field, start) or None
    if kind in NUMBERS:
        return number(field, start, whose=whose)
    return choice(field, start)


def title(field: str, start: Config) -> str:
    """Return the label of a field of this config."""
    return about.fields(type(start))[field].label


def switch(field: str, start: Config, whose: str = "") -> bool:
    """Ask yes or no."""
    return st.toggle(title(field, start), **widget_arguments(field, start, whose))


def optional_switch(field: str, start: Config) -> bool | None:
    """Ask yes, no, or the engine's default."""
    labels = {None: "Engine default", True: "On", False: "Off"}
    chosen: bool | None = st.selectbox(
        title(field, start),
        list(labels),
        format_func=labels.__getitem__,
        placeholder=labels[None],
        **widget_arguments(field, start),
    )
    return chosen


def choice(field: str, start: Config) -> str:
    """Ask for one of the field's allowed values."""
    info = type(start).model_fields[field]
    chosen: str = st.selectbox(
        title(field, start),
        get_args(info.annotation),
        format_func=lambda value: CHOICES.get(value, str(value)),
        **widget_arguments(field, start),
    )
    return chosen


def text(field: str, start: Config, placeholder: str = "") -> str:
    """Ask for a line of text."""
    typed: str | None = st.text_input(
        title(field, start), placeholder=placeholder, **widget_arguments(field, start)
    )
    return (typed or "").strip()


# Of names that several have, the last: a run's fields are the most common.
_KNOWN = {
    name: known
    for kind in (StudyCapacity, CapacityConfig, StudyConfig, EngineConfig, RunConfig)
    for name, known in about.fields(kind).items()
}
