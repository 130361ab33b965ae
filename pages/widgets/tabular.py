"""Tables that results and comparisons share; their texts come from services/report."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from pages.widgets.view import plain, prose
from services.analysis.compare import Candidate
from services.analysis.compare.candidate import labels_of
from services.analysis.metrics import METRICS, request_row
from services.ask.measurement import Measurement
from services.ask.measurements import Measurements
from services.ask.workloads import classes, classifier
from services.base.table import NUMBER, SHORT, Table
from services.base.units import many, on_one_line
from services.report import request_facts, run_facts
from services.report.prompt_text import text_sent, turn_of
from services.report.theme import request_number, request_numbers

FIRST = (
    "status",
    "ttft_s",
    "e2e_s",
    "tokens_per_s",
    "output_tokens",
)  # what a phone shows without scrolling
SHORT_S = 0.001
PAGE = 1_000  # requests of a large run on one page
_NOT_IN_KEYS = re.compile(r"[^a-z0-9]+")


def table(data: Table, question: str = "", key: str = "", links: Sequence[str] = ()) -> None:
    """Show a table of text, below the question that it answers. `links`: the address that the name
    or number of each row leads to."""
    if not data.rows:
        return
    if question:
        st.subheader(plain(question), anchor=data.title.lower().replace(" ", "-"))
    names = [cell(first, breaks=True) for first, *_ in data.rows]
    if links:
        names = [f"[{name}]({link})" for name, link in zip(names, links, strict=True)]
    rows = [[name, *map(cell, rest)] for name, (_, *rest) in zip(names, data.rows, strict=True)]
    numbered = all(first.isdecimal() for first, *_ in data.rows)
    show_rows(f"{data.title} {key}", rows, data, numbered)
    if data.note:
        st.caption(prose(data.note))


def show_rows(
    name: str, rows: Sequence[Sequence[str]], data: Table, numbered: bool = False
) -> None:
    """Show `rows` of markdown, of the same texts as a table's, below its columns. If it is wide, a
    row takes several lines on a phone, with the name of its column above each cell unless there is
    only one; they are below its name or, if it is `numbered`, beside its number. `name` is unique
    on the page."""
    if not data.is_wide:
        _draw(rows, data)
        return
    key = f"folded-{'numbered-' * numbered}{_NOT_IN_KEYS.sub('-', name.strip().lower())}"
    with st.container(key=key):
        st.html(_style_of_folded(f".st-key-{key}", data, f"{NUMBER}px " * numbered))
        _draw(rows, data)


def _style_of_folded(table: str, data: Table, number: str) -> str:
    """Return the style of a folded table: how many cells are in a line, and their columns' names,
    every character of which is escaped, since some are what people wrote. Empty cells are left
    out."""
    several = len(data.columns) > 2
    cells = f"repeat({data.cells_in_line if several else 1}, minmax(0, 1fr))"
    lines = f"{table} tr {{ grid-template-columns: {number}{cells} }}"
    names = [
        f'{table} td:nth-child({number})::before {{ content: "{_escaped(column)}" }}'
        for number, column in enumerate(data.columns[1:] if several else (), 2)
    ]
    empty = [
        f"{table} tbody tr:nth-child({row}) td:nth-child({column}) {{ display: none }}"
        for row, texts in enumerate(data.rows, 1)
        for column, text in enumerate(texts, 1)
        if column > 1 and not text
    ]
    return f"<style>@media (max-width: 640px) {{{''.join([lines, *names, *empty])}}}</style>"


def _escaped(text: str) -> str:
    return "".join(f"\\{ord(character):06x}" for character in text)


def _draw(rows: Sequence[Sequence[str]], data: Table) -> None:
    columns = [plain(column) or " " for column in data.columns]
    st.table(
        pd.DataFrame(rows, columns=columns), border="horizontal", hide_index=True, alt=data.title
    )


def cell(text: str, breaks: bool = False) -> str:
    """Return a cell's text, its lines one below the other; short lines are not broken, except a
    row's name, which `breaks` so that the numbers beside it fit on a phone."""
    whole = 0 if breaks else SHORT
    lines = (on_one_line(line) if len(line) < whole else line for line in text.split("\n"))
    return "  \n".join(map(plain, lines))


def request_table(candidate: Candidate, key: str, open_request: Callable[[int], None]) -> None:
    """Show a row for every request, numbered from 1 as in the charts. Times are in seconds; columns
    without values are left out. Selecting a row opens its request."""
    st.subheader("Every request", anchor="requests")
    st.caption(f"{many(len(candidate.table), 'request')}. Select a row to open its request.")
    shown = _page(candidate.table)
    rows = pd.DataFrame(_rows(candidate, shown))
    numbers = list(map(int, rows["request"]))

    def selected() -> None:
        chosen = st.session_state[key]["selection"]["rows"]
        if chosen:
            open_request(numbers[chosen[0]])

    st.dataframe(
        rows.dropna(axis="columns", how="all"),
        hide_index=True,
        width="stretch",
        height=height_of(len(rows)),
        placeholder="–",
        alt="Every request",
        key=key,
        on_select=selected,
        selection_mode="single-row",
        column_config={name: _column(name, rows[name]) for name in rows.columns},
    )


def height_of(rows: int) -> int:
    """Return the height in pixels of a scrolling table of rows: whole rows, at most 12."""
    return 35 * min(rows, 12) + 38


def _column(name: str, values: pd.Series) -> Any:
    """A column of the requests: times and rates with as many decimals in each row; microseconds
    where times are that short."""
    if name.endswith("_per_s"):
        return st.column_config.NumberColumn(_head(name), format="%.2f")
    if name.endswith("_s"):
        short = pd.to_numeric(values).between(0, SHORT_S, inclusive="neither").any()
        return st.column_config.NumberColumn(_head(name), format="%.6f" if short else "%.4f")
    return st.column_config.Column(_head(name))


def _page(table: Measurements) -> Sequence[Measurement]:
    """Return the requests to show: all, or the chosen page of a large run."""
    if table.complete:
        return table
    pages = -(-len(table) // PAGE)
    number = st.number_input("Page", 1, pages, key="requests-page", width=160)
    first, last = (number - 1) * PAGE + 1, min(number * PAGE, len(table))
    st.caption(
        f"Page {number:,} of {pages:,}: {first:,} to {last:,} of {len(table):,} requests in the "
        "order of their numbers. *Requests (CSV)* has them all."
    )
    return table[first - 1 : last]


def _rows(candidate: Candidate, shown: Sequence[Measurement]) -> list[dict[str, Any]]:
    config = candidate.run.config
    names, class_of = classes(config), classifier(config)
    in_sessions = bool(turn_of(config, 0))
    return [
        {"request": request_number(candidate, m), **dict.fromkeys(FIRST)}
        | (turn_of(config, m.index) if in_sessions else {})
        | {name: value for name, value in request_row(m).items() if name != "index"}
        | {"repeat": m.repeat + 1}
        | ({"class": class_of(m.index)} if names and not in_sessions else {})
        for m in shown
    ]


def _head(name: str) -> str:
    """The title of a column of the requests: "TTFT (s)"."""
    known = next((entry for entry in METRICS if entry.name == name), None)
    unit = " (s)" if name.endswith("_s") and not name.endswith("per_s") else ""
    words = known.label if known else name.removesuffix("_s").replace("_", " ").capitalize()
    return words.replace("Http", "HTTP") + unit


def setup_expander(candidates: Sequence[Candidate]) -> None:
    """The same as `setup`, collapsed."""
    with st.expander("Config and environment", icon=":material/settings:"):
        setup(candidates)


def setup(candidates: Sequence[Candidate]) -> None:
    """Show the config and the environment; custom prompts only by their length."""
    labels = labels_of(candidates)
    for of in (run_facts.configuration, run_facts.environment):
        facts = of(candidates, labels)
        if facts.rows:
            table(facts, facts.title)


def answers(candidate: Candidate, load: Callable[[int, int], str | None]) -> None:
    """Show one request's prompt and answer; shared pages do not."""
    with st.expander("Prompts and answers", icon=":material/chat:"):
        st.caption(
            "Stored only in the database. Never in downloads; in share links only if you include "
            "them."
        )
        chosen = _request_input(candidate)
        mark = candidate.run.environment.get("prompt_mark", "")
        if chosen:
            repeat, index = chosen
            prompt = text_sent(candidate.run.config, repeat, index, mark, partial(load, repeat))
            st.text_area("Prompt", prompt or "", disabled=True)
            st.text_area("Answer", load(*chosen) or "", disabled=True, height=200)


def _request_input(candidate: Candidate) -> tuple[int, int] | None:
    """The repeat and the index of the chosen request."""
    if not candidate.table.complete:
        numbers = request_numbers(candidate)
        low, high = int(numbers.min()), int(numbers.max())
        number = st.number_input("Request number", low, high, key="answer-of", width=200)
        m = request_facts.request_by_number(candidate, number)
        return None if m is None else (m.repeat, m.index)
    keys = [(m.repeat, m.index) for m in candidate.measurements]
    return st.selectbox(
        "Request", keys, format_func=lambda key: f"repeat {key[0] + 1}, request {key[1] + 1}"
    )
