"""One batch: its progress, its answers as files, and its tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pandas as pd
import streamlit as st

from db import task_batches, tasks
from db.database import opened
from db.tasks import TaskFilter
from pages.widgets import copyable, url_state
from pages.widgets.batch_list import PREFIX, facts
from pages.widgets.view import load_or_stop, plain, sentences, show_error
from services.ask.tasks import STATUSES, TaskBatch, TaskStatus
from services.base.errors import PacelineError
from services.base.refresh import REFRESH
from services.report import task_texts

PAGE = 50
ALL = "all"
TABLE, CHOSEN = "tasks-table", "task-chosen"  # keys: the list, and the task to open
FILES = {"OpenAI batch output (JSONL)": "jsonl", "Prompts and answers (CSV)": "csv"}
WIDTHS: dict[str, Literal["small", "medium", "large"]] = {
    "Custom ID": "small",
    "Status": "small",
    "Prompt": "medium",
    "Answer": "large",
}
TIMES = ("TTFT (s)", "E2E latency (s)")


def load(batch_id: str, caller: str | None) -> TaskBatch:
    """Return the batch in the URL, or report what is wrong and stop."""
    return load_or_stop(lambda: task_batches.load(opened(), batch_id, caller))


def page(batch_id: str, caller: str | None) -> None:
    """Show the page of one batch."""
    batch = load(batch_id, caller)
    _back()
    st.title(plain(task_texts.name(batch)), anchor=False)
    st.caption(plain(facts(batch)))
    every_s = None if batch.ended else REFRESH.seconds()
    st.fragment(_progress, run_every=every_s)(batch_id, caller, batch.ended)
    with st.container(horizontal=True):
        if not batch.ended:
            st.button("Cancel", icon=":material/stop:", on_click=_cancel, args=(batch, caller))
        _files(batch)
    st.subheader("Tasks", anchor="tasks")
    task_filter = _filters(batch_id, caller)
    pages = _pages(task_filter)
    number = url_state.page_of(PREFIX, pages)
    st.fragment(_table, run_every=every_s)(task_filter, number, pages)
    if pages > 1:
        st.pagination(pages, **url_state.keyed(PREFIX + "page", 1))
    chosen = {"status": task_filter.status or "", "text": task_filter.text}
    chosen["page"] = str(number) if number > 1 else ""
    url_state.update({"batch": batch_id} | {name: text for name, text in chosen.items() if text})


def _back() -> None:
    st.page_link("batches.py", label="All tasks", icon=":material/arrow_back:", query_params={})


@sentences()
def _progress(batch_id: str, caller: str | None, ended: bool) -> None:
    """Show the progress of a batch."""
    batch = load(batch_id, caller)
    if batch.ended != ended:
        st.rerun()
    with st.grid(len(STATUSES), min_column_width=110):
        for status in STATUSES:
            st.metric(status.capitalize(), f"{batch.counts.get(status, 0):,}", border=True)
    if not ended:
        st.progress(task_texts.share(batch))


@sentences()
def _cancel(batch: TaskBatch, caller: str | None) -> None:
    try:
        task_batches.cancel(opened(), batch.batch_id, caller)
    except PacelineError as error:  # it was deleted before the button was pressed
        show_error(error)


def _files(batch: TaskBatch) -> None:
    """Show links to files with the answers so far. The API sends them while it writes them; a
    download button would keep 10,000 answers in memory."""
    with st.popover("Download", icon=":material/download:"):
        for label, ending in FILES.items():
            st.link_button(
                label,
                f"/api/inference/batch/{batch.batch_id}/output.{ending}",
                icon=":material/download:",
                type="tertiary",
            )
        st.caption("Tasks that have ended, in order. Both files contain answers.")
        st.caption("Its ID, for the API and `paceline batch`:")
        copyable.show(batch.batch_id, "batch")


def _filter_changed() -> None:
    """Callback of the filters: return to the first page of the list."""
    url_state.touched()
    st.session_state[PREFIX + "page"] = 1


def _filters(batch_id: str, caller: str | None) -> TaskFilter:
    """Ask which tasks to show, by status and text."""
    parameters = url_state.parameters()
    requested = parameters.get("status", ALL)
    with st.grid(2, min_column_width=220, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            type="search",
            live=True,
            placeholder="prompt or custom ID",
            **url_state.keyed(PREFIX + "text", parameters.get("text", ""), _filter_changed),
        )
        status: TaskStatus | str = st.selectbox(
            "Status",
            [ALL, *STATUSES],
            format_func=str.capitalize,
            **url_state.keyed(
                PREFIX + "status", requested if requested in STATUSES else ALL, _filter_changed
            ),
        )
    if requested not in (ALL, *STATUSES):
        st.warning(plain(f"No task has the status “{requested[:40]}”; showing all."))
    chosen = next((each for each in STATUSES if each == status), None)
    return TaskFilter(batch_id, chosen, caller, text=text)


def _pages(wanted: TaskFilter) -> int:
    return max(1, -(-tasks.count(opened(), wanted) // PAGE))


@sentences()
def _table(wanted: TaskFilter, number: int, pages: int) -> None:
    """Show one page of tasks. Selecting a row opens its task."""
    if task_id := st.session_state.pop(CHOSEN, None):
        st.switch_page("batches.py", query_params={"task": task_id})
    if _pages(wanted) != pages:
        st.rerun()
    part = replace(wanted, limit=PAGE, offset=(number - 1) * PAGE)
    listed = tasks.find(opened(), part)
    if not listed:
        st.info("No task matches. Remove a filter.")
        return
    prompts = tasks.prompts(opened(), [task.task_id for task in listed])
    rows = pd.DataFrame([task_texts.row(task, prompts.get(task.task_id, "")) for task in listed])
    st.caption("Select a row to open its task.")
    st.dataframe(
        rows.dropna(axis="columns", how="all"),
        hide_index=True,
        width="stretch",
        placeholder="–",
        alt="Tasks",
        key=TABLE,
        on_select=lambda: _selected([task.task_id for task in listed]),
        selection_mode="single-row",
        column_config={
            **{name: st.column_config.Column(width=WIDTHS[name]) for name in WIDTHS},
            **{name: st.column_config.NumberColumn(format="%.3f") for name in TIMES},
        },
    )


def _selected(task_ids: list[str]) -> None:
    """Callback of the table: open the selected row's task. The table may have become shorter in the
    meantime."""
    rows = st.session_state[TABLE]["selection"]["rows"]
    if rows and rows[0] < len(task_ids):
        st.session_state[CHOSEN] = task_ids[rows[0]]
