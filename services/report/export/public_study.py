"""A study as it may leave the house: without the paths of the machines that took part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from services.analysis.fingerprint import digest
from services.base.redact import redact, without_paths
from services.report.export.document import content_hash
from services.report.export.public import public
from services.servers.engines import EngineConfig
from services.studies.cell import Cell, Measured


def public_study(measured: Iterable[Measured]) -> list[Measured]:
    """Return the cells without paths and whatever looks like a key, in their engines, too. Engines
    that differ in a folder alone are told apart by a number."""
    cells = list(measured)
    engines = [one.cell.engine for one in cells if one.cell.engine is not None]
    texts = _apart(text for engine in engines for text in (engine.model, engine.extra))
    return [_cell(one, texts) for one in cells]


def _apart(texts: Iterable[str]) -> dict[str, str]:
    """Map each text to what may be shown of it; different ones stay different."""
    found: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        told, same = clean(text), sum(clean(other) == clean(text) for other in found)
        found[text] = f"{told} ({same + 1})" if same else told
    return found


def study_hash(measured: Iterable[Measured]) -> str:
    """Return the SHA-256 of which engines were asked for, and of what was measured of each cell
    (see `content_hash`); of a cell without a run that there is none."""
    return digest([[_engine(one.cell.engine), _run(one)] for one in public_study(measured)])


def _run(one: Measured) -> str | None:
    return None if one.candidate is None else content_hash(one.candidate)


def _engine(engine: EngineConfig | None) -> dict[str, object] | None:
    return None if engine is None else engine.model_dump(mode="json")


def _cell(one: Measured, texts: Mapping[str, str]) -> Measured:
    cell, engine = one.cell, one.cell.engine
    config = cell.config.model_copy(update={"model": without_paths(cell.config.model)})
    if engine is not None:
        told = {"model": texts[engine.model], "extra": texts[engine.extra]}
        engine = engine.model_copy(update=told)
    return replace(
        one,
        cell=Cell(cell.index, engine, config),
        candidate=None if one.candidate is None else public(one.candidate),
        problem=None if one.problem is None else clean(one.problem),
    )


def clean(text: str) -> str:
    """Return text without keys and paths."""
    return without_paths(redact(text))
