"""The part of the form that makes a comparison of a run: with what, how often, until when.

In the URL: `vs`, what the other candidates change (see analysis/candidates.py), and `each`, `most`,
`target` and `within`, how they take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from pages.widgets import backend_form, fields, url_state
from pages.widgets.view import as_id, plain
from services.analysis import candidates, comparison_design
from services.analysis.compare import MOST
from services.analysis.compare.differences import read_fields
from services.analysis.compare.findings import MARGIN
from services.analysis.comparison_design import ComparisonDesign
from services.ask import about
from services.ask.backends import BACKENDS
from services.ask.config import RunConfig
from services.ask.modes import MODES
from services.ask.problems import InvalidConfig
from services.base import settings

Others = list[dict[str, Any]]
PARAMETERS = ("vs", "each", "most", "target", "within")  # of the URL
OFF = "one run"
NARROW = 130
PER_CENT = {"margin": "within", "target": "target"}  # of a trial's shares, in the URL


def take(said: dict[str, str]) -> dict[str, str]:
    """Take the comparison's parameters out of what the URL says."""
    return {name: said.pop(name) for name in PARAMETERS if name in said}


def kind_of(said: Mapping[str, str], start: RunConfig) -> tuple[str, Others, tuple[str, ...]]:
    """Return which comparison the URL asks for, with whom, and what is wrong with it."""
    if "vs" not in said:
        return OFF, [], ()
    others, problems = candidates.from_text(said["vs"], start)
    said_of = {name for changes in others for name in changes}
    for kind, names in (("backends", {"backend", "base_url"}), ("modes", {"mode"})):
        if names & said_of:
            return kind, others, problems
    return ("settings" if said_of else "itself"), others, problems


def choose(kind: str) -> str:
    """Ask whether one run is wanted or a comparison, and of what."""
    chosen = st.segmented_control(
        "Measure one run, or compare",
        [OFF, *KINDS],
        required=True,
        wrap=True,
        format_func=lambda kind: "A/A check" if kind == "itself" else kind.capitalize(),
        **fields.keyed("versus", kind),
    )
    return chosen or kind


def ask(kind: str, values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    """Show what the comparison is about; return what the other candidates change."""
    st.subheader("Compare with", anchor=False)
    return KINDS[kind](values, given, start)


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


def _backends(values: dict[str, Any], given: Others, start: RunConfig) -> Others:
    """Each candidate has a backend, an address and a model of its own: two may be of one backend,
    and even the same."""
    unlike = next(name for name in BACKENDS if name != values["backend"])
    candidates = _candidates(given or [{"backend": unlike}])
    found: Others = []
    for position, (number, said) in enumerate(candidates.items(), 2):
        own = {"base_url": None, "model": ""} if "backend" in said else {}
        first = start.model_copy(update=own | said)
        with st.container(border=True):
            with st.container(horizontal=True, horizontal_alignment="distribute"):
                st.markdown(f"**Candidate {position}**", width="content")
                if len(candidates) > 1:
                    st.button(
                        "Remove",
                        key=f"{fields.PREFIX}{number}-remove",
                        icon=":material/close:",
                        type="tertiary",
                        on_click=_remove,
                        args=(number,),
                    )
            server = backend_form.ask(first, settings.environment(), f"{number}-")
            if all(server[name] == values[name] for name in server):
                st.caption("The same server and model as the baseline: an A/A check.")
        found.append(server)
    if len(candidates) < MOST - 1:
        st.button(
            "Add candidate",
            key=f"{fields.PREFIX}add",
            icon=":material/add:",
            on_click=_add,
            args=(found[-1],),
        )
    return found


CANDIDATES = f"{fields.PREFIX}candidates"


def _candidates(first: Others) -> dict[int, dict[str, Any]]:
    """Return what each other candidate begins with, under the number that its widgets' keys have;
    a number is given once."""
    there: dict[int, dict[str, Any]] = st.session_state.setdefault(
        CANDIDATES, dict(enumerate(first, 2))
    )
    return there


def _add(like: dict[str, Any]) -> None:
    """One more candidate, beginning as the last one is."""
    url_state.touched()
    there = _candidates([])
    st.session_state[CANDIDATES] = there | {max(there) + 1: dict(like)}


def _remove(number: int) -> None:
    url_state.touched()
    there = _candidates([])
    st.session_state[CANDIDATES] = {n: said for n, said in there.items() if n != number}
    url_state.forget(f"{fields.PREFIX}{number}-")


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


KINDS: dict[str, Callable[[dict[str, Any], Others, RunConfig], Others]] = {
    "backends": _backends,
    "modes": _modes,
    "settings": _setting,
    "itself": _itself,
}
