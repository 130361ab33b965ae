"""The form of a capacity search: its servers, its objectives, and the settings of the search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from string import ascii_lowercase
from typing import Any

import streamlit as st

from db import servers
from db.database import opened
from pages.widgets import backend_form, fields, url_state
from pages.widgets.scenario_file import SEARCH
from services.analysis.capacity import Objective
from services.analysis.thresholds import InvalidThreshold
from services.ask import about
from services.ask.config import parse
from services.ask.problems import InvalidConfig
from services.base import settings
from services.studies.capacity_config import MAX_SERVERS, CapacityConfig, parse_capacity

METRICS = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "Latency"}
PERCENTILES = {"p50": "Median", "p90": "p90", "p95": "p95", "p99": "p99"}
LOADS = {"rate": "Requests per second", "users": "Users"}
NUMBERS = ("lowest", "highest", "window_s", "probes", "precision")
SHAPE = ("max_tokens", "warmup")
Keyed = Callable[[str, Any], dict[str, Any]]
COMPARE = "Compare with another server"


def ask(start: CapacityConfig) -> CapacityConfig | None:
    """Show the form; return the search, or report what is wrong and return None."""
    configs = _servers(start)
    st.subheader("Objective", anchor=False)
    conditions = objectives(start.parsed_objectives)
    st.subheader("Search", anchor=False)
    load = st.segmented_control(
        "Load",
        list(LOADS),
        format_func=lambda name: LOADS[name],
        required=True,
        **_keyed("load", start.load),
    )
    with st.grid(5, min_column_width=130, vertical_alignment="bottom"):
        numbers = {name: number(name, getattr(start, name)) for name in NUMBERS}
    with st.grid(4, min_column_width=130, vertical_alignment="bottom"):
        shape = {name: fields.number(name, start.servers[0]) for name in SHAPE}
    own = {"objectives": conditions, "load": load, "arrivals": start.arrivals, **numbers}
    try:
        asked = [parse(config | shape) for config in configs]
        return parse_capacity({**own, "margin": start.margin, "servers": asked})
    except (InvalidConfig, InvalidThreshold) as error:
        fields.show_problems([str(error)])
    return None


def _keyed(name: str, first: Any) -> dict[str, Any]:
    return url_state.keyed(f"{SEARCH}{name}", first)


def _servers(start: CapacityConfig) -> list[dict[str, Any]]:
    """Ask for the server, and for others to compare it with, one below the other."""
    env, saved = settings.environment(), servers.list_all(opened())
    first = start.servers[0]
    st.subheader("Server A", anchor=False)
    configs = [backend_form.on_server(first, backend_form.ask(first, env, saved=saved))]
    for index, letter in enumerate(ascii_lowercase[1:MAX_SERVERS], start=1):
        key = "other" if index == 1 else f"other-{letter}"
        if not st.toggle(COMPARE, **_keyed(key, index < len(start.servers))):
            break
        st.subheader(f"Server {letter.upper()}", anchor=False)
        other = start.servers[index] if index < len(start.servers) else first
        server = backend_form.ask(other, env, f"{letter}-", saved)
        configs.append(backend_form.on_server(other, server))
    return configs


def objectives(asked: Sequence[Objective], keyed: Keyed = _keyed) -> list[str]:
    """Ask for the objectives; return them as conditions: one for a time unless its limit is empty,
    the error rate, and others as text. `keyed`: returns a widget's arguments for its name and
    initial value."""
    time, errors, others = _sorted(asked)
    metric, at, limit_s = _parts(time)
    with st.grid(4, min_column_width=130, vertical_alignment="bottom"):
        metric = st.selectbox(
            "Metric", list(METRICS), format_func=METRICS.__getitem__, **keyed("metric", metric)
        )
        at = st.selectbox(
            "Percentile",
            list(PERCENTILES),
            format_func=PERCENTILES.__getitem__,
            **keyed("at", at),
        )
        limit_ms = None if limit_s is None else 1000 * limit_s
        limit = _optional("Limit (ms)", "limit", limit_ms, 50.0, keyed)
        most = None if errors is None else round(100 * errors.allowed, 6)
        allowed = _optional("Max error rate (%)", "errors", most, 1.0, keyed, below=100)
    more = st.text_input(
        "Further objectives (times in s)",
        placeholder="tpot:p50<0.05, e2e:p99<10",
        help="Separated by commas. All objectives must be met.",
        **keyed("more", ", ".join(objective.text for objective in others)),
    )
    return [
        *([] if limit is None else [f"{metric}:{at}<{limit / 1000:g}"]),
        *([] if allowed is None else [f"error_rate<{allowed / 100:g}"]),
        *filter(None, map(str.strip, more.split(","))),
    ]


def _optional(
    label: str, name: str, first: float | None, step: float, keyed: Keyed, below: float = inf
) -> float | None:
    """A number above 0 and below another; None, an empty field: any."""
    with st.container(gap="xxsmall"):
        value: float | None = st.number_input(
            label, value=None, step=step, format="%g", placeholder="any", **keyed(name, first)
        )
        fine = value is None or 0 < value < below
        most = "" if below == inf else f" and less than {below:g}"
        fields.show_problem("" if fine else f"Must be more than 0{most}.")
    return value


def _sorted(
    asked: Sequence[Objective],
) -> tuple[Objective | None, Objective | None, list[Objective]]:
    """The first objective that the fields can express, the error rate, and the others."""
    time = next((objective for objective in asked if _fits_fields(objective)), None)
    errors = next((objective for objective in asked if objective.metric is None), None)
    return time, errors, [objective for objective in asked if objective not in (time, errors)]


def _fits_fields(objective: Objective) -> bool:
    name, _, rest = objective.text.partition(":")
    at = rest.partition("<")[0].replace("median", "p50")
    return objective.metric is not None and name in METRICS and at in PERCENTILES


def _parts(time: Objective | None) -> tuple[str, str, float | None]:
    """The metric, percentile and limit of an objective; without one, there is no limit."""
    if time is None or time.limit_s is None:
        return "ttft", "p95", None
    name, _, rest = time.text.partition(":")
    return name, rest.partition("<")[0].replace("median", "p50"), time.limit_s


def number(name: str, first: Any, keyed: Keyed = _keyed, kind: Any = CapacityConfig) -> Any:
    """Ask for a number of a search; `kind`: the config that has the field."""
    about_field = about.fields(kind)[name]
    is_whole = isinstance(first, int)
    with st.container(gap="xxsmall"):
        value = st.number_input(
            about_field.label,
            help=about_field.help,
            step=1 if is_whole else about_field.step or 0.01,
            format="%d" if is_whole else "%g",
            **keyed(name, first),
        )
        fields.show_problem(fields.problem(kind, name, value))
    return value


def ready(config: CapacityConfig) -> bool:
    """Return whether all of its servers can be used; report the reason if not."""
    return backend_form.all_ready(list(config.servers))
