"""A study as it may be published: without the paths of the machines involved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from services.analysis.fingerprint import digest
from services.base.redact import redact, without_paths
from services.report.export.document import content_hash
from services.report.export.public import public, public_config
from services.servers.engines import EngineConfig
from services.studies.cell import Cell, MeasuredCell


def public_study(measured: Iterable[MeasuredCell]) -> list[MeasuredCell]:
    """Remove paths and anything that looks like a key from the cells and their engines. Engines
    that differ only in a folder are numbered."""
    cells = list(measured)
    engines = public_engines(cell.cell.engine for cell in cells if cell.cell.engine is not None)
    return [_cell(cell, engines) for cell in cells]


def public_engines(engines: Iterable[EngineConfig]) -> dict[EngineConfig, EngineConfig]:
    """Map each engine to its public form; those that differ only in a folder are numbered."""
    all_engines = list(engines)
    texts = _public_texts(text for engine in all_engines for text in (engine.model, engine.extra))
    return {
        engine: engine.model_copy(
            update={"model": texts[engine.model], "extra": texts[engine.extra]}
        )
        for engine in all_engines
    }


def _public_texts(texts: Iterable[str]) -> dict[str, str]:
    """Map each text to its public form; different texts stay different."""
    shown: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        cleaned, same = clean(text), sum(clean(other) == clean(text) for other in shown)
        shown[text] = f"{cleaned} ({same + 1})" if same else cleaned
    return shown


def study_hash(measured: Iterable[MeasuredCell]) -> str:
    """Return the SHA-256 of the engine configs and the content hash of each cell's run, null for a
    cell without a run."""
    return digest([[_engine(cell.cell.engine), _run(cell)] for cell in public_study(measured)])


def _run(measured: MeasuredCell) -> str | None:
    return None if measured.candidate is None else content_hash(measured.candidate)


def _engine(engine: EngineConfig | None) -> dict[str, object] | None:
    return None if engine is None else engine.model_dump(mode="json")


def _cell(measured: MeasuredCell, engines: Mapping[EngineConfig, EngineConfig]) -> MeasuredCell:
    cell, engine = measured.cell, measured.cell.engine
    config = public_config(cell.config)
    if engine is not None:
        engine = engines[engine]
    return replace(
        measured,
        cell=Cell(cell.index, engine, config),
        candidate=None if measured.candidate is None else public(measured.candidate),
        problem=None if measured.problem is None else clean(measured.problem),
    )


def clean(text: str) -> str:
    """Remove keys and paths from text."""
    return without_paths(redact(text))
