"""Saved filters of History."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, func, insert, select
from sqlalchemy import delete as delete_from

from db import schema
from db.database import writing
from services.base.errors import Invalid
from services.base.surrogates import clean

MOST = 50  # saved filters
LONGEST_NAME = 40

table = schema.filters


class InvalidFilter(Invalid):
    """The filter cannot be saved; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A name and the parameters of History's URL."""

    name: str
    parameters: Mapping[str, str]


def save(database: Engine, name: str, parameters: Mapping[str, str]) -> None:
    """Save a filter, replacing one with the same name.

    Raises:
        InvalidFilter: the name is empty or too long, the filter narrows nothing, or there are
            already `MOST` others.
    """
    name = clean(name.strip())
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidFilter(f"A filter needs a name of at most {LONGEST_NAME} characters.")
    if not parameters:
        raise InvalidFilter("There is no filter to save. Search or choose a filter first.")
    texts = {key: clean(value) for key, value in parameters.items()}
    row = {"name": name, "parameters": texts, "saved_at": datetime.now(UTC)}
    with writing(database) as connection:
        connection.execute(delete_from(table).where(table.c.name == name))
        if (connection.scalar(select(func.count()).select_from(table)) or 0) >= MOST:
            raise InvalidFilter(f"There are {MOST} saved filters. Delete one first.")
        connection.execute(insert(table).values(row))


def list_all(database: Engine) -> list[SavedFilter]:
    """Return the saved filters, sorted by name."""
    with database.connect() as connection:
        rows = connection.execute(select(table).order_by(table.c.name)).all()
    return [SavedFilter(row.name, row.parameters) for row in rows]


def delete(database: Engine, name: str) -> None:
    """Delete a saved filter, if it exists."""
    with writing(database) as connection:
        connection.execute(delete_from(table).where(table.c.name == name))
