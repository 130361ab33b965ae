"""Stored comparisons: the runs that take turns, and how many repeats each still has to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Update, insert, select, update

from db.database import writing
from db.runs import NewRun, add, load_many
from db.schema import comparisons, runs
from services.analysis.comparison_design import ComparisonDesign, StoredComparison, turn
from services.ask.config import MOST_REPEATS
from services.ask.measurement import FINISHED, Run
from services.base.errors import Conflict, NotFound

NOWHERE: Mapping[int, tuple[dict[str, Any], str | None]] = {}


class ComparisonNotFound(NotFound):
    """No comparison has this id."""

    def __init__(self, comparison_id: int) -> None:
        super().__init__(f"There is no comparison {comparison_id}. It may have been deleted.")


class CannotRepeat(Conflict):
    """A run that cannot be measured once more, in a sentence."""


def create(database: Engine, design: ComparisonDesign, new: Sequence[NewRun]) -> StoredComparison:
    """Queue the runs of a comparison, the reference first, each with its first turn.

    Raises:
        InvalidEdit: a name, tag or note that cannot be kept; nothing is stored then.
    """
    values = {"created_at": datetime.now(UTC), **asdict(design)}
    with writing(database) as connection:
        made = insert(comparisons).values(values).returning(comparisons.c.id)
        comparison_id = connection.execute(made).scalar_one()
        for place, one in enumerate(new):
            first = turn(design.seed, 0, len(new), place)
            add(connection, one, comparison_id=comparison_id, turn=first)
    return load(database, comparison_id)


def load(database: Engine, comparison_id: int) -> StoredComparison:
    """Return a comparison with those of its runs that are still there.

    Raises:
        ComparisonNotFound: there is none, or none of its runs is left.
    """
    with database.connect() as connection:
        return _load(connection, comparison_id)


def _load(connection: Connection, comparison_id: int) -> StoredComparison:
    row = (
        connection.execute(select(comparisons).where(comparisons.c.id == comparison_id))
        .mappings()
        .first()
    )
    of_it = select(runs.c.id).where(runs.c.comparison_id == comparison_id).order_by(runs.c.id)
    ids = tuple(connection.scalars(of_it))
    if row is None or not ids:
        raise ComparisonNotFound(comparison_id)
    design = ComparisonDesign(**{field.name: row[field.name] for field in fields(ComparisonDesign)})
    return StoredComparison(comparison_id, row["created_at"], design, ids)


def next_turn(database: Engine, run: Run) -> int | None:
    """Return the turn in which a run of a comparison is measured next; None: it has had all."""
    if run.comparison_id is None or len(run.repeats) >= run.config.repeats:
        return None
    comparison = load(database, run.comparison_id)
    place = comparison.run_ids.index(run.id)
    return turn(comparison.design.seed, len(run.repeats), len(comparison.run_ids), place)


def another_round(database: Engine, running: Run, done: Sequence[Run]) -> None:
    """Add a round to a comparison: one more repeat of the running run, and of the others."""
    with writing(database) as connection:
        config = running.config.model_copy(update={"repeats": running.config.repeats + 1})
        this = update(runs).where(runs.c.id == running.id)
        connection.execute(this.values(config=config.model_dump(mode="json")))
        for run in done:
            connection.execute(_once_more(connection, run, 1))
        _grow(connection, [running.comparison_id] if running.comparison_id is not None else [])


def check_more(database: Engine, run_ids: Sequence[int], count: int) -> None:
    """See that `repeat_more` could be done. Raises CannotRepeat, RunNotFound."""
    for run in load_many(database, run_ids):
        _check(run, count)


def repeat_more(
    database: Engine,
    run_ids: Sequence[int],
    count: int,
    sent: Mapping[int, tuple[dict[str, Any], str | None]] = NOWHERE,
) -> None:
    """Queue finished runs again, for `count` more repeats of each; other runs of their comparison
    stay as they are. `sent`: destination and ticket of a run, where they are new.

    Raises:
        CannotRepeat: one of them is not done, or would have more repeats than a run may have.
        RunNotFound: there is no such run.
    """
    with writing(database) as connection:
        found = load_many(database, run_ids)
        for run in found:
            _check(run, count)
        for run in found:
            again = _once_more(connection, run, count)
            if run.id in sent:
                destination, ticket = sent[run.id]
                again = again.values(destination=destination, ticket=ticket)
            if not connection.execute(again).rowcount:
                raise CannotRepeat(f"Run {run.id} is being measured again already.")
        _grow(connection, {run.comparison_id for run in found if run.comparison_id is not None})


def _check(run: Run, count: int) -> None:
    if run.source is not None:
        raise CannotRepeat(f"Run {run.id} was imported. It can only be measured where it was.")
    if run.status != "done":
        raise CannotRepeat(
            f"Run {run.id} is {run.status}. Only a run that is done can have more repeats: "
            "start it again instead."
        )
    if count < 1 or run.config.repeats + count > MOST_REPEATS:
        raise CannotRepeat(
            f"Run {run.id} has {run.config.repeats} repeats, and a run may have {MOST_REPEATS} at "
            f"most: ask for 1 to {MOST_REPEATS - run.config.repeats} more."
        )


def _once_more(connection: Connection, run: Run, count: int) -> Update:
    config = run.config.model_copy(update={"repeats": run.config.repeats + count})
    values: dict[str, Any] = {
        "config": config.model_dump(mode="json"),
        "status": "queued",
        "ended_at": None,
        "cancel_requested": False,
    }
    if run.comparison_id is not None:
        comparison = _load(connection, run.comparison_id)
        place = comparison.run_ids.index(run.id)
        values["turn"] = turn(
            comparison.design.seed, run.config.repeats, len(comparison.run_ids), place
        )
    return update(runs).where(runs.c.id == run.id, runs.c.status.in_(FINISHED)).values(values)


def _grow(connection: Connection, comparison_ids: Iterable[int]) -> None:
    """Let a comparison say how many repeats its runs have by now."""
    for comparison_id in comparison_ids:
        configs = connection.scalars(
            select(runs.c.config).where(runs.c.comparison_id == comparison_id)
        )
        repeats = max(config["repeats"] for config in configs)
        most = max(repeats, _load(connection, comparison_id).design.most)
        this = update(comparisons).where(comparisons.c.id == comparison_id)
        connection.execute(this.values(repeats=repeats, most=most))
