"""One task: its prompt, its answer and its outcome."""

from __future__ import annotations

from typing import Any

import streamlit as st

from db import tasks
from db.database import opened
from db.tasks import TaskEnded, TaskNotFound
from pages.widgets import tabular, view
from pages.widgets.panels import when
from pages.widgets.view import load_or_stop, plain, sentences, show_error
from services.ask.tasks import OPEN, Task
from services.base.refresh import REFRESH
from services.base.units import many
from services.report import task_texts
from services.report.prompt_text import transcript

LONG, HIGH = 4_000, 500  # characters above which a text is scrolled, and its height in pixels
COLOURS: dict[str, Any] = {
    "queued": "gray",
    "running": "blue",
    "completed": "green",
    "failed": "red",
    "cancelled": "orange",
}


def load(task_id: str, caller: str | None) -> Task:
    """Return the task in the URL, or report what is wrong and stop."""
    return load_or_stop(lambda: tasks.load(opened(), task_id, caller))


def page(task_id: str, caller: str | None) -> None:
    """Show the page of one task."""
    task = load(task_id, caller)
    st.page_link(
        "batches.py",
        label="Its batch",
        icon=":material/arrow_back:",
        query_params={"batch": task.batch_id},
    )
    st.title(plain(task.custom_id or "Task"), anchor=False)
    if task.status in OPEN:
        st.fragment(_watch, run_every=REFRESH.seconds())(task_id, caller, task.status)
    else:
        _head(task)
    prompt = tasks.prompts(opened(), [task_id]).get(task_id, "")
    _text("Prompt", transcript(prompt))
    if task.status in OPEN:
        return
    if task.error:
        st.error(plain(task.error), icon=":material/error:")
    if task.result.answer:
        _text("Answer", task.result.answer)
    if task.result.tool_calls:
        _text("Tool calls", task_texts.calls(task))
    tabular.table(task_texts.facts(task))


def _text(title: str, text: str) -> None:
    st.subheader(title, anchor=False)
    st.code(text, language=None, wrap_lines=True, height=HIGH if len(text) > LONG else "content")


@sentences()
def _watch(task_id: str, caller: str | None, status: str) -> None:
    task = load(task_id, caller)
    if task.status != status:
        st.rerun()
    _head(task)
    st.button("Cancel", icon=":material/stop:", on_click=_cancel, args=(task_id, caller))


def _head(task: Task) -> None:
    """Show the task's status, server, caller and time."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.badge(task.status, color=COLOURS[task.status])
        mine = (who := view.person()) is not None and who.caller == task.caller
        facts = [
            task.server,
            task.result.model,
            None if mine else f"by {task.caller}",
            f"queued {when(task.created_at)}",
            f"ended {when(task.ended_at)}" if task.ended_at else None,
            f"started {many(task.asked, 'time')}" if task.asked > 1 else None,
        ]
        st.caption(plain(" · ".join(filter(None, facts))))


@sentences()
def _cancel(task_id: str, caller: str | None) -> None:
    try:
        tasks.cancel(opened(), task_id, caller)
    except TaskEnded:
        return  # it ended before the button was pressed
    except TaskNotFound as error:
        show_error(error)
