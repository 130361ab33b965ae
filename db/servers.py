"""Saved servers: servers saved under a name, to be used by that name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy import delete as delete_from

from db import named, schema
from db.database import writing
from services.ask import saved_server
from services.ask.backends import BACKENDS, BackendProblem
from services.ask.saved_server import MOST, SavedServer
from services.base.errors import NotFound
from services.base.units import listed

table = schema.servers


class ServerNotFound(NotFound):
    """No server is saved under this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No server is saved as {name[:50]!r}.")


def save(database: Engine, server: SavedServer, *, replace: bool = True) -> None:
    """Save a server. `replace`: replace the one with this name, if there is one.

    Raises:
        NameTaken, Invalid: as in `named.save`.
    """
    row = {"name": server.name, "fields": dict(server.fields)}
    named.save(database, table, row, what="server", most=MOST, replace=replace)


def list_all(database: Engine) -> dict[str, SavedServer]:
    """Return the saved servers by name, sorted by name."""
    with database.connect() as connection:
        rows = connection.execute(select(table).order_by(table.c.name)).mappings().all()
    return {row["name"]: SavedServer(row["name"], row["fields"]) for row in rows}


def delete(database: Engine, name: str) -> None:
    """Delete a saved server; runs that used it do not change. Raises ServerNotFound."""
    with writing(database) as connection:
        if not connection.execute(delete_from(table).where(table.c.name == name)).rowcount:
            raise ServerNotFound(name)


def expand(database: Engine, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's values; if `backend` names a saved server, with that server's fields.

    Raises:
        BackendProblem: it names neither a backend nor a saved server.
    """
    name = values.get("backend")
    if not isinstance(name, str) or name in BACKENDS:
        return dict(values)
    servers = list_all(database)
    if name not in servers:
        raise BackendProblem(_unknown(name, [*BACKENDS, *servers]))
    return saved_server.expand(values, servers[name])


def _unknown(name: str, known: Sequence[str]) -> str:
    return f"There is no backend {name[:80]!r}. Choose one of {listed(known)}."
