"""Plain text for a terminal: aligned, truncated, and without control characters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest

from services.base.table import Table

LONGEST_NAME = 40  # characters of a run's or a model's name in a list


def plain(text: str) -> str:
    """Replace control characters: names and errors come from elsewhere and may hold any."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with columns padded to the widest cell."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = [titles, ["─" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def text_of(content: Table) -> str:
    """Return a table as text; cells may have several lines."""
    rows = [
        line
        for row in content.rows
        for line in zip_longest(*(cell.split("\n") for cell in row), fillvalue="")
    ]
    return table([content.title, *content.columns[1:]], rows)


def cut(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def minute(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
