"""Finding runs: what History lists, without the weight of their configs and requests."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import ColumnElement, Connection, Engine, exists, func, or_, select

from db.schema import run_tags, runs
from services.measurement import RunStatus

CHOICES = {
    "backends": runs.c.backend,
    "models": runs.c.model,
    "modes": runs.c.mode,
    "tags": run_tags.c.tag,
}


class Filters(TypedDict, total=False):
    """What to narrow a search by; None or "" does not narrow it."""

    backend: str | None
    model: str | None
    mode: str | None
    tag: str | None
    status: RunStatus | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a line of History. `headline` is what `finish` was given, else empty."""

    id: int
    name: str
    status: RunStatus
    backend: str
    model: str
    mode: str
    created_at: datetime
    ended_at: datetime | None
    tags: tuple[str, ...]
    note: str
    error: str | None
    headline: dict[str, Any]


COLUMNS = tuple(runs.c[field.name] for field in fields(RunRow) if field.name != "tags")


def search(
    engine: Engine, text: str = "", *, limit: int = 100, offset: int = 0, **filters: Unpack[Filters]
) -> list[RunRow]:
    """Return the runs that match, newest first.

    `text` is looked for in name, note, model and tags, in any case and as it stands: `%` is a
    percent sign. Filters: `backend`, `model`, `mode`, `tag`, `status`, each exact.
    """
    found = select(*COLUMNS).where(*_conditions(text, filters))
    page = found.order_by(runs.c.id.desc()).limit(limit).offset(offset)
    with engine.connect() as connection:
        rows = connection.execute(page).mappings().all()
        tags = tags_of(connection, [row["id"] for row in rows])
    return [RunRow(**row, tags=tags.get(row["id"], ())) for row in rows]


def count(engine: Engine, text: str = "", **filters: Unpack[Filters]) -> int:
    """Return how many runs match, on all pages together; arguments as in `search`."""
    total = select(func.count()).select_from(runs).where(*_conditions(text, filters))
    with engine.connect() as connection:
        return connection.execute(total).scalar_one()


def choices(engine: Engine) -> dict[str, tuple[str, ...]]:
    """Return what the filters can be set to: `backends`, `models`, `modes`, `tags`, sorted."""
    with engine.connect() as connection:
        return {
            name: tuple(sorted(connection.scalars(select(column).where(column != "").distinct())))
            for name, column in CHOICES.items()
        }


def tags_of(connection: Connection, ids: list[int]) -> dict[int, tuple[str, ...]]:
    """Return the sorted tags of those runs that have any."""
    found: dict[int, list[str]] = {}
    for run_id, tag in connection.execute(select(run_tags).where(run_tags.c.run_id.in_(ids))):
        found.setdefault(run_id, []).append(tag)
    return {run_id: tuple(sorted(tags)) for run_id, tags in found.items()}


def _conditions(text: str, filters: Filters) -> list[ColumnElement[bool]]:
    found = [runs.c[name] == value for name, value in filters.items() if value and name != "tag"]
    if tag := filters.get("tag"):
        found.append(_has_tag(run_tags.c.tag == tag))
    if text := text.strip():
        texts = [runs.c.name, runs.c.note, runs.c.model]
        named = [column.icontains(text, autoescape=True) for column in texts]
        found.append(or_(*named, _has_tag(run_tags.c.tag.icontains(text, autoescape=True))))
    return found


def _has_tag(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(run_tags.c.run_id == runs.c.id, condition)
