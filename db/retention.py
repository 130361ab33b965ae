"""Retention: removes token times of old runs, a little at a time, if a setting asks for it.

Token times are most of a run's size. Without them, the gaps between tokens and the charts of them
are unknown; every other time, count and total remains. Baselines, shared runs and imported runs
keep their token times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, Engine, func, or_, select, update

from db import schema
from db.database import now, writing
from db.request_columns import SAMPLE
from services.ask.measurement import FINISHED
from services.base.errors import Unavailable

VARIABLE = "PACELINE_TOKEN_TIMES_DAYS"
AT_ONCE = 2_000  # requests in one transaction, for which other writers wait

runs, requests = schema.runs, schema.requests


class InvalidRetention(Unavailable):
    """The setting is not a number of days; the message is a sentence."""


def days_of(env: Mapping[str, str]) -> int | None:
    """Return after how many days token times are removed; None means never. Raises
    InvalidRetention."""
    written = env.get(VARIABLE, "").strip()
    if not written:
        return None
    if not (written.isascii() and written.isdecimal() and len(written) < 6 and int(written)):
        raise InvalidRetention(
            f"{VARIABLE} is {written[:40]!r}, but it must be a whole number of days, or empty. "
            "Nothing is removed until this is corrected."
        )
    return int(written)


def due(database: Engine, days: int) -> int | None:
    """Return the oldest run whose token times are due to be removed, or None."""
    with database.connect() as connection:
        return _due(connection, days)


def remove_some(database: Engine, days: int) -> bool:
    """Remove the token times of some requests in one short transaction. Return whether there may be
    more to remove."""
    with writing(database) as connection:
        run_id = _due(connection, days)
        if run_id is None:
            return False
        whose = (requests.c.run_id == run_id, func.length(requests.c.token_times) > 0)
        first = connection.execute(
            select(requests.c.repeat, requests.c.idx)
            .where(*whose)
            .order_by(requests.c.repeat, requests.c.idx)
            .limit(1)
        ).first()
        if first is not None:
            some = (
                requests.c.repeat == first.repeat,
                requests.c.idx.between(first.idx, first.idx + AT_ONCE - 1),
            )
            connection.execute(update(requests).where(*whose, *some).values(token_times=()))
            return True
        columns = schema.request_columns
        sample = update(columns).where(columns.c.run_id == run_id, columns.c.name == SAMPLE)
        connection.execute(sample.values(data=b""))
        gone = {"token_times_removed_at": now(connection)}
        connection.execute(update(runs).where(runs.c.id == run_id).values(gone))
    return True


def _due(connection: Connection, days: int) -> int | None:
    removed = runs.c.token_times_removed_at
    query = select(func.min(runs.c.id)).where(
        runs.c.status.in_(FINISHED),
        runs.c.ended_at < now(connection, timedelta(days=days)),
        or_(removed.is_(None), removed < runs.c.ended_at),  # it has been measured again since
        _not_imported(),
        runs.c.id.not_in(select(schema.baselines.c.run_id)),
        runs.c.id.not_in(_shared(connection)),
    )
    found: int | None = connection.scalar(query)
    return found


def _not_imported() -> ColumnElement[bool]:
    return runs.c.source.is_(None)


def _shared(connection: Connection) -> set[int]:
    """The runs that appear on a shared page."""
    return {run_id for ids in connection.scalars(select(schema.shares.c.run_ids)) for run_id in ids}
