"""Start a run or a comparison: which server, which load, which prompts.

A plan shows what will happen first. The form's choices are in the URL, except for the user's own
prompts (see services/ask/link.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

import jobs
from db.database import opened
from pages.widgets import (
    api_keys,
    backend_form,
    fields,
    initial_config,
    run_form,
    sample_panel,
    scenario_file,
    server_cards,
    start_button,
    url_state,
)
from pages.widgets import candidates_form as comparison
from pages.widgets.candidates_form import SERVERS, Others
from pages.widgets.view import (
    dark,
    may_start,
    only_saved,
    person,
    plain,
    prose,
    show_error,
    stop_with,
)
from services.analysis import candidates, comparison_design
from services.analysis.comparison_design import ComparisonDesign, InvalidComparison
from services.ask import link, modes, plan, prices, workloads
from services.ask.answer_times import Pace
from services.ask.backends import BACKENDS, BackendProblem, lane
from services.ask.config import RunConfig
from services.ask.plan import Plan
from services.ask.problems import InvalidConfig
from services.ask.run_names import default_name
from services.base import settings
from services.base.errors import PacelineError
from services.base.units import show
from services.report.charts import MAX_BARS, arrivals_spec, schedule_spec, session_spec
from services.report.theme import palette
from services.studies import capacity_link
from services.studies.capacity_config import MAX_SERVERS, CapacityConfig
from services.studies.capacity_probe import distinct_servers

START = "start-run"  # the key of the button
UNKNOWN_S = 1.0  # how long an answer takes in the picture of a server that nothing is known of
# The plan is beside the form; on a phone, it is below, and Start is a bar at the bottom.
STICKY = """<style>
.st-key-plan { position: sticky; top: 4rem; }
@media (max-width: 640px) {
  .st-key-plan { position: static; padding-bottom: 5rem; }
  .st-key-start-bar { position: fixed; bottom: 0; left: 0; right: 0; z-index: 100;
    padding: .6rem 1rem; background: %s; border-top: 1px solid #8884; }
}
</style>"""


def pace_of(config: RunConfig) -> Pace | None:
    """Return the expected speed of its answers, from earlier runs on its server."""
    return jobs.pace(opened(), config, api_keys.typed())


def plan_of(config: RunConfig) -> Plan:
    """Return the plan of a run, based on earlier runs on its server."""
    return plan.plan(config, prices.price_of(config), pace_of(config))


def show_plan(ahead: Plan) -> None:
    """Show the plan of the run."""
    with st.container(horizontal=True):
        st.metric("Requests in total", show(ahead.requests_total or None, "count"))
        st.metric("Max output tokens", show(ahead.tokens_at_most or None, "count"))
    st.markdown(prose(ahead.sentence))


def to_capacity(configs: Sequence[RunConfig]) -> None:
    """Link to a search for the capacity of the runs' servers."""
    servers = distinct_servers(configs)
    st.page_link(
        "capacity.py",
        label="How much load can it handle?" if len(servers) == 1 else "Which can handle more?",
        icon=":material/speed:",
        query_params=capacity_link.query(CapacityConfig(servers=servers), RunConfig()),
    )


def draw_schedule(config: RunConfig) -> None:
    """Draw when requests will be sent. As long as nothing is known of the server, an answer takes
    UNKNOWN_S in the picture."""
    pace, ahead = pace_of(config), plan_of(config)
    each = ahead.tokens_at_most / ahead.requests_total / pace.usual if pace else UNKNOWN_S
    bars = modes.simulate(modes.schedule(config), each, plan.MAX_DRAWN)
    few = len(bars) <= MAX_BARS or config.mode == "batch"
    title = (
        "When each request is sent and answered" if few else "How many requests are sent per second"
    )
    st.markdown(f"**{title}**")
    st.vega_lite_chart(
        schedule_spec(bars, dark=dark()) if few else arrivals_spec(bars, dark=dark()),
        theme=None,
        width="stretch",
        key="plan-chart",
        alt=title,
    )
    first = f" The first {len(bars):,} requests." if len(bars) == plan.MAX_DRAWN else ""
    warmup = ", and leaves out the warm-up" if workloads.warmup_count(config) else ""
    why = "" if pace else ", because how long answers take is unknown"
    st.caption(f"Assumes {plan.duration(each)} per answer{why}{warmup}.{first}")


def draw_session(config: RunConfig) -> None:
    """Draw what each turn of a session sends."""
    if (spec := session_spec(config, dark=dark())) is None:
        return
    st.vega_lite_chart(
        spec,
        theme=None,
        width="stretch",
        key="session-chart",
        alt="What each turn of a session sends",
    )
    st.caption("One session: each turn sends the history again, which may be in a prefix cache.")


def start(
    configs: Sequence[RunConfig], design: ComparisonDesign | None, about: dict[str, Any]
) -> None:
    """Queue the run or the comparison, and open the page that shows its progress."""
    more = about | {"typed": api_keys.typed(), "by": person()}

    def queue() -> int:
        if design is None:
            return jobs.submit(opened(), configs[0], **more)
        return jobs.submit_comparison(opened(), configs, design, **more).id

    what = "run" if design is None else "comparison"
    try:
        start_button.open_once(START, queue, "live.py", lambda number: {what: str(number)})
    except PacelineError as error:
        show_error(error)


def checked_configs(
    values: dict[str, Any], others: Others, design: ComparisonDesign | None
) -> list[RunConfig]:
    """Return the runs that the form describes; if they are invalid, report why and return none."""
    try:
        configs = candidates.candidates(values, others)
        if design and candidates.is_right_count(others):
            comparison_design.check(design, configs)
        return configs
    except InvalidConfig as error:
        for name, sentence in error.problems.items():
            empty = name in link.OWN and not any(map(str.strip, map(str, values.get(name) or ())))
            show = st.info if empty else st.error  # no error before anything was typed
            icon = ":material/edit:" if empty else ":material/error:"
            show(fields.problem_with_link(name, sentence), icon=icon)
    except InvalidComparison as error:
        fields.show_problems([str(error)])
    return []


def run_names(configs: Sequence[RunConfig], name: str) -> list[str]:
    """Return the names of the runs of a comparison."""
    return candidates.names(configs, name.strip(), [_default_name(config) for config in configs])


def _default_name(config: RunConfig) -> str:
    try:
        return default_name(config, lane(config, settings.environment()), config.model)
    except BackendProblem:
        return BACKENDS[config.backend].label


def show_plan_and_start(
    configs: list[RunConfig], design: ComparisonDesign | None, about: dict[str, Any]
) -> None:
    """Show the plan and the Start button."""
    st.subheader("Plan", anchor=False)
    possible = bool(configs) and (design is None or candidates.is_right_count(configs[1:]))
    if configs and design is None:
        show_plan(plan_of(configs[0]))
    elif possible and design:
        turns = [plan.interleaved(config, design.repeats) for config in configs]
        how = comparison_design.sentence(
            design, len(configs), sum(map(workloads.warmup_count, turns))
        )
        show_plan(plan.combined([plan_of(each) for each in turns], how))
        names = run_names(configs, about["name"])
        st.caption(plain(f"Baseline: {names[0]}. Compared with it: {'; '.join(names[1:])}."))
    elif configs:
        st.info("Add at least one candidate to compare with.")
    possible = possible and backend_form.all_ready(configs, cards=True)
    with st.container(key="start-bar"):
        pressed = start_button.pressed("Start", START, possible)
    if pressed and possible:
        start(configs, design, about)
    scenario_file.form_buttons(scenario_file.of_form(configs, design, about))
    if configs and len(configs) <= MAX_SERVERS:
        to_capacity(configs)
    if configs and design is None:
        draw_schedule(configs[0])
        draw_session(configs[0])


if not may_start():  # the page is not in their navigation
    stop_with("Only runners and admins can start runs.")
start_button.reopen(START)
if (left_for := st.query_params.get("run")) is not None:
    url_state.update({"like": left_for})  # for Back after Start: see widgets/url_state.py
touched = url_state.watch(fields.PREFIX)
parameters = url_state.parameters()
like, turns = parameters.pop("like", None), comparison.read_link(parameters)
base, problems = initial_config.of_link(like)
base = scenario_file.apply_opened(base)
first, more = link.read(parameters, base)
kind, from_link, wrong = comparison.kind_of(turns, first)

st.title("Which backend is faster for your workload?", anchor=False)
st.caption(
    "Measure one server, or compare several with interleaved repeats. Every request is stored. "
    "The embedded model needs no API key, GPU or network."
)
wrong = (*wrong, *comparison.wrong_in_link(turns))
if not touched and (complaints := (*problems, *more, *wrong)):
    fields.show_wrong_link(complaints)
sample_panel.show()
st.html(STICKY % palette(dark()).paper)
left, right = st.columns([3, 2], gap="large")
with left:
    env = settings.environment()
    kind = comparison.choose(kind)
    slot = None
    if kind == SERVERS:
        servers = server_cards.ask(first, from_link, env)
    else:
        with st.grid(2, min_column_width=server_cards.WIDTH):
            servers = [server_cards.ask_one(first, env)]
            slot = st.container(border=True, height="stretch")
    keys = st.container()  # below the servers, whose messages name it
    once = kind == SERVERS and len(servers) == 1
    design = None if once else comparison.repeats_form(turns)
    form = run_form.ask(server_cards.of_form(first), servers[0], once)
    values = server_cards.combine(form, servers[0])
    if slot is None:
        others = server_cards.changes(form, servers)
    else:
        with slot:
            others = comparison.ask(kind, values, from_link, first)
    if not only_saved():
        with keys:
            api_keys.ask(
                (server["backend"], server["base_url"])
                for server in (values, *others)
                if "backend" in server
            )
    about = run_form.names_form()
if touched:
    kept = {"like": like} if like and not problems else {}
    versus_too = comparison.query(others, design) if design else {}
    url_state.update(kept | link.query(values, base) | versus_too)
with right, st.container(key="plan"):
    show_plan_and_start(checked_configs(values, others, design), design, about)
