"""The sessions in aiperf's records: rows with the same `session_num`, numbered by `turn_index`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.report.imports import fields

Row = Mapping[str, Any]


def by_session(rows: Sequence[Row]) -> tuple[list[Row], list[int]]:
    """Return requests in the order they were sent as sessions in the order they began, and how many
    turns each has; unchanged and without turns if there are no sessions, or one of them is not
    there from its first turn on."""
    sessions: dict[int, list[Row]] = {}
    for row in rows:
        number = fields.count(fields.inside(row, "metadata", "session_num"))
        turn = fields.count(fields.inside(row, "metadata", "turn_index"))
        if number is None or turn != len(sessions.get(number, ())):
            return list(rows), []
        sessions.setdefault(number, []).append(row)
    return [row for turns in sessions.values() for row in turns], list(map(len, sessions.values()))
