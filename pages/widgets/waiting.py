"""What a queued run is waiting for, with a link to it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from db import engines, queue
from db.database import opened
from db.queue import Ahead
from pages.widgets.view import link_parameters, plain, shared
from services.ask.measurement import Run
from services.base.units import many
from services.report.terminal.engines import engine_name


def show(run: Run, on_comparison: bool = False) -> None:
    """Show a sentence above an empty bar, with a link to the first run that comes before.
    `on_comparison`: on the page of the run's comparison, which needs no link."""
    before = queue.runs_ahead(opened(), run.id)
    if before:
        st.progress(0.0, plain(_behind(before)))
        _link(before[0])
    elif run.engine_id is not None:
        _engine(run.engine_id, run.study_id)
    elif run.comparison_id is not None and not on_comparison:
        st.progress(0.0, "Waiting for its turn in its comparison.")
        _link_to("Watch the comparison", "live.py", comparison=str(run.comparison_id))
    else:
        st.progress(0.0, "Next in line: it starts within seconds.")


def behind(run: Run) -> None:
    """Show only which other runs a queued run waits for, if any."""
    before = queue.runs_ahead(opened(), run.id)
    if before:
        st.caption(plain(_behind(before)))
        _link(before[0])


def in_progress(sentence: str, what: str, page: str, **parameters: str) -> None:
    """Show what is being measured now, with a link to it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(sentence), width="content")
        st.page_link(
            page,
            label=f"Watch this {what}",
            icon=":material/monitor_heart:",
            query_params=link_parameters(**parameters),
        )


def _behind(before: Sequence[Ahead]) -> str:
    first, others = before[0], len(before) - 1
    if shared():  # other runs are not visible on shared pages
        return f"Queued behind {many(len(before), 'run')} on the same server."
    verb = "is being measured" if first.status == "running" else "comes first"
    more = f", then {many(others, 'more run')}" if others else ""
    return f"Queued: run {first.id}, “{first.name}”, {verb} on the same server{more}."


def _link(first: Ahead) -> None:
    """A link to the comparison or study that comes before, or to the run if it is part of
    neither."""
    if shared():
        return
    if first.comparison_id is not None:
        _link_to("Watch that comparison", "live.py", comparison=str(first.comparison_id))
    elif first.study_id is not None:
        _link_to("View that study", "study.py", study=str(first.study_id))
    else:
        _link_to("Watch that run", "live.py", run=str(first.id))


def _engine(engine_id: int, study_id: int | None) -> None:
    server = engines.load(opened(), engine_id)
    name = engine_name(server.config)
    waits = "to be started" if server.status == "planned" else "to be ready"
    st.progress(0.0, plain(server.phase or f"Waiting for {name} {waits}."))
    if study_id is not None:
        _link_to("View its study", "study.py", study=str(study_id))
    elif not shared():
        _link_to("View the engine", "engines.py")


def _link_to(label: str, page: str, **parameters: str) -> None:
    st.page_link(
        page,
        label=label,
        icon=":material/arrow_forward:",
        query_params=link_parameters(**parameters),
    )
