"""Stored runs: create one, read it back, edit its name, tags and note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update
from sqlalchemy import delete as delete_from

from db import schema
from db.database import now, writing
from db.garbage import gc_disabled
from db.search import FILTERS as FILTERS
from db.search import RunRow as RunRow
from db.search import choices as choices
from db.search import count as count
from db.search import rows_of as rows_of
from db.search import search as search
from db.search import tags_of
from services.ask.config import RunConfig, stored
from services.ask.measurement import Measurement, Progress, Repeat, Run, Sample
from services.ask.run_names import checked_name, checked_note, checked_tags, default_name
from services.base.errors import Conflict, NotFound
from services.base.roles import NOBODY, Origin

Moment = TypeVar("Moment", Progress, Sample)

PLAIN = tuple(f.name for f in fields(Run) if f.name in schema.runs.c and f.name != "config")


class RunNotFound(NotFound):
    """No run has this id. The page, the command line and the API each add where runs are listed."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"There is no run {run_id}. It may have been deleted.")


class RunBusy(Conflict):
    """A running run cannot be deleted."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"Run {run_id} is still running. Cancel it first.")


class AlreadyFinished(Conflict):
    """A finished run cannot be cancelled."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"Run {run_id} has already finished. There is nothing to cancel.")


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be queued. Without a name it gets `default_name`."""

    config: RunConfig
    lane: str
    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    destination: dict[str, Any] | None = None  # where it is sent, without its secrets
    ticket: str | None = None  # under which a supervisor holds the secrets in memory
    machine: str | None = None  # the only one that can reach its server; None: any
    origin: Origin = NOBODY  # who started it, if sign-in is on


def enqueue(database: Engine, new: NewRun) -> int:
    """Queue a run and return its id. Raises InvalidEdit."""
    with writing(database) as connection:
        return add(connection, new)


def create(
    database: Engine,
    config: RunConfig,
    lane: str,
    name: str = "",
    tags: Iterable[str] = (),
    note: str = "",
) -> int:
    """Queue a run and return its id; see `NewRun`.

    Raises:
        InvalidEdit: the name, a tag or the note is invalid.
    """
    return enqueue(database, NewRun(config, lane, name, tuple(tags), note))


def add(connection: Connection, new: NewRun, **more: Any) -> int:
    """Queue a run within a transaction that writes; `more`: further columns. Raises InvalidEdit."""
    config, name = new.config, new.name
    values = {
        "name": checked_name(
            name if name.strip() else default_name(config, new.lane, config.model)
        ),
        "note": checked_note(new.note),
        "status": "queued",
        "lane": new.lane,
        "created_at": now(connection),
        "config": config.model_dump(mode="json"),
        "destination": new.destination,
        "ticket": new.ticket,
        **new.origin._asdict(),
        "machine": new.machine,
        **{field: getattr(config, field) for field in ("backend", "model", "mode")},
        **more,
    }
    tags = checked_tags(tag for tag in new.tags if tag.strip())
    created = insert(schema.runs).values(values).returning(schema.runs.c.id)
    run_id: int = connection.execute(created).scalar_one()
    _add_tags(connection, run_id, tags)
    return run_id


def headlines(database: Engine, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the numbers that lists show, by run id."""
    query = select(schema.runs.c.id, schema.runs.c.headline).where(schema.runs.c.id.in_(ids))
    with database.connect() as connection:
        return {row.id: row.headline or {} for row in connection.execute(query)}


def load(database: Engine, run_id: int) -> Run:
    """Return one run, see `load_many`."""
    return load_many(database, [run_id])[0]


def origins(database: Engine, ids: Sequence[int]) -> dict[int, Origin]:
    """Return who started each run, by run id."""
    with database.connect() as connection:
        return origins_of(connection, ids)


def origins_of(connection: Connection, ids: Sequence[int]) -> dict[int, Origin]:
    """Return who started each run; see `origins`."""
    columns = (schema.runs.c[name] for name in Origin._fields)
    query = select(schema.runs.c.id, *columns).where(schema.runs.c.id.in_(ids))
    return {run_id: Origin(*origin) for run_id, *origin in connection.execute(query)}


def load_many(database: Engine, ids: Sequence[int]) -> list[Run]:
    """Return the runs in the given order, with tags and repeats but without requests.
    `config.model` is the model that answers, once it is known, even if the config names none.

    Raises:
        RunNotFound: for the first id that does not exist.
    """
    query = select(*(column.label(column.key) for column in schema.runs.c)).where(
        schema.runs.c.id.in_(ids)
    )
    with database.connect() as connection:
        rows = {row["id"]: row for row in connection.execute(query).mappings()}
        for run_id in ids:
            if run_id not in rows:
                raise RunNotFound(run_id)
        tags, repeats = tags_of(connection, list(ids)), _repeats_of(connection, ids)
        margins = _margins_of(connection, ids)
    return [
        _run(
            rows[i],
            tags=tags.get(i, ()),
            repeats=tuple(repeats.get(i, ())),
            margin=margins.get(i),
        )
        for i in ids
    ]


def _run(row: RowMapping, **parts: Any) -> Run:
    config = stored({**row["config"], "model": row["model"]})
    return Run(config=config, **{name: row[name] for name in PLAIN}, **parts)


def _margins_of(connection: Connection, ids: Sequence[int]) -> dict[int, float]:
    """The margins of equivalence chosen before measuring, for runs of comparisons."""
    together = schema.runs.join(
        schema.comparisons, schema.runs.c.comparison_id == schema.comparisons.c.id
    )
    query = select(schema.runs.c.id, schema.comparisons.c.margin).select_from(together)
    rows = connection.execute(query.where(schema.runs.c.id.in_(ids)))
    return {row.id: row.margin for row in rows}


def _repeats_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[Repeat]]:
    table = schema.repeats
    rows = select(table.c.run_id, *schema.columns(Repeat)).where(table.c.run_id.in_(ids))
    by_run: dict[int, list[Repeat]] = {}
    for run_id, *values in connection.execute(rows.order_by(table.c.idx)):
        by_run.setdefault(run_id, []).append(Repeat(*values))
    return by_run


def measurements(database: Engine, run_id: int, texts: bool = False) -> list[Measurement]:
    """Return a run's requests by repeat and index; `texts` also reads their answers."""
    table = schema.requests
    wanted = schema.columns(Measurement, without=() if texts else ("answer",))
    rows = select(*wanted).where(table.c.run_id == run_id).order_by(table.c.repeat, table.c.idx)
    with database.connect() as connection, gc_disabled():
        return [Measurement(*row) for row in connection.execute(rows).all()]


def answer(database: Engine, run_id: int, repeat: int, index: int) -> str | None:
    """Return the text of one answer; None if there is no such request or its answer was not
    stored."""
    key = schema.requests.c
    conditions = (key.run_id == run_id, key.repeat == repeat, key.idx == index)
    with database.connect() as connection:
        text: str | None = connection.scalar(select(key.answer).where(*conditions))
    return text


def progress(database: Engine, run_id: int, limit: int = 500) -> list[Progress]:
    """Return a run's progress in order of time: every n-th state, counted back from the last, at
    most `limit`."""
    return _evenly_sampled(database, Progress, run_id, limit)


def samples(database: Engine, run_id: int, limit: int = 600) -> list[Sample]:
    """Return the samples of a run's server, thinned like `progress`."""
    return _evenly_sampled(database, Sample, run_id, limit)


def _evenly_sampled(database: Engine, kind: type[Moment], run_id: int, limit: int) -> list[Moment]:
    table = schema.TABLES[kind]
    back = (func.row_number().over(order_by=table.c.t.desc()) - 1).label("back")
    total = func.count().over().label("total")
    rows = select(*schema.columns(kind), back, total).where(table.c.run_id == run_id).subquery()
    step = (rows.c.total + (limit - 1)) // limit
    thinned = select(*(rows.c[f.name] for f in fields(kind))).where(rows.c.back % step == 0)
    with database.connect() as connection:
        return [kind(*row) for row in connection.execute(thinned.order_by(rows.c.t))]


def edit(database: Engine, run_id: int, name: str, tags: Iterable[str], note: str) -> None:
    """Replace a run's name, tags and note: a name of 1 to 200 characters, at most 20 tags of 1 to
    50, a note of at most 10,000. Empty tags are left out. A run that loses a tag is no longer the
    tag's baseline.

    Raises:
        InvalidEdit: one of them is invalid; nothing is changed.
        RunNotFound: there is no such run.
    """
    cleaned = checked_tags(tag for tag in tags if tag.strip())
    change = update(schema.runs).where(schema.runs.c.id == run_id)
    with writing(database) as connection:
        # locks the run's row on PostgreSQL, so that two edits happen one after the other
        changed = connection.execute(
            change.values(name=checked_name(name), note=checked_note(note))
        )
        if not changed.rowcount:
            raise RunNotFound(run_id)
        connection.execute(delete_from(schema.run_tags).where(schema.run_tags.c.run_id == run_id))
        _add_tags(connection, run_id, cleaned)
        baseline = schema.baselines.c
        lost = (baseline.kind == "tag", baseline.run_id == run_id, baseline.value.not_in(cleaned))
        connection.execute(delete_from(schema.baselines).where(*lost))


def delete(database: Engine, run_id: int) -> None:
    """Delete a run, everything it measured, and its shared pages. Raises RunBusy, RunNotFound."""
    is_run = schema.runs.c.id == run_id
    with writing(database) as connection:
        gone = delete_from(schema.runs).where(is_run, schema.runs.c.status != "running")
        if connection.execute(gone).rowcount:
            unshare(connection, run_id)
            return
        if connection.scalar(select(schema.runs.c.id).where(is_run)) is None:
            raise RunNotFound(run_id)
        raise RunBusy(run_id)


def unshare(connection: Connection, run_id: int) -> None:
    """Delete every shared page that shows a run."""
    shares = schema.shares
    shown = connection.execute(select(shares.c.token, shares.c.run_ids))
    tokens = [token for token, run_ids in shown if run_id in run_ids]
    connection.execute(delete_from(shares).where(shares.c.token.in_(tokens)))


def _add_tags(connection: Connection, run_id: int, tags: Iterable[str]) -> None:
    rows = [{"run_id": run_id, "tag": tag} for tag in tags]
    if rows:
        connection.execute(insert(schema.run_tags), rows)


def add_tag(connection: Connection, run_id: int, text: str) -> str:
    """Add a tag to a run unless it has it, within a transaction that writes; return the tag as
    stored. Raises InvalidEdit."""
    tags = tags_of(connection, [run_id]).get(run_id, ())
    (tag,) = checked_tags([text])
    if tag not in tags:
        checked_tags([*tags, tag])
        _add_tags(connection, run_id, [tag])
    return tag
