"""Finding runs: what History lists, without loading their configs and requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    exists,
    func,
    or_,
    select,
)

from db.schema import comparisons, run_tags, runs
from services.analysis.compare.findings import FAMILY
from services.analysis.compare.served import FACTS
from services.ask.measurement import RunStatus

MAX_TREND_RUNS = 500  # runs
KEPT = (
    "by_repeat",
    "work",
    "waiting",
    "error_rate",
    "via",
    *FAMILY,
)  # of the headline, for the trend
CHOICES = {
    "backends": runs.c.backend,
    "models": runs.c.model,
    "modes": runs.c.mode,
    "tags": run_tags.c.tag,
}


class Filters(TypedDict, total=False):
    """What a search is narrowed by; None or "" does not narrow it."""

    backend: str | None
    model: str | None
    mode: str | None
    tag: str | None
    status: RunStatus | None


FILTERS = tuple(Filters.__annotations__)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a row of History. `headline` is what `finish` stored, else empty."""

    id: int
    name: str
    status: RunStatus
    backend: str
    model: str
    mode: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    tags: tuple[str, ...]
    note: str
    error: str | None
    comparison_id: int | None
    margin: float | None  # of its comparison, see `Run`
    headline: dict[str, Any]
    started_by: str | None  # if sign-in is on
    server: dict[str, Any]  # what served it, as far as that is known; see compare/served

    @property
    def began(self) -> datetime:
        """When it was started, or submitted if it has not been started."""
        return self.started_at or self.created_at


_MARGIN = (
    select(comparisons.c.margin).where(comparisons.c.id == runs.c.comparison_id).scalar_subquery()
)
COLUMNS = (
    *(runs.c[field.name].label(field.name) for field in fields(RunRow) if field.name in runs.c),
    _MARGIN.label("margin"),
)

SAID = tuple(name for name in FACTS if name not in ("backend", "address", "model"))
_SERVER = (
    runs.c.lane.label("server_lane"),
    runs.c.engine_id.label("server_engine_id"),
    *(runs.c.environment[name].label(f"server_{name}") for name in SAID),
)


def search(
    database: Engine,
    text: str = "",
    *,
    limit: int = 100,
    offset: int = 0,
    **filters: Unpack[Filters],
) -> list[RunRow]:
    """Return the matching runs, newest first. `text` is searched for in name, note, model, tags and
    who started it, literally (`%` is a percent sign) and ignoring case. Filters: `backend`,
    `model`, `mode`, `tag`, `status`, each exact.
    """
    query = select(*COLUMNS, *_SERVER).where(*_conditions(text, filters))
    page = query.order_by(runs.c.id.desc()).limit(limit).offset(offset)
    with database.connect() as connection:
        rows = connection.execute(page).mappings().all()
        tags = tags_of(connection, [row["id"] for row in rows])
    return [
        RunRow(**_plain(row), server=_server(row), tags=tags.get(row["id"], ())) for row in rows
    ]


def rows_of(database: Engine, run_ids: Iterable[int]) -> list[RunRow]:
    """Return those of these runs that exist, newest first, with as few columns as `trend`."""
    return _narrow_rows(database, runs.c.id.in_(run_ids))


def trend(
    database: Engine, text: str = "", *, limit: int = MAX_TREND_RUNS, **filters: Unpack[Filters]
) -> list[RunRow]:
    """Return the newest matching runs that are done, newest first, arguments as in `search`. Few
    columns are read: of the headline only KEPT, and neither note nor error.
    """
    return _narrow_rows(database, runs.c.status == "done", *_conditions(text, filters), limit=limit)


def _narrow_rows(
    database: Engine, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[RunRow]:
    wide = ("note", "error", "headline")
    plain = [column for column in COLUMNS if column.name not in wide]
    kept = [runs.c.headline[name].label(f"kept_{name}") for name in KEPT]
    query = (
        select(*plain, *kept, *_SERVER).where(*conditions).order_by(runs.c.id.desc()).limit(limit)
    )
    with database.connect() as connection:
        rows = connection.execute(query).mappings().all()
        tags = tags_of(connection, [row["id"] for row in rows])
    return [_as_row(row, tags.get(row["id"], ())) for row in rows]


def _as_row(row: RowMapping, tags: tuple[str, ...]) -> RunRow:
    headline = {name: row[f"kept_{name}"] for name in KEPT if row[f"kept_{name}"] is not None}
    values = {**_plain(row), "server": _server(row), "headline": headline}
    return RunRow(**values, tags=tags, note="", error=None)


def _plain(row: RowMapping) -> dict[str, Any]:
    return {name: row[name] for name in row if not name.startswith(("kept_", "server_"))}


def _server(row: RowMapping) -> dict[str, Any]:
    """Those of `served.FACTS` that are known of the run. An engine that Paceline starts has another
    port each time, so its address is left out."""
    facts = {name: row[f"server_{name}"] for name in SAID} | {
        "backend": row["backend"],
        "model": row["model"],
        "address": None if row["server_engine_id"] else row["server_lane"],
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def count(database: Engine, text: str = "", **filters: Unpack[Filters]) -> int:
    """Return how many runs match on all pages together; arguments as in `search`."""
    total = select(func.count()).select_from(runs).where(*_conditions(text, filters))
    with database.connect() as connection:
        return connection.execute(total).scalar_one()


def choices(database: Engine) -> dict[str, tuple[str, ...]]:
    """Return the possible values of the filters, sorted: `backends`, `models`, `modes`, `tags`."""
    with database.connect() as connection:
        return {
            name: tuple(sorted(connection.scalars(select(column).where(column != "").distinct())))
            for name, column in CHOICES.items()
        }


def tags_of(connection: Connection, ids: list[int]) -> dict[int, tuple[str, ...]]:
    """Return the sorted tags of those runs that have any."""
    by_run: dict[int, list[str]] = {}
    for run_id, tag in connection.execute(select(run_tags).where(run_tags.c.run_id.in_(ids))):
        by_run.setdefault(run_id, []).append(tag)
    return {run_id: tuple(sorted(tags)) for run_id, tags in by_run.items()}


def _conditions(text: str, filters: Filters) -> list[ColumnElement[bool]]:
    conditions = [
        runs.c[name] == value for name, value in filters.items() if value and name != "tag"
    ]
    if tag := filters.get("tag"):
        conditions.append(_has_tag(run_tags.c.tag == tag))
    if text := text.strip():
        texts = [runs.c.name, runs.c.note, runs.c.model, runs.c.started_by]
        named = [column.icontains(text, autoescape=True) for column in texts]
        conditions.append(or_(*named, _has_tag(run_tags.c.tag.icontains(text, autoescape=True))))
    return conditions


def _has_tag(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(run_tags.c.run_id == runs.c.id, condition)
