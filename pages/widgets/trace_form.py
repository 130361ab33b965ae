"""The trace in a run's form: a file, a sample, or the trace of an earlier run; and which part of
it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.widgets import fields
from pages.widgets.url_state import touched
from pages.widgets.view import plain, show_error
from services.ask.config import RunConfig
from services.ask.config.traces import TraceRow
from services.ask.plan import duration
from services.ask.workloads.lines import MAX_FILE_BYTES, InvalidFile
from services.ask.workloads.sample_traces import SAMPLES, sample
from services.ask.workloads.tracefile import ENDINGS, TraceFile, read_trace
from services.base.units import many

OWN, EARLIER = "File", "From the earlier run or scenario"
PART = ("trace_from_s", "trace_to_s")


def ask(start: RunConfig, *more: str) -> dict[str, Any]:
    """Ask for a trace and the part of it to replay; `more`: further fields to ask for. Return these
    fields of a RunConfig."""
    rows = _rows(start)
    return {"trace": rows, **fields.columns_of((*PART, *more), start, columns=3)}


def _rows(start: RunConfig) -> tuple[TraceRow, ...]:
    names = {f"Sample: {name}": name for name in SAMPLES}
    options = [*names, OWN, *([EARLIER] if start.trace else [])]
    first = EARLIER if start.trace else options[0]
    chosen: str = st.selectbox("Trace", options, **fields.keyed("trace-source", first))
    if chosen in names:
        return _described(sample(names[chosen]))
    if chosen == EARLIER and start.trace:
        return _described(TraceFile(start.trace, ""))
    return _uploaded()


def _uploaded() -> tuple[TraceRow, ...]:
    uploaded = st.file_uploader(
        "Trace file: Mooncake (JSONL), BurstGPT or Azure (CSV)",
        type=list(ENDINGS),
        key="trace-file",
        on_change=touched,
        max_upload_size=MAX_FILE_BYTES // 10**6,
    )
    if uploaded is None:
        return ()
    try:
        return _described(read_trace(uploaded.getvalue(), uploaded.name))
    except InvalidFile as error:
        show_error(error)
        return ()


def _described(file: TraceFile) -> tuple[TraceRow, ...]:
    """Describe a trace; return its rows."""
    mean_in = sum(row.input_tokens for row in file.rows) / len(file.rows)
    mean_out = sum(row.output_tokens for row in file.rows) / len(file.rows)
    what = (
        f"{many(len(file.rows), 'request')} in {duration(file.rows[-1].at_s)}, on average "
        f"{mean_in:,.0f} prompt tokens and {mean_out:,.0f} output tokens."
    )
    st.caption(plain(" ".join((what, *file.notes))))
    return file.rows
