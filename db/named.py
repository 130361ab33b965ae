"""Rows that are saved under a name: servers and filters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Table, func, insert, select
from sqlalchemy import delete as delete_from

from db.database import writing
from services.base.errors import Conflict, Invalid


class NameTaken(Conflict):
    """Something else is saved under this name."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is already a saved {what} “{name}”.")


def save(
    database: Engine, table: Table, row: Mapping[str, Any], *, what: str, most: int, replace: bool
) -> None:
    """Save a row under its name. `replace`: replace the one with this name, if there is one.

    Raises:
        NameTaken: there is one, and `replace` is False.
        Invalid: there are already `most` others.
    """
    same = table.c.name == row["name"]
    with writing(database) as connection:
        if not replace and connection.scalar(select(table.c.name).where(same)) is not None:
            raise NameTaken(what, row["name"])
        connection.execute(delete_from(table).where(same))
        if (connection.scalar(select(func.count()).select_from(table)) or 0) >= most:
            raise Invalid(f"There are {most} saved {what}s. Delete one first.")
        connection.execute(insert(table).values({**row, "saved_at": datetime.now(UTC)}))
