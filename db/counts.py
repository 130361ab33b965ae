"""Numbers of stored runs that are cheap enough to be asked for every second."""

from __future__ import annotations

from statistics import median

from sqlalchemy import Engine, func, select

from db import schema

REMEMBERED = 5  # latest runs that a pace is taken from


def counted(engine: Engine, run_id: int) -> dict[str, int]:
    """Return how many of a run's requests are stored, by status."""
    requests = schema.requests
    query = (
        select(requests.c.status, func.count())
        .where(requests.c.run_id == run_id)
        .group_by(requests.c.status)
    )
    with engine.connect() as connection:
        return {status: int(number) for status, number in connection.execute(query)}


def pace(engine: Engine, backend: str, model: str) -> float | None:
    """Return the tokens/s of a request, as the latest runs of a backend and model had it.

    None: there is none.
    """
    runs = schema.runs
    query = (
        select(runs.c.headline)
        .where(
            runs.c.backend == backend,
            runs.c.model == model,
            runs.c.status == "done",
            runs.c.source.is_(None),
        )
        .order_by(runs.c.id.desc())
        .limit(REMEMBERED)
    )
    with engine.connect() as connection:
        headlines = connection.scalars(query).all()
    known = [h["tokens_per_s_median"] for h in headlines if h and h.get("tokens_per_s_median")]
    return median(known) if known else None
