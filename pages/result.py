"""One run: its numbers, charts, requests and diagnostics."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from db import results, runs, span_exports
from db.database import opened
from db.runs import RunNotFound
from pages.widgets import actions as menu
from pages.widgets import (
    baseline,
    chart_panel,
    edit,
    objectives_form,
    panels,
    remedy_button,
    request_detail,
    result_tabs,
    run_actions,
    share,
    tabular,
    timeline,
    tool_report,
)
from pages.widgets.view import (
    link_parameters,
    plain,
    read_only,
    run_in_url,
    share_view,
    shared,
    stop_run_not_found,
)
from services.analysis import client_health, nodes
from services.analysis.compare import Candidate
from services.analysis.diagnostics import diagnostics
from services.ask.measurement import ACTIVE
from services.report import slices, tables
from services.report.charts import CHARTS, chart
from services.report.charts.bars import MAX_BARS
from services.report.export import content_hash
from services.report.server_table import table as told_of_server
from services.report.spans.progress import sentence as span_sentence

BESIDE_EACH_OTHER = ("ttft", "e2e")  # below the bars; the others are in an expander
MORE_CHARTS = "more-charts"
SINGLE = [entry for entry in CHARTS if entry.least == 1]
SHOWN = ("tokens_per_s", *BESIDE_EACH_OTHER, *timeline.SHOWN)


def to_history() -> None:
    st.switch_page("history.py")


def actions(candidate: Candidate) -> None:
    """Show Compare, Run again and Share, and a menu with the rest, which opens below."""
    run, of = candidate.run, f"run-{candidate.run.id}"
    panels_ = {
        "Edit": partial(edit.form, run),
        "Objectives and price": partial(objectives_form.form, [run.config], judgement),
        **({"Baseline": partial(baseline.form, run)} if baseline.can_be(run) else {}),
        "Delete": partial(edit.confirm_deletion, [run.id], to_history),
    }
    with st.container(horizontal=True, vertical_alignment="center"):
        run_actions.compare(run)
        run_actions.again([run])
        to_share(run.id)
        menu.more(of, panels_)
    menu.panel(of, panels_)


def to_share(run_id: int) -> None:
    here = {"run": str(run_id), **objectives_form.parameters()}
    share.of_runs([run_id], "result", here, judgement, load_again)


def draw(candidate: Candidate, names: Sequence[str]) -> None:
    for name in names:
        chart_panel.draw(chart(name), [candidate], "result", load_again)


def charts(candidate: Candidate) -> None:
    """Show the failures and the most important charts; the others are in an expander."""
    tabular.table(tables.failures(candidate), "What failed?")
    of_classes = tables.classes(candidate)
    tabular.table(of_classes, f"How do {of_classes.title.lower()} compare?")
    tabular.table(tables.prefix_cache(candidate), "How much came from the prefix cache?")
    if candidate.summary.ok:
        chart_panel.draw(
            chart("tokens_per_s"), [candidate], "result", load_again, _picking(candidate)
        )
        for name, column in zip(BESIDE_EACH_OTHER, st.columns(2), strict=True):
            with column:
                draw(candidate, [name])
        tabular.table(tables.ttft_phases(candidate), "Where does TTFT go?")
        more = st.expander(
            "More charts", icon=":material/bar_chart:", key=MORE_CHARTS, on_change="rerun"
        )
        if more.open:  # only then are they drawn
            with more:
                draw(candidate, [entry.name for entry in SINGLE if entry.name not in SHOWN])


def _picking(candidate: Candidate) -> chart_panel.Picking:
    """A click on a bar opens its request; if it stands for several, the slowest of them."""
    several = len(candidate.measurements) > MAX_BARS
    opened_by = "the slowest of its requests" if several else "its request"
    key = request_detail.key("bars")
    opens = request_detail.clicked(key, "opens")
    return chart_panel.Picking(key, "opens", opens, f"Click a bar to open {opened_by}.")


def numbers(candidate: Candidate) -> None:
    """Show all numbers of the run, its repeats, the server and the client."""
    tabular.table(tables.figures([candidate], ["This run"]), "What are the numbers?")
    if len(candidate.summary.repeats) > 1:
        tabular.table(tables.repeats(candidate), "How much do the repeats differ?")
    tool_report.show_tool_report(candidate)
    tabular.table(tables.distributions(candidate), "How do the metrics vary between requests?")
    tabular.table(slices.table(candidate), "How did the run change over time?")
    tabular.table(told_of_server(candidate), "Server metrics")
    tabular.table(client_health.table(candidate), "Was the client healthy?")
    tabular.table(nodes.table(candidate), "Did the nodes differ?")


def requests(candidate: Candidate) -> None:
    key = request_detail.key("requests")
    tabular.request_table(candidate, key, request_detail.ask)
    if not shared() and run.source is None:
        load = partial(runs.answer, opened(), run_id)
        tabular.answers(candidate, load)


def setup(candidate: Candidate) -> None:
    tabular.setup([candidate])
    if spans is not None and spans.status != "failed":
        st.caption(plain(span_sentence(spans)))
    if candidate.table.complete:
        st.caption(f"SHA-256 of config and measurements: `{content_hash(candidate)}`")
    else:  # it takes half a minute
        st.caption("*Run (JSON)* has the SHA-256 of config and measurements.")


run_id = run_in_url()
judgement = objectives_form.in_url()
try:
    candidate = results.candidate(opened(), run_id, judgement=judgement)
except RunNotFound as error:
    stop_run_not_found(error)

run = candidate.run
load_again = partial(results.candidates, opened(), [run_id], judgement)
diagnosed = diagnostics(run, candidate.measurements, candidate.summary, candidate.samples)
panels.head(run, sum(each.level == "warning" for each in diagnosed))
baseline.badges(run_id)
if run.error:
    st.warning(plain(run.error), icon=":material/error:")
spans = None if shared() or run.status in ACTIVE else span_exports.load(opened(), run_id)
if spans is not None and spans.status == "failed":
    st.warning(plain(span_sentence(spans)), icon=":material/cloud_off:")
if read_only() and not share_view():
    to_share(run_id)
if not shared():
    actions(candidate)
    if run.source is None:
        remedy_button.button(candidate)
if run.status in ACTIVE:
    st.info("The run is not finished: these are the requests answered so far.")
    st.page_link(
        "live.py",
        label="Watch live",
        icon=":material/monitor_heart:",
        query_params=link_parameters(run=str(run_id)),
    )
if not candidate.measurements:
    if run.source is not None:
        panels.sentence(candidate)
    tool_report.show_tool_report(candidate)
    if run.source is None:
        st.caption("This run has no measured requests.")
    tabular.setup_expander([candidate])
    st.stop()

if candidate.summary.ok:
    panels.headline(candidate)
panels.judgement(candidate)
panels.show_diagnostics(diagnosed)
if run.source is None:
    panels.client(candidate)
result_tabs.show(
    {
        "charts": partial(charts, candidate),
        "timeline": partial(timeline.show, candidate, load_again),
        "numbers": partial(numbers, candidate),
        "requests": partial(requests, candidate),
        "setup": partial(setup, candidate),
    }
)
request_detail.show(run_id)
del candidate  # a session keeps the page's globals, including the arrays of a large run
