"""One request, in a panel: opened by clicking its bar or line, or by its number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from db import results, runs
from db.database import opened
from db.runs import RunNotFound
from pages.widgets import tabular
from pages.widgets.view import plain, sentences, shared, show_error
from services.analysis.compare import Candidate
from services.ask.measurement import Measurement
from services.report import prompt_text, request_facts
from services.report.charts.picking import mark_of

ASKED, SHOWN = "request-asked", "request-shown"  # keys: the request to open, and the open one
UNKNOWN = "Unknown: an answer in its history was not stored."
OPENINGS = "request-openings"  # how many were opened


def key(name: str) -> str:
    """Return the key of a chart whose marks open requests. It changes after each opening, so that
    the same mark can be clicked again."""
    return f"{name}-{st.session_state.get(OPENINGS, 0)}"


def clicked(chart: str, field: str) -> Callable[[], None]:
    """Return the callback of the chart with this key, which opens the clicked mark's request."""

    def open_request() -> None:
        number = mark_of(st.session_state[chart]["selection"], field)
        if number is not None:
            ask(number)

    return open_request


def ask(number: int) -> None:
    """Make the next `show` open the request with this number."""
    st.session_state[ASKED] = number
    st.session_state[OPENINGS] = st.session_state.get(OPENINGS, 0) + 1


def show(run_id: int) -> None:
    """Open the request that was chosen, if any."""
    number = st.session_state.pop(ASKED, None)
    if number is not None:
        st.session_state[SHOWN] = number
        _dialog(run_id)


@st.dialog("Request", width="medium", position="right", icon=":material/stylus_note:")
@sentences()
def _dialog(run_id: int) -> None:
    """Its arguments are kept while it is open, so it takes the run's id, not its requests."""
    try:
        candidate = results.candidate(opened(), run_id)
    except RunNotFound as error:  # it was deleted while the request was open
        show_error(error)
        return
    number = st.session_state[SHOWN]
    m = request_facts.request_by_number(candidate, number)
    if m is None:
        st.warning(f"Run {run_id} has no request {number}.")
        return
    _turn(candidate, number)
    several = len(candidate.summary.repeats) > 1
    st.subheader(
        f"Request {number}" + (f" (repeat {m.repeat + 1})" if several else ""), anchor=False
    )
    if where := prompt_text.turn_of(candidate.run.config, m.index):
        st.caption(f"Turn {where['turn']} of session {where['session']}")
    (st.error if m.status == "failed" else st.markdown)(plain(request_facts.outcome(m)))
    tabular.table(request_facts.metrics(candidate, m))
    tabular.table(request_facts.ttft_parts(m))
    tabular.table(request_facts.events(m))
    if not shared() and candidate.run.source is None:
        _texts(candidate, m)


def _turn(candidate: Candidate, number: int) -> None:
    """Show buttons for the previous and the next request."""
    with st.container(horizontal=True):
        for label, icon, target_number in (
            ("Previous", "chevron_left", number - 1),
            ("Next", "chevron_right", number + 1),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"request-{label}",
                disabled=request_facts.request_by_number(candidate, target_number) is None,
                on_click=st.session_state.__setitem__,
                args=(SHOWN, target_number),
            )


def _texts(candidate: Candidate, m: Measurement) -> None:
    """Show the prompt and the answer; shared pages do not."""
    nonce = candidate.run.environment.get("prompt_mark", "")
    answer_of = partial(runs.answer, opened(), candidate.run.id, m.repeat)
    prompt = prompt_text.text_sent(candidate.run.config, m.repeat, m.index, nonce, answer_of)
    where = f"{m.repeat}-{m.index}"
    st.text_area("Prompt", prompt or UNKNOWN, disabled=True, key=f"request-prompt-{where}")
    st.text_area(
        "Answer", answer_of(m.index) or "", disabled=True, height=200, key=f"request-answer-{where}"
    )
