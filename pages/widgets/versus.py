"""The part of the form that makes a comparison of a run: with what, how often, until when.

In the URL: `vs`, what the other candidates change (see services/versus.py), and `each`, `most`,
`target` and `within`, how they take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from pages.widgets import fields, linked, to_whom
from pages.widgets.view import as_id, plain
from services import settings, trial, versus
from services.backends import BACKENDS
from services.compare import LEAST_MARGIN, MOST
from services.compare.differences import read_fields
from services.compare.findings import MARGIN
from services.config import MOST_REPEATS, InvalidConfig, RunConfig
from services.modes import MODES
from services.trial import Asked

Others = list[dict[str, Any]]
PARAMETERS = ("vs", "each", "most", "target", "within")  # of the URL
OFF = "one run"
NARROW = 130
LEAST, WIDEST = 100 * LEAST_MARGIN, 99.0  # per cent


def take(said: dict[str, str]) -> dict[str, str]:
    """Take the comparison's parameters out of what the URL says."""
    return {name: said.pop(name) for name in PARAMETERS if name in said}


def kind_of(said: Mapping[str, str], start: RunConfig) -> tuple[str, Others, tuple[str, ...]]:
    """Return which comparison the URL asks for, with whom, and what is wrong with it."""
    if "vs" not in said:
        return OFF, [], ()
    others, problems = versus.read(said["vs"], start)
    names = [next(iter(changes), "") for changes in others]
    for kind, field in (("backends", "backend"), ("modes", "mode")):
        if field in names:
            return kind, others, problems
    return ("settings" if any(names) else "itself"), others, problems


def choose(kind: str) -> str:
    """Ask whether one run is wanted or a comparison, and of what."""
    chosen = st.segmented_control(
        "Measure one run, or compare",
        [OFF, *KINDS],
        required=True,
        format_func=str.capitalize,
        key=fields.begin("versus", kind),
        on_change=linked.touched,
    )
    return chosen or kind


def ask(kind: str, values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    """Show what the comparison is about; return what the other candidates change."""
    st.subheader("Compared with", anchor=False)
    return KINDS[kind](values, given, start)


def how(said: Mapping[str, str]) -> Asked:
    """Show how the candidates take turns."""
    with st.grid(2, min_column_width=NARROW, vertical_alignment="bottom"):
        each = _whole("each", "Repeats of each", said, trial.USUAL_REPEATS)
        within = _share("within", "Differences that do not matter, ± %", said, MARGIN)
        target = _share("target", "Go on until the interval is within ± %", said, None)
        most = each
        if target is not None:
            usual = max(trial.USUAL_MOST, each)
            most = _whole("most", "Repeats of each, at most", said, usual)
    margin = MARGIN if within is None else within
    return Asked(repeats=each, most=max(most, each), target=target, margin=margin)


def query(others: Others, asked: Asked, start: RunConfig) -> dict[str, str]:
    """Return the comparison as parameters of the URL."""
    found = {"vs": versus.written(others, start)}
    usual = Asked()
    if asked.repeats != usual.repeats:
        found["each"] = str(asked.repeats)
    if asked.target is not None:
        found |= {"target": f"{asked.target * 100:g}", "most": str(asked.most)}
    if asked.margin != usual.margin:
        found["within"] = f"{asked.margin * 100:g}"
    return found


def _whole(name: str, label: str, said: Mapping[str, str], usual: int) -> int:
    text = said.get(name, "")
    said_so = as_id(text)
    first = said_so if said_so is not None and 1 <= said_so <= MOST_REPEATS else usual
    key = fields.begin(f"trial-{name}", first)
    return int(st.number_input(label, 1, MOST_REPEATS, key=key, on_change=linked.touched))


def _share(name: str, label: str, said: Mapping[str, str], usual: float | None) -> float | None:
    try:
        first = float(said.get(name, ""))
    except ValueError:
        first = 0.0
    known = first if LEAST <= first <= WIDEST else None if usual is None else usual * 100
    found = st.number_input(
        label, LEAST, WIDEST, value=None if usual is None else "min", step=0.5, format="%.3g",
        key=fields.begin(f"trial-{name}", known), placeholder="no target",
        on_change=linked.touched,
    )  # fmt: skip
    return None if found is None else found / 100


def _backends(values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    there = [name for name in BACKENDS if name != values["backend"]]
    chosen = _several("backend", "Other backends", there, given, lambda name: BACKENDS[name].label)
    found: Others = []
    for name in chosen:
        said = next((one for one in given if one.get("backend") == name), {})
        first = start.model_copy(update={"base_url": None, "model": "", **said, "backend": name})
        with st.container(border=True):
            st.markdown(f"**{plain(BACKENDS[name].label)}**")
            found.append({"backend": name, **to_whom.place(name, first, settings.environment())})
    return found


def _modes(values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    there = [name for name in MODES if name != values["mode"]]
    chosen = _several("mode", "Other modes", there, given, lambda name: MODES[name].label)
    found: Others = []
    for name in chosen:
        said = next((one for one in given if one.get("mode") == name), {})
        first = start.model_copy(update=said)
        with st.grid(3, min_column_width=NARROW, vertical_alignment="bottom"):
            own = {field: fields.number(field, first) for field in MODES[name].parameters}
        found.append({"mode": name, **own})
    return found


def _several(
    field: str, label: str, there: list[str], given: Others, shown: Callable[[str], str]
) -> list[str]:
    first = [one[field] for one in given if one.get(field) in there] or there[:1]
    key = fields.begin(f"versus-{field}", first)
    known = dict.fromkeys(name for name in st.session_state[key] if name in there)  # each once
    st.session_state[key] = list(known)
    return st.multiselect(
        label, there, format_func=shown, max_selections=MOST - 1, key=key,
        on_change=linked.touched,
    )  # fmt: skip


def _setting(values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    read = read_fields(start.model_copy(update={"mode": values["mode"]}))
    there = [field for field in versus.SETTINGS if field in read]
    said = next((name for one in given for name in one if name in there), there[0])
    with st.grid(2, min_column_width=NARROW, vertical_alignment="bottom"):
        key = fields.begin("versus-setting", said)
        if st.session_state[key] not in there:
            st.session_state[key] = there[0]
        field = st.selectbox(
            "Setting", there, format_func=fields.label, key=key, on_change=linked.touched
        )
        first = ", ".join(str(one[field]) for one in given if one.get(field) is not None)
        text = st.text_input(
            "Other values, separated by commas", key=fields.begin(f"versus-of-{field}", first),
            placeholder="8, 16, 64", on_change=linked.touched,
        )  # fmt: skip
    own = values.get(field)
    own = fields.EMPTY.get(field, "none") if own is None else own
    st.caption(plain(f"The reference has {own}."))
    try:
        return versus.values_of(field, text)
    except InvalidConfig as error:
        for sentence in error.problems.values():
            st.error(plain(fields.in_words(sentence)), icon=":material/error:")
    return []


def _itself(values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    st.caption(
        "The same run twice. What differs then is chance: how small a difference can be told apart "
        "here, and whether a verdict can be trusted."
    )
    return [{}]


KINDS: dict[str, Callable[[dict[str, Any], Others, RunConfig], Others]] = {
    "backends": _backends,
    "modes": _modes,
    "settings": _setting,
    "itself": _itself,
}
