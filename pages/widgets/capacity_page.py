"""One capacity search: its result, its curve and its probes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from db import capacities
from db.capacity_list import CapacityRow
from db.database import opened
from jobs import capacities as capacity_jobs
from jobs import scenarios
from pages.widgets import capacity_form, chart_panel, scenario_file, share, tabular, url_state
from pages.widgets.panels import to_minute
from pages.widgets.view import (
    dark,
    link_parameters,
    link_to_list,
    load_or_stop,
    number_in_link,
    plain,
    prose,
    read_only,
    sentences,
    share_view,
    shared,
    show_error,
)
from services.ask.config import RunConfig
from services.base.errors import PacelineError
from services.base.refresh import REFRESH
from services.base.table import Table
from services.base.units import NOTHING, many
from services.report import capacity as report
from services.report.capacity_points import measured_table, operating_points_table
from services.report.charts.capacity import CAPACITY_CHARTS, CapacityChart
from services.report.export.capacity_files import CAPACITY_EXPORTS
from services.studies import capacity_link
from services.studies.capacity import Capacity
from services.studies.capacity_curve import curve_sentences
from services.studies.capacity_price import cost
from services.studies.capacity_wording import amount_text, confidence_text, plan, with_unit

BREAKS = re.compile(r"(?<=,) | (?=\()")  # in a list of capacities: a line of each, and its interval
MORE = 10  # probes that are offered to a search that goes on


def load(text: str) -> Capacity:
    """Return the search in the URL, or report what is wrong and stop."""
    number = number_in_link(text, "search")
    return load_or_stop(lambda: capacities.load(opened(), number))


def page(text: str) -> None:
    """Show the page of one search."""
    capacity = load(text)
    link_to_list("capacity.py", "All searches")
    st.title(plain(capacity.name), anchor=False)
    if capacity.status == "running":
        every_s = REFRESH.seconds()
        st.fragment(run_every=every_s)(watch)(text)
        return
    if not share_view():
        with st.container(horizontal=True):
            if capacity.probes:
                download_buttons(capacity)
            if not read_only():
                actions(capacity)
    show_findings(capacity)


@sentences()
def watch(text: str) -> None:
    """Show a search while it runs."""
    capacity = load(text)
    if capacity.status != "running":
        st.rerun()
    done = sum(probe.observation is not None for probe in capacity.probes)
    most = capacity.config.probes * len(capacity.config.servers)
    st.progress(min(1.0, done / most), f"{done} of at most {many(most, 'probe')} measured.")
    if capacity.probes and capacity.probes[-1].observation is None:
        last = capacity.probes[-1]
        st.page_link(
            "live.py",
            label=f"Watch the run at {with_unit(last.load, capacity.config)}",
            icon=":material/monitor_heart:",
            query_params=link_parameters(run=str(last.run_id)),
        )
    if not shared():
        st.button(
            "Cancel search",
            icon=":material/stop:",
            on_click=_run_action,
            args=(capacity_jobs.cancel, capacity.id),
        )
    st.caption(prose(plan(capacity.config)))
    show_findings(capacity)


def show_findings(capacity: Capacity) -> None:
    """Show the results of a search: the capacity with its interval, the curve and the probes."""
    verdicts = report.verdicts(capacity)
    first, *others = [*verdicts, *report.headlines(capacity)]
    st.subheader(prose(first), anchor="verdict")
    shown = tiles(capacity)
    if len(verdicts) == len(capacity.config.servers) - 1 == shown - 1:
        others = verdicts[1:]  # the tiles show the others
    for sentence in others:
        st.markdown(prose(sentence))
    if capacity.error:
        st.warning(prose(capacity.error), icon=":material/error:")
    for reason in report.reasons(capacity):
        st.caption(prose(reason))
    chart(CAPACITY_CHARTS[0], capacity)
    curve(capacity)
    if capacity.probes:
        points(capacity)


def tiles(capacity: Capacity) -> int:
    """Show the capacity of each server in large type, with its uncertainty and cost. Return how
    many are known."""
    estimates = [
        (name, estimate, cost(capacity, server))
        for server, name in enumerate(report.server_names(capacity))
        if (estimate := capacity.final_estimate(server)) is not None
        and estimate.low
        and estimate.high
    ]
    with st.container(horizontal=True, gap="large"):
        for name, estimate, price in estimates:
            with st.container(width="content", gap="xxsmall"):
                st.metric(plain(name), amount_text(estimate, capacity.config))
                st.caption(prose(confidence_text(estimate, capacity.config)))
                if price is not None:
                    st.caption(prose(str(price)))
    return len(estimates)


def chart(which: CapacityChart, capacity: Capacity) -> None:
    """Draw a chart, if there is something to show."""
    drawn = which.draw(capacity, dark())
    if drawn is not None:
        chart_panel.draw_alone(drawn, f"capacity-{which.name}", which.question)


def curve(capacity: Capacity) -> None:
    """Show throughput or latency against load, and the reasons for the shape of the curve."""
    drawable = {
        chart_.name: chart_ for chart_ in CAPACITY_CHARTS[1:] if chart_.draw(capacity, False)
    }
    if not drawable:
        return
    st.subheader("Curve", anchor="curve")
    limited = [
        name for name in drawable if any(name in text for text in capacity.config.objectives)
    ]
    chosen = st.segmented_control(
        "Against load",
        list(drawable),
        format_func=lambda name: drawable[name].label,
        required=True,
        **url_state.unlinked("capacity-curve", (limited or list(drawable))[0]),
    )
    chart(drawable[chosen], capacity)
    for server, name in enumerate(report.server_names(capacity)):
        texts = curve_sentences(capacity, server)
        if texts and len(capacity.config.servers) > 1:
            st.markdown(f"**{plain(name)}**")
        st.markdown("\n".join(f"- {prose(text)}" for text in texts))


def points(capacity: Capacity) -> None:
    """Show every load that was measured, with links to the runs."""
    outcomes, measured = operating_points_table(capacity), measured_table(capacity)
    links = [f"/result?{urlencode(link_parameters(run=run))}" for run, *_ in outcomes.rows]
    st.subheader(plain(outcomes.title), anchor="operating-points")
    st.caption(prose(outcomes.note))  # first, since a row may contradict the capacity
    tabular.table(replace(outcomes, note=""), links=links)
    with st.expander(measured.title, icon=":material/table:"):
        tabular.table(measured, links=links)


def download_buttons(capacity: Capacity) -> None:
    """Show the search's share link and files."""
    files = [
        (entry, entry.filename.format(capacity=capacity.id), partial(entry.write, capacity))
        for entry in CAPACITY_EXPORTS
    ]
    share.of_capacity(capacity, files)


def actions(capacity: Capacity) -> None:
    """Show the actions for a search that has ended. Searches of a study are resumed and deleted on
    its page."""
    if capacity.study_id is not None:
        st.page_link(
            "study.py",
            label=f"Study {capacity.study_id}",
            icon=":material/grid_view:",
            query_params=link_parameters(study=str(capacity.study_id)),
        )
        return
    if capacity.status != "done":
        st.button(
            "Resume",
            type="primary",
            icon=":material/resume:",
            on_click=_run_action,
            args=(capacity_jobs.resume, capacity.id),
        )
    else:
        with st.popover("Continue", icon=":material/resume:"):
            continue_form(capacity)
    with st.popover("Search again", icon=":material/replay:"):
        scenario(capacity)
    with st.popover("Delete", icon=":material/delete:"):
        st.caption("The runs of its probes are kept.")
        if st.button("Delete permanently", type="primary"):
            delete(capacity.id)


def continue_form(capacity: Capacity) -> None:
    """Ask what a search that has ended may use to narrow its interval."""
    st.caption(
        "Keeps the probes that were measured, and adds more until the interval is narrow enough."
    )
    start = {"probes": capacity.config.probes + MORE, "precision": capacity.config.precision}
    probes, precision = (capacity_form.number(name, start[name], _keyed) for name in start)
    act = partial(capacity_jobs.resume, probes=probes, precision=precision)
    st.button("Continue search", type="primary", on_click=_run_action, args=(act, capacity.id))


def _keyed(name: str, first: Any) -> dict[str, Any]:
    return url_state.unlinked(f"continue-{name}", first)


def scenario(capacity: Capacity) -> None:
    """Show a link to the form with the search's config, and the config as a file."""
    st.page_link(
        "capacity.py",
        label="New search, same settings",
        icon=":material/replay:",
        query_params=capacity_link.query(capacity.config, RunConfig()),
    )
    make = partial(scenarios.of_capacity, opened(), capacity.id)
    name = f"paceline-capacity-{capacity.id}.yaml"
    scenario_file.stored_form(make, capacity.config.servers, name)


def delete(capacity_id: int) -> None:
    """Delete a search and leave its page, or report why it cannot be deleted."""
    try:
        capacities.delete(opened(), capacity_id)
    except PacelineError as error:
        show_error(error)
        return
    st.switch_page("capacity.py", query_params={})


def _run_action(act: Callable[[Any, int], None], capacity_id: int) -> None:
    """Run an action; report an error if it fails."""
    try:
        act(opened(), capacity_id)
    except PacelineError as error:
        show_error(error)


def show_list(rows: Sequence[CapacityRow]) -> None:
    """Show the stored searches, newest first."""
    texts = tuple(
        (
            row.name,
            row.status,
            BREAKS.sub("\n", row.answer) or NOTHING,
            f"{row.probes:,}",
            to_minute(row.created_at),
        )
        for row in rows
    )
    links = [f"/capacity?{urlencode(link_parameters(search=str(row.id)))}" for row in rows]
    columns = ("Search", "Status", "Capacity", "Probes", "Started")
    tabular.table(Table("Searches", columns, texts), "Searches", links=links)
