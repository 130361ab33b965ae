"""The part of the form that turns a run into a comparison: its candidates, the number of repeats,
when to stop.

In the URL: `vs`, the changes of the other candidates (see analysis/candidates.py), and `each`,
`most`, `target` and `within`, the design of the comparison.
"""

from __future__ import annotations

import math
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
HELP = {
    "margin": "Candidates that differ by less than this count as equivalent.",
    "target": "Repeats are added until the 95 % interval of the ratio is this narrow, or the "
    "maximum is reached. Empty: as many repeats as above.",
}


def read_link(parameters: dict[str, str]) -> dict[str, str]:
    """Remove the parameters of a comparison from those of the URL, and return them."""
    return {name: parameters.pop(name) for name in PARAMETERS if name in parameters}


def kind_of(parameters: Mapping[str, str], start: RunConfig) -> tuple[str, Others, tuple[str, ...]]:
    """Return what differs between the candidates in the URL, their changes, and what is wrong with
    them."""
    if "vs" not in parameters:
        return SERVERS, [], ()
    others, problems = candidates.from_text(parameters["vs"], start)
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
        **fields.keyed("versus", kind),
    )
    return chosen or kind


def ask(kind: str, values: dict[str, Any], from_link: Others, start: RunConfig) -> Others:
    """Ask which candidates to compare with the first server; return the changes of the others."""
    st.subheader("Compared with", anchor=False)
    return FORMS[kind](values, from_link, start)


def repeats_form(parameters: Mapping[str, str]) -> ComparisonDesign:
    """Ask for the repeats of the candidates; problems are shown at their fields. The first value is
    that of the run to which a candidate was added, if it has several repeats."""
    of_run = st.session_state.get(f"{fields.PREFIX}repeats") or 1
    usual_repeats = of_run if of_run > 1 else comparison_design.DEFAULT_REPEATS
    with st.grid(2, min_column_width=NARROW, vertical_alignment="bottom"):
        each = _number_input("each", "Repeats per candidate", parameters, usual_repeats)
        margin = _share("margin", "Margin (± %)", parameters, MARGIN)
        target = _share("target", "Stop when the interval is within (± %)", parameters, None)
        most = each
        if target is not None:
            usual = max(comparison_design.DEFAULT_MAX_REPEATS, each)
            most = _number_input("most", "Max repeats per candidate", parameters, usual)
    return ComparisonDesign(repeats=each, most=most, target=target, margin=margin or 0.0)


def query(others: Others, design: ComparisonDesign) -> dict[str, str]:
    """Return the comparison as parameters of a URL."""
    parameters = {"vs": candidates.to_text(others)}
    usual = ComparisonDesign()
    if design.repeats != usual.repeats:
        parameters["each"] = str(design.repeats)
    if design.target is not None:
        parameters |= {"target": f"{design.target * 100:g}", "most": str(design.most)}
    if design.margin != usual.margin:
        parameters["within"] = f"{design.margin * 100:g}"
    return parameters


def wrong_in_link(parameters: Mapping[str, str]) -> list[str]:
    """Return a sentence for each part of the design in the URL that is invalid and ignored."""
    return [
        sentence
        for name in ("each", "most", "target", "margin")
        if (value := _in_link(name, parameters)) is not None
        and (sentence := comparison_design.problem(name, value))
    ]


def _in_link(name: str, parameters: Mapping[str, str]) -> float | None:
    """Return a part of the design in the URL, a share between 0 and 1; None if it is missing, and
    not a number, which is invalid, if it cannot be read."""
    text = parameters.get(PER_CENT.get(name, name))
    if text is None:
        return None
    try:
        return float(text) / 100 if name in PER_CENT else as_id(text) or math.nan
    except ValueError:
        return math.nan


def _number_input(name: str, label: str, parameters: Mapping[str, str], usual: int) -> int:
    number = _in_link(name, parameters)
    valid = number is not None and not comparison_design.problem(name, number)
    first = int(number) if valid and number is not None else usual
    with st.container(gap="xxsmall"):
        value = int(st.number_input(label, step=1, **fields.keyed(f"comparison-{name}", first)))
        fields.show_problem(comparison_design.problem(name, value))
    return value


def _share(
    name: str, label: str, parameters: Mapping[str, str], usual: float | None
) -> float | None:
    """A share, shown in per cent."""
    share = _in_link(name, parameters)
    if share is None or comparison_design.problem(name, share):
        share = usual
    first = None if share is None else round(share * 100, 9)
    with st.container(gap="xxsmall"):
        percent = st.number_input(
            label,
            value=None if usual is None else "min",
            step=0.5,
            format="%.3g",
            placeholder="no target",
            help=HELP[name],
            **fields.keyed(f"comparison-{name}", first),
        )
        value = None if percent is None else percent / 100
        fields.show_problem(comparison_design.problem(name, value))
    return value


def _modes(values: dict[str, Any], from_link: Others, start: RunConfig) -> Others:
    baseline = MODES[values["mode"]].label
    st.caption(f"The baseline is *{baseline}*, which is chosen below, under *Mode*.")
    options = [name for name in MODES if name not in (values["mode"], "replay")]
    chosen = _multiselect("mode", "Other modes", options, from_link, lambda name: MODES[name].label)
    others: Others = []
    for name in chosen:
        own_changes = next((changes for changes in from_link if changes.get("mode") == name), {})
        first = start.model_copy(update=own_changes)
        with st.grid(3, min_column_width=NARROW, vertical_alignment="bottom"):
            own = {
                field: fields.widget_of(field, first, whose=f"{name}-")
                for field in MODES[name].parameters
            }
        others.append({"mode": name, **own})
    return others


def _multiselect(
    field: str, label: str, options: list[str], from_link: Others, shown: Callable[[str], str]
) -> list[str]:
    linked = [changes[field] for changes in from_link if changes.get(field) in options]
    first = linked or options[:1]
    widget = fields.keyed(f"versus-{field}", first)
    chosen = st.session_state[widget["key"]]
    known = list(dict.fromkeys(name for name in chosen if name in options))  # without duplicates
    if known != chosen:
        st.session_state[widget["key"]] = known
    return st.multiselect(label, options, format_func=shown, max_selections=MOST - 1, **widget)


def _setting(values: dict[str, Any], from_link: Others, start: RunConfig) -> Others:
    read = read_fields(start.model_copy(update={"mode": values["mode"]}))
    options = [field for field in candidates.SETTINGS if field in read]
    usual = next(name for name in (*candidates.USUAL, *options) if name in options)
    setting = next((name for changes in from_link for name in changes if name in options), usual)
    with st.grid(2, min_column_width=NARROW, vertical_alignment="bottom"):
        widget = fields.keyed("versus-setting", setting)
        if st.session_state[widget["key"]] not in options:
            st.session_state[widget["key"]] = usual
        field = st.selectbox("Setting", options, format_func=fields.label, **widget)
        first = ", ".join(
            str(changes[field]) for changes in from_link if changes.get(field) is not None
        )
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
        fields.show_problems(error.problems.values())
    return []


def _aa_check(values: dict[str, Any], from_link: Others, start: RunConfig) -> Others:
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
    "itself": _aa_check,
}
