"""The mixes of a study: each against its classes alone, on the engine that it was measured on, and
with chunked prefill against without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.compare import Candidate
from services.config import RunConfig
from services.engines import EngineConfig
from services.studies.cell import Measured
from services.studies.configuration import configuration_of, labels_of
from services.studies.mixing import InvalidMixing, Mixing, chunking, mixing, sentence, table
from services.tables import Table
from services.workloads.mixed import LONG, SHORT, alone


@dataclass(frozen=True)
class Mix:
    """A mix on one engine; `label` says which."""

    label: str
    engine: EngineConfig | None
    found: Mixing


def mixes(measured: Iterable[Measured]) -> list[Mix]:
    """Return the mixes whose classes were measured alone on the same engine."""
    cells = list(measured)
    labels = labels_of({configuration_of(one.cell) for one in cells})
    found = []
    for one in cells:
        if one.candidate is None or one.cell.config.workload != "mixed":
            continue
        sides = [_alone(cells, one, name) for name in (SHORT, LONG)]
        if sides[0] is not None and sides[1] is not None:
            label = labels[configuration_of(one.cell)]
            found += _mix(label, one.cell.engine, sides[0], sides[1], one.candidate)
    return found


def _mix(
    label: str, engine: EngineConfig | None, short: Candidate, long: Candidate, mix: Candidate
) -> list[Mix]:
    try:
        return [Mix(label, engine, mixing(short, long, mix))]
    except InvalidMixing:  # the same by name only: somebody has measured one of them otherwise
        return []


def _alone(cells: Sequence[Measured], mix: Measured, name: str) -> Candidate | None:
    wanted = _once(alone(mix.cell.config, name))
    there = (
        one.candidate
        for one in cells
        if one.candidate is not None
        and one.cell.engine == mix.cell.engine
        and _once(one.cell.config) == wanted
    )
    return next(there, None)


def _once(config: RunConfig) -> RunConfig:
    """The config, however often it was measured."""
    return config.model_copy(update={"repeats": 1})


def sentences(found: Sequence[Mix]) -> list[str]:
    """Say whether short requests wait for long ones, and whether chunked prefill helps them."""
    several = len(found) > 1
    said = [
        f"{mix.label}: {sentence(mix.found)}" if several else sentence(mix.found) for mix in found
    ]
    return [*_chunking(found), *said]


def _chunking(found: Sequence[Mix]) -> list[str]:
    said = []
    for on in found:
        if on.engine is None or not on.engine.chunked_prefill:
            continue
        without = on.engine.model_copy(update={"chunked_prefill": False})
        said += [chunking(on.found, off.found) for off in found if off.engine == without]
    return said


def tables(found: Sequence[Mix]) -> list[Table]:
    """Return a table for each mix."""
    return [
        replace(one, title=f"{one.title}: {mix.label}") if len(found) > 1 else one
        for mix in found
        for one in [table(mix.found)]
    ]
