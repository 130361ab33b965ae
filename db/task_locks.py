"""The order in which tasks are locked. Of two transactions that each change several tasks, one
waits for the other; if they locked them in different orders, each could wait for the other."""

from __future__ import annotations

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from db.schema import tasks


def lock_in_order(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Lock the tasks for which all conditions hold, in the order of their ids. To be called before
    the first change of a transaction that changes more than one task and waits for locks. A SQLite
    file has one lock for everything, which the transaction already holds."""
    if connection.dialect.name == "sqlite":
        return
    locked = select(tasks.c.id).where(*which).order_by(tasks.c.id).with_for_update()
    connection.execute(select(func.count()).select_from(locked.subquery()))
