"""Start a run: to whom, when, what. What will happen is said before it does.

The form's choices are in the URL, but for a person's own prompts (see services/link.py).
"""

from __future__ import annotations

import os
from typing import Any

import streamlit as st

import jobs
from db import counts, runs
from db.database import opened
from db.runs import InvalidEdit, RunNotFound
from pages.widgets import fields, form, linked
from pages.widgets.view import as_id, dark, plain
from services import link, modes, plan, prices
from services.backends import BackendProblem, target
from services.charts import schedule_spec
from services.config import InvalidConfig, RunConfig, parse
from services.once import Once

GUESSED_REQUEST_S = 1.0  # for the picture, where no run of this backend and model is stored


def earlier(like: str | None) -> tuple[RunConfig, tuple[str, ...]]:
    """Return the config that the form starts from: a stored run's (`?like=12`), or the default;
    and what is wrong with the link."""
    if like is None:
        return RunConfig(), ()
    run_id = as_id(like)
    if run_id is None:
        return RunConfig(), (f"“{like[:40]}” is not a run.",)
    try:
        return runs.load(opened(), run_id).config, ()
    except RunNotFound as error:
        return RunConfig(), (str(error),)


def foretell(config: RunConfig, pace: float | None) -> None:
    """Say what the run will do. `pace`: tokens/s of a request in earlier runs like it."""
    ahead = plan.plan(config, prices.price_of(config), pace)
    with st.container(horizontal=True):
        st.metric("Requests", f"{ahead.requests_total:,}")
        st.metric("Output tokens, at most", f"{ahead.tokens_at_most:,}")
    st.markdown(plain(ahead.sentence))


def picture(config: RunConfig, pace: float | None) -> None:
    """Draw when the requests will be sent."""
    each = config.max_tokens / pace if pace else GUESSED_REQUEST_S
    bars = modes.picture(modes.schedule(config), each)
    st.vega_lite_chart(
        schedule_spec(bars, dark=dark()), theme=None, width="stretch", key="plan",
        alt="When each request is sent",
    )  # fmt: skip
    st.caption(
        f"Drawn as if every answer took {plan.duration(each)}"
        + (", as earlier ones did." if pace else "; what it really takes is what the run finds.")
    )


def pressed(possible: bool) -> bool:
    """Whether Start was pressed. A double click is two presses and one run."""
    now = st.button(
        "Start", type="primary", icon=":material/play_arrow:", width="stretch",
        disabled=not possible, on_click=linked.touched,
    )  # fmt: skip
    if not now:
        st.session_state["start"] = Once()
    return now


def start(config: RunConfig, about: dict[str, Any]) -> None:
    """Queue the run and go to where it is watched."""
    once: Once = st.session_state.setdefault("start", Once())
    try:
        if not target(config, os.environ).model:
            st.error("No model is chosen, and the server lists none. Type a model's name.")
            return
        run_id = once.get(lambda: jobs.submit(opened(), config, **about))
    except (BackendProblem, InvalidEdit, jobs.QueueProblem) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.switch_page("live.py", query_params={"run": str(run_id)})


def checked(values: dict[str, Any]) -> RunConfig | None:
    """Return the run that the form asks for, or say what is wrong with it."""
    try:
        return parse(values)
    except InvalidConfig as error:
        for sentence in error.problems.values():
            st.error(plain(fields.in_words(sentence)), icon=":material/error:")
    return None


if (left_for := st.query_params.get("run")) is not None:
    linked.write({"like": left_for})  # the back button, after Start: see linked.py
touched = linked.follow(fields.PREFIX)
said = linked.parameters()
like = said.pop("like", None)
base, problems = earlier(like)
first, more = link.read(said, base)

st.title("Which backend is faster for your work?", anchor=False)
st.caption(
    "Measure one backend now; compare it with another afterwards. Every request is kept. "
    "The embedded model needs no key, no GPU and no network."
)
if not touched and (found := (*problems, *more)):
    wrong = " ".join(fields.in_words(sentence) for sentence in found)
    st.warning(plain(f"{wrong} The rest of the link is kept."), icon=":material/link_off:")
left, right = st.columns([3, 2], gap="large")
with left:
    values, about = form.ask(first, os.environ)
if touched:
    kept = {"like": like} if like and not problems else {}
    linked.write(kept | link.query(values, base))
with right:
    st.subheader("What will happen", anchor=False)
    config = checked(values)
    pace = counts.pace(opened(), config.backend, config.model) if config else None
    if config:
        foretell(config, pace)
    if pressed(config is not None) and config:
        start(config, about)
    if config:
        picture(config, pace)
