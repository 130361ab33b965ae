"""Runs imported from another tool or another Paceline: stored at once, as finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, insert, select

from db import runs, schema
from db.columns import StoredTimes, pack
from db.database import writing
from db.schema import Value
from services.analysis.compare import Candidate
from services.analysis.compare.stored_summary import stored_summary
from services.analysis.objectives import objectives_of
from services.analysis.summary import summarize
from services.ask.measurement import Measurement, Run
from services.ask.prices import price_of
from services.base.errors import Conflict
from services.base.units import many
from services.report.imports import Imported, InvalidImport, isolated

LANE = "import"  # a lane in which nothing waits
AT_ONCE = 1_000  # requests in one statement


class AlreadyImported(Conflict, InvalidImport):
    """The same file, byte for byte, has been imported before; `ids` are its runs."""

    def __init__(self, name: str, ids: Sequence[int]) -> None:
        numbers = ", ".join(map(str, ids))
        which = f"run {numbers}" if len(ids) == 1 else f"runs {numbers}"
        super().__init__(
            f"{name}: it has already been imported as {which}. Delete that first, or choose to "
            "import it again."
        )
        self.ids = tuple(ids)


def import_file(database: Engine, data: bytes, filename: str, again: bool = False) -> list[int]:
    """Read a result file of another tool, store its runs, and return their ids in the file's order.

    Raises:
        AlreadyImported: unless `again` is set.
        InvalidImport: the file cannot be read; nothing is stored.
    """
    imported = isolated.read(data, filename)
    source = imported[0].source
    if not again and (ids := _runs_of(database, source["sha256"])):
        raise AlreadyImported(source["file"], ids)
    return [store(database, run) for run in imported]


def store(database: Engine, imported: Imported) -> int:
    """Store a run with its requests in one transaction, and return its id."""
    run = Run(
        0,
        imported.name,
        imported.status,
        imported.config,
        datetime.now(UTC),
        source=imported.source,
        environment=imported.environment,
        calibration=imported.calibration,
    )
    judged_by = price_of(imported.config), objectives_of(imported.config)
    summary = summarize(imported.measurements, *judged_by, run.placed, run.config)
    candidate = Candidate(run, imported.measurements, summary)
    new = runs.NewRun(imported.config, LANE, imported.name, imported.tags, imported.note)
    measurements = list(map(_with_packed_times, imported.measurements))
    with writing(database) as connection:
        run_id = runs.add(
            connection,
            new,
            status=imported.status,
            started_at=imported.started_at,
            ended_at=imported.ended_at or imported.started_at,
            error=imported.error,
            token_times_removed_at=imported.token_times_removed_at,
            source=imported.source,
            environment=imported.environment,
            calibration=imported.calibration,
            headline=stored_summary(candidate),
        )
        _insert(connection, run_id, imported.repeats)
        _insert(connection, run_id, measurements)
        _insert(connection, run_id, imported.samples)
    return run_id


def _with_packed_times(measured: Measurement) -> Measurement:
    """Return a request whose times are packed, which takes longer than to store them: it is done
    before the transaction, for which other writers wait."""
    return replace(measured, token_times=StoredTimes(pack(measured.token_times)))


def import_sentence(ids: Sequence[int], name: str) -> str:
    """Return a sentence that says what was imported."""
    return f"{name}: {many(len(ids), 'run')} imported."


def _runs_of(database: Engine, sha256: str) -> list[int]:
    same = schema.runs.c.source["sha256"].as_string() == sha256
    with database.connect() as connection:
        ids = connection.scalars(select(schema.runs.c.id).where(same).order_by(schema.runs.c.id))
        return list(ids)


def _insert(connection: Connection, run_id: int, values: Sequence[Value]) -> None:
    for start in range(0, len(values), AT_ONCE):
        part = values[start : start + AT_ONCE]
        rows = [schema.row(run_id, value) for value in part]
        connection.execute(insert(schema.TABLES[type(part[0])]), rows)
