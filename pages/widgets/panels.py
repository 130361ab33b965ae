"""What the result, comparison and live pages share above their charts: the run, its figures and its
diagnostics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import streamlit as st

from pages.widgets import terms
from pages.widgets.view import badge, plain, prose, share_view
from services.analysis import client_health, diagnostics
from services.analysis.compare import Candidate
from services.analysis.diagnostics.diagnostic import Diagnostic, are_long
from services.ask import modes
from services.ask.backends import server_text
from services.ask.measurement import Run
from services.base.units import many, unbroken
from services.report import run_headline
from services.report.key_figures import key_figures
from services.report.run_facts import measured_for

Colour = Literal["green", "red", "orange", "blue", "gray"]

STATUS_COLOURS: dict[str, Colour] = {
    "done": "green",
    "failed": "red",
    "cancelled": "orange",
    "interrupted": "orange",
    "running": "blue",
}


def status_badge(status: str) -> str:
    """Return a run's status as a badge, as markdown."""
    return f":{STATUS_COLOURS.get(status, 'gray')}-badge[{status}]"


def head(run: Run, warnings: int = 0) -> None:
    """Show the run's name, status, the number of its warnings, time, tags and note."""
    st.title(plain(run.name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        doubtful = warnings and run.status == "done"
        st.badge(run.status, color="gray" if doubtful else STATUS_COLOURS.get(run.status, "gray"))
        if warnings:
            st.badge(many(warnings, "warning"), icon=":material/warning:", color="orange")
        for tag in run.tags:
            st.markdown(badge(tag, "sell", "gray"))
        if run.source is not None:
            st.markdown(badge(run.through, "upload_file", "violet"))
        server = server_text(run.config.backend, run.config.base_url)
        via = "" if run.source is not None else run.through
        facts = (f"Run {run.id}", server, via, run.config.model)
        line = " · ".join(filter(None, facts))
        lasted = measured_for(run)
        by = f" · started by {plain(run.started_by)}" if run.started_by and not share_view() else ""
        times = f"{when(run.started_at or run.created_at)}{lasted and f' · measured for {lasted}'}"
        st.caption(f"{plain(line)} · {unbroken(times)}{by}")
    if run.note:
        st.text(run.note)


def sentence(candidate: Candidate) -> None:
    """Show the run in a sentence."""
    st.markdown(f"**{prose(run_headline.headline(candidate))}.**")


def headline(candidate: Candidate) -> None:
    """Show the run in a sentence, and its five most important numbers."""
    if candidate.run.status == "done":  # of others, the numbers may be wrong: see the warnings
        sentence(candidate)
    figures = key_figures(candidate)
    with st.grid(len(figures), min_column_width=130):
        for figure in figures:
            st.metric(
                figure.label,
                figure.value,
                figure.about_with_unit,
                delta_color="red" if figure.bad else "off",
                delta_arrow="off",
                help=terms.linked(figure.help, figure.label),
                border=True,
                height="stretch",
            )
    if wait_note := modes.wait_note(candidate.run.config, candidate.summary.ok):
        st.caption(wait_note)


def judgement(candidate: Candidate) -> None:
    """Show how the run meets its objectives, and where its price is from."""
    if attainment := candidate.summary.attainment:
        st.markdown(f":material/flag: {plain(attainment.sentence)}")
    if source := candidate.summary.cost_source:
        st.caption(f"Cost: {plain(source)}.")


def show_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    """Show warnings, long ones collapsed to their titles, and notes in an expander below."""
    show_diagnosed([(diagnostic, "") for diagnostic in diagnostics])


def show_diagnosed(diagnosed: Sequence[tuple[Diagnostic, str]]) -> None:
    """Show diagnostics of several runs in the same way, each with the names of its runs."""
    warnings = [entry for entry in diagnosed if entry[0].level == "warning"]
    notes = [entry for entry in diagnosed if entry[0].level == "note"]
    brief = are_long(diagnostic for diagnostic, _ in warnings)
    if warnings:
        titles = "\n".join(f"- {_title(entry)}" for entry in _by_title(warnings))
        st.warning(titles if brief else _sentences(warnings), icon=":material/warning:")
    if brief:
        with st.expander("What these warnings mean", icon=":material/warning:"):
            st.markdown(_sentences(warnings))
    if notes:
        with st.expander(many(len(notes), "note"), icon=":material/info:"):
            st.markdown(_sentences(notes))


def client(candidate: Candidate) -> None:
    """Show whether the client kept within its limits, and the overhead it adds."""
    past = diagnostics.client.past_limits(candidate.run, candidate.measurements, candidate.summary)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        if past:
            st.badge("client overloaded", icon=":material/speed:", color="orange")
        elif any(repeat.health for repeat in candidate.run.repeats):
            st.badge("client healthy", icon=":material/check:", color="green")
        else:
            st.badge("client health unknown", icon=":material/help:", color="gray")
        if health := client_health.sentence(candidate):
            st.caption(plain(health))


def _by_title(diagnosed: Sequence[tuple[Diagnostic, str]]) -> list[tuple[Diagnostic, str]]:
    """Return the first of each title, with the names of all runs that have it."""
    found: dict[str, tuple[Diagnostic, str]] = {}
    for diagnostic, runs in diagnosed:
        first, before = found.get(diagnostic.title, (diagnostic, ""))
        found[diagnostic.title] = first, "; ".join(filter(None, (before, runs)))
    return list(found.values())


def _sentences(diagnosed: Sequence[tuple[Diagnostic, str]]) -> str:
    return "\n\n".join(f"{_title(entry)} {prose(entry[0].sentence)}" for entry in diagnosed)


def _title(diagnosed: tuple[Diagnostic, str]) -> str:
    diagnostic, runs = diagnosed
    return f"**{plain(f'{runs}: ' * bool(runs) + diagnostic.title)}.**"


def when(moment: datetime) -> str:
    """Return a time of day in the user's time zone."""
    return f"{local(moment):%Y-%m-%d %H:%M:%S}"


def to_minute(moment: datetime) -> str:
    """Return the same for a row of a list."""
    return f"{local(moment):%Y-%m-%d %H:%M}"


def local(moment: datetime) -> datetime:
    """Return a time in the user's time zone."""
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (KeyError, ValueError):  # a browser may name a zone that is unknown here
        zone = ZoneInfo("UTC")
    return moment.astimezone(zone)
