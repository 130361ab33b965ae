"""Signs of life of what somebody looks after: a run that is measured, an engine that is up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, Table, and_, or_, select

LONG_LOST_S = 60.0  # on another machine, whose supervisor may have lost the database for a while


class Beat(NamedTuple):
    """The last sign of life of a row: where and when, by that database's or machine's clock."""

    id: int
    machine: str | None
    at: datetime | None


def beats_of(database: Engine, table: Table, alive: ColumnElement[bool]) -> list[Beat]:
    """Return the last sign of life of each row that is `alive`."""
    found = select(table.c.id, table.c.machine, table.c.heartbeat_at).where(alive)
    with database.connect() as connection:
        return [Beat(*row) for row in connection.execute(found.order_by(table.c.id))]


def unchanged(table: Table, beats: Sequence[Beat]) -> ColumnElement[bool]:
    """Whether a row has given no sign of life since one of `beats`."""
    same = [and_(table.c.id == beat.id, table.c.heartbeat_at == beat.at) for beat in beats]
    return or_(*same)
