"""Start a run: to whom, when, what. What will happen is said before it does."""

from __future__ import annotations

import os
from typing import Any

import streamlit as st

import jobs
from db import counts, runs
from db.database import opened
from db.runs import InvalidEdit, RunNotFound
from pages.widgets import form
from pages.widgets.view import dark, plain
from services import modes, plan, prices
from services.backends import BackendProblem
from services.charts import schedule_spec
from services.config import InvalidConfig, RunConfig, parse

GUESSED_REQUEST_S = 1.0  # for the picture, where no run of this backend and model is stored


def again() -> RunConfig:
    """Return the config that the form starts from: a stored run's (`?like=12`), or the default."""
    like = st.query_params.get("like", "")
    if not like.isdecimal():
        return RunConfig()
    try:
        return runs.load(opened(), int(like)).config
    except RunNotFound as error:
        st.warning(str(error))
        return RunConfig()


def foretell(config: RunConfig) -> None:
    """Say and draw what the run will do."""
    known = counts.pace(opened(), config.backend, config.model)
    price = prices.price(config.backend, config.model)
    ahead = plan.plan(config, price, known)
    st.subheader("What will happen")
    with st.container(horizontal=True):
        st.metric("Requests", f"{ahead.requests_total:,}")
        st.metric("Output tokens, at most", f"{ahead.tokens_at_most:,}")
    st.write(plain(ahead.sentence))
    each = config.max_tokens / known if known else GUESSED_REQUEST_S
    bars = modes.picture(modes.schedule(config), each)
    st.vega_lite_chart(schedule_spec(bars, dark=dark()), theme=None, width="stretch", key="plan")
    st.caption(
        f"{modes.MODES[config.mode].help} Drawn as if every answer took {each:.2g} s"
        + ("." if known else "; what it really takes is what the run finds out.")
    )


def start(config: RunConfig, about: dict[str, Any]) -> None:
    """Queue the run and go to where it is watched."""
    try:
        run_id = jobs.submit(opened(), config, **about)
    except (BackendProblem, InvalidEdit) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.switch_page("live.py", query_params={"run": str(run_id)})


st.title("Which backend is faster for your work?")
st.caption(
    "Measure one backend now; compare it with another afterwards. Every request is kept. "
    "The embedded model needs no key, no GPU and no network."
)
left, right = st.columns([3, 2], gap="large")
with left:
    values, about = form.ask(again(), os.environ)
with right:
    try:
        config = parse(values)
    except InvalidConfig as error:
        for sentence in error.problems.values():
            st.error(plain(form.in_words(sentence)), icon=":material/error:")
    else:
        foretell(config)
        if st.button("Start", type="primary", icon=":material/play_arrow:", width="stretch"):
            start(config, about)
