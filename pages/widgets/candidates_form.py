"""The part of the form that makes a comparison of a run: with what, how often, until when.

In the URL: `vs`, what the other candidates change (see analysis/candidates.py), and `each`, `most`,
`target` and `within`, how they take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from pages.widgets import fields
from pages.widgets.view import as_id, plain
from services.analysis import candidates, comparison_design
from services.analysis.compare import MOST
from services.analysis.compare.differences import read_fields
from services.analysis.compare.findings import MARGIN
from services.analysis.comparison_design import ComparisonDesign
from services.ask import about
from services.ask.config import RunConfig
from services.ask.modes import MODES
from services.ask.problems import InvalidConfig

Others = list[dict[str, Any]]
PARAMETERS = ("vs", "each", "most", "target", "within")  # of the URL
SERVERS = "servers"  # the cards at the top: one server is a run, several are a comparison
NARROW = 130
PER_CENT = {"margin": "within", "target": "target"}  # of a trial's shares, in the URL


def take(said: dict[str, str]) -> dict[str, str]:
    """Take the comparison's parameters out of what the URL says."""
    return {name: said.pop(name) for name in PARAMETERS if name in said}


def kind_of(said: Mapping[str, str], start: RunConfig) -> tuple[str, Others, tuple[str, ...]]:
    """Return what differs between the candidates that the URL asks for, what they change, and what
    is wrong with it."""
    if "vs" not in said:
        return SERVERS, [], ()
    others, problems = candidates.from_text(said["vs"], start)
    changed = {name for changes in others for name in changes}
    for kind, names in ((SERVERS, {"backend", "base_url"}), ("modes", {"mode"})):
        if names & changed:
            return kind, others, problems
    return ("settings" if changed else "itself"), others, problems


def choose(kind: str) -> str:
    """Ask what differs between the candidates."""
    chosen = st.segmented_control(
        "Compare",
        list(KINDS),
        required=True,
        wrap=True,
        format_func=KINDS.__getitem__,
        label_visibility="collapsed",
        **fields.keyed("versus", kind),
    )
    return chosen or kind


def ask(kind: str, values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    """Show with what the server's run is compared; return what the other candidates change."""
    st.markdown("**Compared with**")
    return FORMS[kind](values, given, start)


def how(said: Mapping[str, str]) -> ComparisonDesign:
    """Show how the candidates take turns; what of it cannot be is said at its field."""
    with st.grid(2, min_column_width=NARROW, vertical_alignment="bottom"):
        each = _whole("each", "Repeats per candidate", said, comparison_design.USUAL_REPEATS)
        margin = _share("margin", "Margin (± %)", said, MARGIN)
        target = _share("target", "Repeat until the interval is within ± %", said, None)
        most = each
        if target is not None:
            usual = max(comparison_design.USUAL_MOST, each)
            most = _whole("most", "Max repeats per candidate", said, usual)
    return ComparisonDesign(repeats=each, most=most, target=target, margin=margin or 0.0)


def query(others: Others, asked: ComparisonDesign) -> dict[str, str]:
    """Return the comparison as parameters of the URL."""
    found = {"vs": candidates.to_text(others)}
    usual = ComparisonDesign()
    if asked.repeats != usual.repeats:
        found["each"] = str(asked.repeats)
    if asked.target is not None:
        found |= {"target": f"{asked.target * 100:g}", "most": str(asked.most)}
    if asked.margin != usual.margin:
        found["within"] = f"{asked.margin * 100:g}"
    return found


def _whole(name: str, label: str, said: Mapping[str, str], usual: int) -> int:
    asked = as_id(said.get(name, ""))
    first = usual if asked is None or comparison_design.problem(name, asked) else asked
    with st.container(gap="xxsmall"):
        value = int(st.number_input(label, step=1, **fields.keyed(f"trial-{name}", first)))
        fields.wrong(comparison_design.problem(name, value))
    return value


def _share(name: str, label: str, said: Mapping[str, str], usual: float | None) -> float | None:
    """A share of 1, asked for in per cent."""
    try:
        first: float | None = float(said.get(PER_CENT[name], ""))
    except ValueError:
        first = None
    if first is None or comparison_design.problem(name, first / 100):
        first = None if usual is None else usual * 100
    with st.container(gap="xxsmall"):
        found = st.number_input(
            label,
            value=None if usual is None else "min",
            step=0.5,
            format="%.3g",
            placeholder="no target",
            **fields.keyed(f"trial-{name}", first),
        )
        value = None if found is None else found / 100
        fields.wrong(comparison_design.problem(name, value))
    return value


def _modes(values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    there = [name for name in MODES if name != values["mode"]]
    chosen = _several("mode", "Other modes", there, given, lambda name: MODES[name].label)
    found: Others = []
    for name in chosen:
        said = next((one for one in given if one.get("mode") == name), {})
        first = start.model_copy(update=said)
        with st.grid(3, min_column_width=NARROW, vertical_alignment="bottom"):
            own = {
                field: fields.number(field, first, whose=f"{name}-")
                for field in MODES[name].parameters
            }
        found.append({"mode": name, **own})
    return found


def _several(
    field: str, label: str, there: list[str], given: Others, shown: Callable[[str], str]
) -> list[str]:
    first = [one[field] for one in given if one.get(field) in there] or there[:1]
    widget = fields.keyed(f"versus-{field}", first)
    chosen = st.session_state[widget["key"]]
    known = list(dict.fromkeys(name for name in chosen if name in there))  # each once
    if known != chosen:
        st.session_state[widget["key"]] = known
    return st.multiselect(label, there, format_func=shown, max_selections=MOST - 1, **widget)


def _setting(values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    read = read_fields(start.model_copy(update={"mode": values["mode"]}))
    there = [field for field in candidates.SETTINGS if field in read]
    usual = next(name for name in candidates.USUAL if name in there)
    said = next((name for one in given for name in one if name in there), usual)
    with st.grid(2, min_column_width=NARROW, vertical_alignment="bottom"):
        widget = fields.keyed("versus-setting", said)
        if st.session_state[widget["key"]] not in there:
            st.session_state[widget["key"]] = usual
        field = st.selectbox("Setting", there, format_func=fields.label, **widget)
        first = ", ".join(str(one[field]) for one in given if one.get(field) is not None)
        text = st.text_input(
            "Other values (comma-separated)",
            placeholder="8, 16, 64",
            **fields.keyed(f"versus-of-{field}", first),
        )
    own = values.get(field)
    own = about.fields(RunConfig)[field].empty if own is None else own
    st.caption(plain(f"The baseline uses {own}."))
    try:
        return candidates.values_of(field, text)
    except InvalidConfig as error:
        fields.refuse(error.problems.values())
    return []


def _itself(values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    st.caption(
        "The same config twice. Any difference is noise: this shows how small a difference can be "
        "detected here and whether verdicts can be trusted."
    )
    return [{}]


KINDS = {
    SERVERS: "Servers",
    "modes": "Modes",
    "settings": "Values of a setting",
    "itself": "A/A check",
}
FORMS: dict[str, Callable[[dict[str, Any], Others, RunConfig], Others]] = {
    "modes": _modes,
    "settings": _setting,
    "itself": _itself,
}
