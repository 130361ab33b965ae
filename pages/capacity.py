"""How much a server can take: a search for the highest load that meets objectives.

The URL holds a search that was started, `?search=3`, or the run whose server, prompts and lengths a
new one takes over, `?like=12`.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from db import capacities, runs
from db.database import opened
from db.runs import RunNotFound
from jobs import capacities as capacity_jobs
from pages.widgets import backend_form, capacity_page, fields, url_state
from pages.widgets.view import as_id, person, plain, read_only, show_error, stop_with, stop_without
from services.analysis.thresholds import InvalidThreshold
from services.ask import about
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.base import settings
from services.base.errors import PacelineError
from services.base.once import Once
from services.studies.capacity import CapacityConfig, parse_capacity
from services.studies.capacity_wording import plan

METRICS = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "Latency"}
PERCENTILES = {"p50": "Median", "p90": "p90", "p95": "p95", "p99": "p99"}
LOADS = {"rate": "Requests per second", "users": "Users"}
NUMBERS = ("lowest", "highest", "window_s", "probes")
SHAPE = ("max_tokens", "warmup")


def begin() -> RunConfig:
    """The run that a search begins with: an earlier one's, or the embedded model."""
    like = st.query_params.get("like")
    if like is None:
        return RunConfig()
    number = as_id(like)
    if number is None:
        stop_with(f"“{like[:40]}” is not a run number.", "A link ends in ?like=12.")
    try:
        return runs.load(opened(), number).config
    except RunNotFound as error:
        stop_without(error)


def objective() -> list[str]:
    """Ask what must be met, and return it as conditions."""
    with st.grid(4, min_column_width=130, vertical_alignment="bottom"):
        metric = st.selectbox(
            "Metric",
            list(METRICS),
            format_func=lambda name: METRICS[name],
            **url_state.unlinked("c-metric", "ttft"),
        )
        at = st.selectbox(
            "Percentile",
            list(PERCENTILES),
            format_func=lambda name: PERCENTILES[name],
            **url_state.unlinked("c-at", "p95"),
        )
        limit = st.number_input(
            "Limit (ms)",
            min_value=1.0,
            step=50.0,
            format="%g",
            **url_state.unlinked("c-limit", 500.0),
        )
        errors = st.number_input(
            "Max error rate (%)",
            min_value=0.1,
            max_value=99.0,
            step=1.0,
            format="%g",
            **url_state.unlinked("c-errors", 1.0),
        )
    return [f"{metric}:{at}<{limit / 1000:g}", f"error_rate<{errors / 100:g}"]


def servers(start: RunConfig) -> list[dict[str, Any]]:
    """Ask for the server, and for another one to compare it with."""
    env = settings.environment()
    first = start.model_dump()
    st.subheader("Server A", anchor=False)
    configs = [first | backend_form.ask(start, env)]
    if st.toggle("Compare with another server", **url_state.unlinked("c-other", False)):
        st.subheader("Server B", anchor=False)
        configs.append(first | backend_form.ask(start, env, "capacity-b-"))
    return configs


def asked(start: RunConfig) -> CapacityConfig | None:
    """Show the form; return what it asks for, or say what is wrong and return None."""
    configs = servers(start)
    st.subheader("Objective", anchor=False)
    conditions = objective()
    st.subheader("Search", anchor=False)
    load = st.segmented_control(
        "Load",
        list(LOADS),
        format_func=lambda name: LOADS[name],
        required=True,
        **url_state.unlinked("c-load", "rate"),
    )
    known = CapacityConfig.model_fields
    with st.grid(4, min_column_width=130, vertical_alignment="bottom"):
        numbers = {name: _number(name, known[name].default) for name in NUMBERS}
    with st.grid(4, min_column_width=130, vertical_alignment="bottom"):
        shape = {name: fields.number(name, start) for name in SHAPE}
    try:
        return parse_capacity(
            {
                "servers": [RunConfig(**(config | shape)) for config in configs],
                "objectives": conditions,
                "load": load,
                **numbers,
            }
        )
    except (InvalidConfig, InvalidThreshold) as error:
        fields.refuse([str(error)])
    return None


def _number(name: str, first: Any) -> Any:
    known = about.fields(CapacityConfig)[name]
    step = 1 if isinstance(first, int) else known.step
    shown = "%d" if isinstance(first, int) else "%g"
    return st.number_input(
        known.label,
        help=known.help,
        step=step,
        format=shown,
        **url_state.unlinked(f"c-{name}", first),
    )


def start(config: CapacityConfig) -> None:
    """Queue the search and go to it."""
    once: Once = st.session_state.setdefault("start-capacity", Once())
    try:
        number = once.get(lambda: capacity_jobs.submit(opened(), config, by=person()))
    except PacelineError as error:
        show_error(error)
        return
    st.switch_page("capacity.py", query_params={"search": str(number)})


if (number := st.query_params.get("search")) is not None:
    capacity_page.page(number)
    st.stop()
st.title("How much can it take?", anchor=False)
if read_only():
    capacity_page.listed(capacities.listed(opened()))
    st.stop()
st.caption(
    "Capacity is the highest load at which a server meets the objectives and its queue does not "
    "grow. The search measures one load after the other, each as a run of its own, until the 95 % "
    "interval is narrow enough. It continues without the browser."
)
left, right = st.columns([3, 2], gap="large")
with left:
    config = asked(begin())
with right:
    st.subheader("Estimate", anchor=False)
    ready = config is not None and backend_form.all_ready(list(config.servers))
    if config is not None:
        st.markdown(plain(plan(config)))
    pressed = st.button(
        "Start search",
        type="primary",
        width="stretch",
        icon=":material/play_arrow:",
        disabled=not ready,
    )
    if pressed and config is not None:
        start(config)
    elif not pressed:
        st.session_state["start-capacity"] = Once()
capacity_page.listed(capacities.listed(opened()))
