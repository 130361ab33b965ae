"""The lengths of prompts or answers: the mean, and the distribution if they vary."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from pages.widgets import fields
from services.ask import lengths
from services.ask.config import RunConfig

FIELDS = {
    "input": ("input_tokens", "input_distribution", "input_spread"),
    "output": ("max_tokens", "output_distribution", "output_spread"),
}
OF = {"input": lengths.of_prompts, "output": lengths.of_answers}
SAID = {"input": "Prompt", "output": "Answer"}


def ask(which: Literal["input", "output"], start: RunConfig) -> dict[str, Any]:
    """Ask for one of the distributions of lengths, and show its percentiles; the spread only if
    lengths differ."""
    mean, distribution, spread = FIELDS[which]
    with st.grid(3, min_column_width=fields.NARROW, vertical_alignment="bottom"):
        values: dict[str, Any] = {mean: fields.number(mean, start)}
        values[distribution] = fields.choice(distribution, start)
        values[spread] = getattr(start, spread)
        if values[distribution] != "fixed":
            values[spread] = fields.number(spread, start)
    _show_lengths(which, start, values)
    return values


def _show_lengths(
    which: Literal["input", "output"], start: RunConfig, values: dict[str, Any]
) -> None:
    wrong = any(fields.problem(RunConfig, name, value) for name, value in values.items())
    _, distribution, spread = FIELDS[which]
    if wrong or (values[distribution] in ("uniform", "normal") and values[spread] > 1):
        return
    drawn = start.model_copy(update={"workload": "synthetic", **values})  # not those of a file
    if sentence := OF[which](drawn).sentence:
        st.caption(f"{SAID[which]} lengths: {sentence}.")
