"""Stored comparisons: runs that are measured in interleaved repeats, and how many repeats each has
left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Update, insert, select, update

from db.database import now, writing
from db.runs import NewRun, add, load_many
from db.schema import comparisons, runs
from services.analysis.comparison_design import ComparisonDesign, StoredComparison, item_index
from services.ask.config import MAX_REPEATS
from services.ask.measurement import FINISHED, Run
from services.base.errors import Conflict, NotFound

Destinations = Mapping[int, tuple[dict[str, Any], str | None]]  # with tickets, by run id
UNCHANGED: Destinations = {}


class ComparisonNotFound(NotFound):
    """No comparison has this id."""

    def __init__(self, comparison_id: int) -> None:
        super().__init__(f"There is no comparison {comparison_id}. It may have been deleted.")


class CannotRepeat(Conflict):
    """A run cannot be measured again; the message says why, in a sentence."""


def create(database: Engine, design: ComparisonDesign, new: Sequence[NewRun]) -> StoredComparison:
    """Queue the runs of a comparison, the baseline first, each with its first work item.

    Raises:
        InvalidEdit: a name, tag or note is invalid; nothing is stored.
    """
    values = {"created_at": datetime.now(UTC), **asdict(design)}
    with writing(database) as connection:
        created = insert(comparisons).values(values).returning(comparisons.c.id)
        comparison_id = connection.execute(created).scalar_one()
        for index, run in enumerate(new):
            first = item_index(design.seed, 0, len(new), index)
            add(connection, run, comparison_id=comparison_id, item_index=first)
    return load(database, comparison_id)


def load(database: Engine, comparison_id: int) -> StoredComparison:
    """Return a comparison with its runs that have not been deleted.

    Raises:
        ComparisonNotFound: it does not exist, or all of its runs were deleted.
    """
    with database.connect() as connection:
        return _load(connection, comparison_id)


def _load(connection: Connection, comparison_id: int) -> StoredComparison:
    row = (
        connection.execute(select(comparisons).where(comparisons.c.id == comparison_id))
        .mappings()
        .first()
    )
    run_ids = select(runs.c.id).where(runs.c.comparison_id == comparison_id).order_by(runs.c.id)
    ids = tuple(connection.scalars(run_ids))
    if row is None or not ids:
        raise ComparisonNotFound(comparison_id)
    design = ComparisonDesign(**{field.name: row[field.name] for field in fields(ComparisonDesign)})
    return StoredComparison(comparison_id, row["created_at"], design, ids)


def next_item(database: Engine, run: Run) -> int | None:
    """Return the index of the next work item of a run of a comparison; None if none is left."""
    if run.comparison_id is None or len(run.repeats) >= run.config.repeats:
        return None
    comparison = load(database, run.comparison_id)
    return _item_index(comparison, run, len(run.repeats))


def _item_index(comparison: StoredComparison, run: Run, repeat: int) -> int:
    run_ids = comparison.run_ids
    return item_index(comparison.design.seed, repeat, len(run_ids), run_ids.index(run.id))


def another_round(database: Engine, running: Run, done: Sequence[Run]) -> None:
    """Add a round to a comparison: one more repeat of the running run and of the other runs."""
    with writing(database) as connection:
        config = running.config.model_copy(update={"repeats": running.config.repeats + 1})
        this = update(runs).where(runs.c.id == running.id)
        connection.execute(this.values(config=config.model_dump(mode="json")))
        for run in done:
            connection.execute(_requeue(connection, run, 1))
        _update_repeat_count(
            connection, [running.comparison_id] if running.comparison_id is not None else []
        )


def check_more(database: Engine, run_ids: Sequence[int], count: int) -> None:
    """Check that `repeat_more` is possible. Raises CannotRepeat, RunNotFound."""
    for run in load_many(database, run_ids):
        _check(run, count)


def repeat_more(
    database: Engine,
    run_ids: Sequence[int],
    count: int,
    destinations: Destinations = UNCHANGED,
) -> None:
    """Queue finished runs again for `count` more repeats each; other runs of their comparison do
    not change. `destinations`: those to replace.

    Raises:
        CannotRepeat: one of them is not done, or would exceed the maximum number of repeats.
        RunNotFound: there is no such run.
    """
    with writing(database) as connection:
        finished = load_many(database, run_ids)
        for run in finished:
            _check(run, count)
        for run in finished:
            again = _requeue(connection, run, count)
            if run.id in destinations:
                destination, ticket = destinations[run.id]
                again = again.values(destination=destination, ticket=ticket)
            if not connection.execute(again).rowcount:
                raise CannotRepeat(f"Run {run.id} is already being measured again.")
        _update_repeat_count(
            connection, {run.comparison_id for run in finished if run.comparison_id is not None}
        )


def _check(run: Run, count: int) -> None:
    if run.source is not None:
        raise CannotRepeat(
            f"Run {run.id} was imported. It can only be measured again where it was measured."
        )
    if run.status != "done":
        raise CannotRepeat(
            f"Run {run.id} is {run.status}. Only a run that is done can get more repeats: start it "
            "again instead."
        )
    if count < 1 or run.config.repeats + count > MAX_REPEATS:
        raise CannotRepeat(
            f"Run {run.id} has {run.config.repeats} repeats, and a run can have at most "
            f"{MAX_REPEATS}: ask for 1 to {MAX_REPEATS - run.config.repeats} more."
        )


def _requeue(connection: Connection, run: Run, count: int) -> Update:
    config = run.config.model_copy(update={"repeats": run.config.repeats + count})
    values: dict[str, Any] = {
        "config": config.model_dump(mode="json"),
        "status": "queued",
        "ended_at": None,
        "heartbeat_at": now(connection),  # counts from now how long its machine has been silent
        "cancel_requested": False,
    }
    if run.comparison_id is not None:
        comparison = _load(connection, run.comparison_id)
        values["item_index"] = _item_index(comparison, run, run.config.repeats)
    return update(runs).where(runs.c.id == run.id, runs.c.status.in_(FINISHED)).values(values)


def _update_repeat_count(connection: Connection, comparison_ids: Iterable[int]) -> None:
    """Update the number of repeats stored with these comparisons."""
    for comparison_id in comparison_ids:
        configs = connection.scalars(
            select(runs.c.config).where(runs.c.comparison_id == comparison_id)
        )
        repeats = max(config["repeats"] for config in configs)
        most = max(repeats, _load(connection, comparison_id).design.most)
        this = update(comparisons).where(comparisons.c.id == comparison_id)
        connection.execute(this.values(repeats=repeats, most=most))
