"""Baselines: the run that later runs of a model or a tag are compared with."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy import delete as delete_from
from sqlalchemy.dialects import postgresql, sqlite

from db import results, schema
from db.database import writing
from db.runs import RunNotFound, add_tag
from services.analysis.compare.baseline import KINDS, Baseline, Kind
from services.analysis.compare.stored_summary import stored_summary
from services.ask.run_names import InvalidEdit
from services.base.errors import Invalid, NotFound
from services.base.surrogates import clean

table = schema.baselines


class InvalidBaseline(Invalid):
    """The run cannot be the baseline of this model or tag."""


class BaselineNotFound(NotFound):
    """The model or tag has no baseline."""

    def __init__(self, kind: str, value: str) -> None:
        super().__init__(f"No run is the baseline of {kind} {value[:200]}.")


def save(database: Engine, kind: Kind, value: str, run_id: int) -> Baseline:
    """Make a run the baseline of its model or of a tag, replacing the previous baseline. The tag is
    added to the run if necessary.

    Raises:
        InvalidBaseline: the run does not have that model, cannot have that tag, is not done, or
            has no successful request.
        RunNotFound: there is no such run.
    """
    _refresh(database, run_id)
    baseline = Baseline(kind, clean(value), run_id, datetime.now(UTC))
    with writing(database) as connection:
        baseline = replace(baseline, value=_check(connection, baseline))
        dialect = postgresql if database.dialect.name == "postgresql" else sqlite
        row = dialect.insert(table).values(asdict(baseline))
        connection.execute(
            row.on_conflict_do_update(
                index_elements=[table.c.kind, table.c.value],
                set_={table.c.run_id: baseline.run_id, table.c.set_at: baseline.set_at},
            )
        )
    return baseline


def delete(database: Engine, kind: Kind, value: str) -> None:
    """Remove the baseline of a model or a tag. Raises BaselineNotFound."""
    row = delete_from(table).where(table.c.kind == kind, table.c.value == value)
    with writing(database) as connection:
        if not connection.execute(row).rowcount:
            raise BaselineNotFound(kind, value)


def list_all(database: Engine) -> tuple[Baseline, ...]:
    """Return every baseline, the newest first."""
    rows = select(table).order_by(table.c.set_at.desc(), table.c.run_id.desc())
    with database.connect() as connection:
        return tuple(Baseline(*row) for row in connection.execute(rows))


def _check(connection: Connection, baseline: Baseline) -> str:
    """Return the model or tag whose baseline the run can be. Raises: see `save`."""
    runs = schema.runs.c
    query = select(runs.model, runs.status, runs.headline).where(runs.id == baseline.run_id)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise RunNotFound(baseline.run_id)
    if row.status != "done" or not row.headline.get("ok"):
        state = row.status if row.status != "done" else "done, but no request succeeded"
        raise InvalidBaseline(f"Run {baseline.run_id} cannot be a baseline: it is {state}.")
    if baseline.kind == "tag":
        try:
            return add_tag(connection, baseline.run_id, baseline.value)
        except InvalidEdit as error:
            raise InvalidBaseline(str(error)) from None
    if baseline.kind not in KINDS or not baseline.value or baseline.value != row.model:
        raise InvalidBaseline(
            f"Run {baseline.run_id} does not have the {baseline.kind} {baseline.value[:60]!r}, so "
            "it cannot be its baseline."
        )
    return baseline.value


def _refresh(database: Engine, run_id: int) -> None:
    """Compute what an older version did not store about a run, so that it can be a baseline."""
    runs = schema.runs.c
    with database.connect() as connection:
        stored = connection.scalar(select(runs.headline).where(runs.id == run_id))
    if stored and "by_repeat" not in stored:
        computed = stored_summary(results.candidate(database, run_id))
        merged = stored | {name: computed[name] for name in ("by_repeat", "work")}
        with writing(database) as connection:
            connection.execute(update(schema.runs).where(runs.id == run_id).values(headline=merged))
