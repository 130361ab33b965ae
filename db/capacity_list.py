"""The list of searches, each with the capacity found so far.

Computing it takes 40 ms for each server, so that of an ended search is stored, with a hash of what
it was computed from: the probes, the config and Paceline's own code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import Engine, RowMapping, select, update

from db.capacities import from_row
from db.database import writing
from db.schema import capacities
from services.base.code_version import code_version
from services.studies.capacity import Status
from services.studies.capacity_wording import short_answer

ROOMS = ("base", "analysis", "studies")  # whose code an answer depends on


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """A search in a list; `answer`: the capacity of its servers, as far as it is known."""

    id: int
    name: str
    created_at: datetime
    status: Status
    probes: int
    answer: str


def list_all(database: Engine, limit: int = 50) -> list[CapacityRow]:
    """Return the newest searches that do not belong to a study."""
    query = (
        select(capacities)
        .where(capacities.c.study_id.is_(None))
        .order_by(capacities.c.id.desc())
        .limit(limit)
    )
    with database.connect() as connection:
        rows = connection.execute(query).mappings().all()
    known = {row["id"]: text for row in rows if (text := _stored_answer(row)) is not None}
    missing = [row for row in rows if row["id"] not in known]
    computed = {row["id"]: short_answer(from_row(row)) for row in missing}
    _store(database, [row for row in missing if row["status"] != "running"], computed)
    answers = known | computed
    return [
        CapacityRow(
            row["id"],
            row["name"],
            row["created_at"],
            row["status"],
            len(row["probes"]),
            answers[row["id"]],
        )
        for row in rows
    ]


def _stored_answer(row: RowMapping) -> str | None:
    """Return the answer that is stored; None if it was computed from something else."""
    stored = row["answer"] or {}
    return stored["text"] if stored.get("of") == _hash(row) else None


def _store(database: Engine, rows: list[RowMapping], answers: dict[int, str]) -> None:
    if not rows:
        return
    with writing(database) as connection:
        for row in rows:
            answer = {"of": _hash(row), "text": answers[row["id"]]}
            this = update(capacities).where(capacities.c.id == row["id"])
            connection.execute(this.values(answer=answer))


def _hash(row: RowMapping) -> str:
    given = json.dumps([code_version(*ROOMS), row["config"], row["probes"]])
    return blake2b(given.encode(), digest_size=8).hexdigest()
