"""Saved filters of History."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy import delete as delete_from

from db import named, schema
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


def save(
    database: Engine, name: str, parameters: Mapping[str, str], *, replace: bool = False
) -> None:
    """Save a filter. `replace`: replace the one with this name, if there is one.

    Raises:
        InvalidFilter: the name is empty or too long, or the filter narrows nothing.
        NameTaken, Invalid: as in `named.save`.
    """
    name = clean(name.strip())
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidFilter(f"A filter needs a name of at most {LONGEST_NAME} characters.")
    if not parameters:
        raise InvalidFilter("There is no filter to save. Search or choose a filter first.")
    texts = {key: clean(value) for key, value in parameters.items()}
    row = {"name": name, "parameters": texts}
    named.save(database, table, row, what="filter", most=MOST, replace=replace)


def list_all(database: Engine) -> list[SavedFilter]:
    """Return the saved filters, sorted by name."""
    with database.connect() as connection:
        rows = connection.execute(select(table).order_by(table.c.name)).all()
    return [SavedFilter(row.name, row.parameters) for row in rows]


def delete(database: Engine, name: str) -> None:
    """Delete a saved filter, if it exists."""
    with writing(database) as connection:
        connection.execute(delete_from(table).where(table.c.name == name))
