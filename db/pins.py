"""Baselines: the run that later ones of a model, or of a tag, are compared with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy import delete as delete_from
from sqlalchemy.dialects import postgresql, sqlite

from db import results, schema
from db.database import writing
from db.runs import InvalidEdit, RunNotFound, add_tag
from services.analysis.compare.baseline import KINDS, Baseline, Kind
from services.analysis.compare.headline import headline
from services.base.errors import Invalid, NotFound
from services.base.halves import clean

table = schema.pins


class InvalidPin(Invalid):
    """A run that cannot be the baseline of what is asked for."""


class NotPinned(NotFound):
    """A model or a tag that has no baseline."""

    def __init__(self, kind: str, value: str) -> None:
        super().__init__(f"No run is the baseline of {kind} {value[:200]}.")


def pin(database: Engine, kind: Kind, value: str, run_id: int) -> Baseline:
    """Make a run the baseline of its model or of a tag, in place of the one before. A run without
    that tag gets it.

    Raises:
        InvalidPin: the run has not that model, cannot have that tag, is not done, or has no
            success.
        RunNotFound: there is no such run.
    """
    _refresh(database, run_id)
    made = Baseline(kind, clean(value), run_id, datetime.now(UTC))
    with writing(database) as connection:
        made = replace(made, value=_check(connection, made))
        dialect = postgresql if database.dialect.name == "postgresql" else sqlite
        row = {name: getattr(made, name) for name in ("kind", "value", "run_id", "pinned_at")}
        changed = {name: row[name] for name in ("run_id", "pinned_at")}
        new = dialect.insert(table).values(row)
        connection.execute(
            new.on_conflict_do_update(index_elements=["kind", "value"], set_=changed)
        )
    return made


def unpin(database: Engine, kind: Kind, value: str) -> None:
    """Let a model or a tag have no baseline. Raises NotPinned."""
    gone = delete_from(table).where(table.c.kind == kind, table.c.value == value)
    with writing(database) as connection:
        if not connection.execute(gone).rowcount:
            raise NotPinned(kind, value)


def pins(database: Engine) -> tuple[Baseline, ...]:
    """Return every pin, the newest first."""
    found = select(table).order_by(table.c.pinned_at.desc(), table.c.run_id.desc())
    with database.connect() as connection:
        return tuple(Baseline(**row) for row in connection.execute(found).mappings())


def _check(connection: Connection, wanted: Baseline) -> str:
    """Return the model or the tag of which the run can be the baseline. Raises see `pin`."""
    runs = schema.runs.c
    found = select(runs.model, runs.status, runs.headline).where(runs.id == wanted.run_id)
    row = connection.execute(found.with_for_update()).one_or_none()
    if row is None:
        raise RunNotFound(wanted.run_id)
    if row.status != "done" or not row.headline.get("ok"):
        how = row.status if row.status != "done" else "done, but without a request that succeeded"
        raise InvalidPin(f"Run {wanted.run_id} cannot be a baseline: it is {how}.")
    if wanted.kind == "tag":
        try:
            return add_tag(connection, wanted.run_id, wanted.value)
        except InvalidEdit as error:
            raise InvalidPin(str(error)) from None
    if wanted.kind not in KINDS or not wanted.value or wanted.value != row.model:
        raise InvalidPin(
            f"Run {wanted.run_id} has not the {wanted.kind} {wanted.value[:60]!r}: it cannot be "
            "the baseline of it."
        )
    return wanted.value


def _refresh(database: Engine, run_id: int) -> None:
    """Work out what an older Paceline has not kept of a run, so that it can be a baseline."""
    runs = schema.runs.c
    with database.connect() as connection:
        kept = connection.scalar(select(runs.headline).where(runs.id == run_id))
    if kept and "by_repeat" not in kept:
        found = headline(results.candidate(database, run_id))
        found = kept | {name: found[name] for name in ("by_repeat", "work")}
        with writing(database) as connection:
            connection.execute(update(schema.runs).where(runs.id == run_id).values(headline=found))
