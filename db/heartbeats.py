"""Heartbeats of what a supervisor supervises: runs being measured, and running engines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, Table, and_, or_, select

LONG_LOST_S = 60.0  # on another machine, whose supervisor may be without the database for a while


class Heartbeat(NamedTuple):
    """The last heartbeat of a row: where and when it was sent, by the clock of the database or of
    that machine."""

    id: int
    machine: str | None
    at: datetime | None


def heartbeats_of(database: Engine, table: Table, alive: ColumnElement[bool]) -> list[Heartbeat]:
    """Return the last heartbeat of each row that is `alive`."""
    query = select(table.c.id, table.c.machine, table.c.heartbeat_at).where(alive)
    with database.connect() as connection:
        return [Heartbeat(*row) for row in connection.execute(query.order_by(table.c.id))]


def unchanged(table: Table, heartbeats: Sequence[Heartbeat]) -> ColumnElement[bool]:
    """Whether a row has had no heartbeat since one of `heartbeats`."""
    same = [and_(table.c.id == beat.id, table.c.heartbeat_at == beat.at) for beat in heartbeats]
    return or_(*same)
