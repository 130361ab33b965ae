"""The baseline of a model or a tag: setting it, showing it, and comparing a run with it."""

from __future__ import annotations

import streamlit as st

from db import baselines
from db.baselines import BaselineNotFound
from db.database import opened
from pages.widgets.url_state import touched
from pages.widgets.view import badge, plain, show_error
from services.analysis.compare.baseline import Baseline, of_run
from services.analysis.compare.baseline_verdict import BASELINE, BaselineVerdict, sentence
from services.ask.measurement import Run
from services.base.errors import PacelineError


def badges(run_id: int) -> None:
    """Show badges with what a run is the baseline of."""
    pinned = of_run(run_id, baselines.list_all(opened()))
    if pinned:
        with st.container(horizontal=True, gap="xsmall"):
            for baseline in pinned:
                st.markdown(badge(f"baseline for {baseline.kind} {baseline.value}", "keep", "blue"))


def can_be(run: Run) -> bool:
    """Return whether a run can be a baseline."""
    return run.status == "done" and bool(_kinds(run))


def form(run: Run) -> None:
    """Ask whether to set a run as the baseline of its model or of a tag, or to remove it."""
    pinned = baselines.list_all(opened())
    st.caption("*History* compares later runs of the same workload with a baseline.")
    kind, value = st.selectbox(
        "Baseline for",
        _kinds(run),
        format_func=lambda it: " ".join(it),
        key=f"baseline-of-{run.id}",
    )
    now = next((p for p in pinned if (p.kind, p.value) == (kind, value)), None)
    _replaced(now, run.id)
    if now and now.run_id == run.id:
        pressed = st.button("Remove baseline", icon=":material/keep_off:", on_click=touched)
    else:
        pressed = st.button("Set as baseline", icon=":material/keep:", on_click=touched)
    if pressed:
        _change(kind, value, run.id, now)


def _kinds(run: Run) -> list[tuple[str, str]]:
    """The model and the tags of which a run can be the baseline."""
    return [("model", run.config.model)] * bool(run.config.model) + [("tag", t) for t in run.tags]


def _replaced(now: Baseline | None, run_id: int) -> None:
    if now and now.run_id != run_id:
        st.caption(f"The current baseline is run {now.run_id}; this run will replace it.")


def _change(kind: str, value: str, run_id: int, now: Baseline | None) -> None:
    try:
        if now and now.run_id == run_id:
            baselines.delete(opened(), now.kind, value)
        else:
            baselines.save(opened(), "tag" if kind == "tag" else "model", value, run_id)
    except BaselineNotFound:
        pass  # it was already removed
    except PacelineError as error:
        show_error(error)
        return
    st.rerun()


def against(run_id: int, verdict: BaselineVerdict | None) -> None:
    """Show how a run compares with its baseline, and a link to the comparison."""
    if verdict is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(sentence(verdict)), width="content")
        if verdict.word != BASELINE:
            st.page_link(
                "compare.py",
                label="Compare with baseline",
                icon=":material/compare_arrows:",
                query_params={"runs": f"{verdict.baseline_id},{run_id}"},
            )
