"""The reference of a model or a tag: pinned, shown, and what a run is against it."""

from __future__ import annotations

import streamlit as st

from db import pins
from db.database import opened
from db.pins import InvalidPin, NotPinned
from db.runs import RunNotFound
from pages.widgets.url_state import touched
from pages.widgets.view import badge, plain
from services.analysis.compare.baseline import Baseline, of_run
from services.analysis.compare.baseline_verdict import BASELINE, BaselineVerdict, sentence
from services.ask.measurement import Run


def badges(run_id: int) -> None:
    """Say what a run is the reference of."""
    pinned = of_run(run_id, pins.pins(opened()))
    if pinned:
        with st.container(horizontal=True, gap="xsmall"):
            for baseline in pinned:
                st.markdown(badge(f"reference of {baseline.kind} {baseline.value}", "keep", "blue"))


def button(run: Run) -> None:
    """A popover that pins a run as the reference of its model or of a tag, and unpins it."""
    if run.status != "done":
        return
    has = [("model", run.config.model)] * bool(run.config.model) + [("tag", t) for t in run.tags]
    if not has:
        return
    pinned = pins.pins(opened())
    label = "Reference" if of_run(run.id, pinned) else "Pin as reference"
    with st.popover(label, icon=":material/keep:"):
        st.caption("Later runs of the same work are held against it, in the history.")
        kind, value = st.selectbox(
            "Of", has, format_func=lambda it: " ".join(it), key=f"pin-of-{run.id}"
        )
        now = next((p for p in pinned if (p.kind, p.value) == (kind, value)), None)
        _said(now, run.id)
        if now and now.run_id == run.id:
            pressed = st.button("Unpin", icon=":material/keep_off:", on_click=touched)
        else:
            pressed = st.button("Pin", type="primary", icon=":material/keep:", on_click=touched)
        if pressed:
            _change(kind, value, run.id, now)


def _said(now: Baseline | None, run_id: int) -> None:
    if now and now.run_id != run_id:
        st.caption(f"Now it is run {now.run_id}; pinning this one takes its place.")


def _change(kind: str, value: str, run_id: int, now: Baseline | None) -> None:
    try:
        if now and now.run_id == run_id:
            pins.unpin(opened(), now.kind, value)
        else:
            pins.pin(opened(), "tag" if kind == "tag" else "model", value, run_id)
    except (InvalidPin, RunNotFound) as error:
        st.error(plain(str(error)))
        return
    except NotPinned:
        pass  # somebody else has taken it away
    st.rerun()


def against(run_id: int, verdict: BaselineVerdict | None) -> None:
    """What there is to say of a run against its reference, and the way to see more."""
    if verdict is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(sentence(verdict)), width="content")
        if verdict.word != BASELINE:
            st.page_link(
                "compare.py",
                label="Compare with the reference",
                icon=":material/compare_arrows:",
                query_params={"runs": f"{verdict.baseline_id},{run_id}"},
            )
