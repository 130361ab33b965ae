"""The mixes of a study: each against its classes alone, on the engine that it was measured on, and
with chunked prefill against without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.analysis.compare import Candidate
from services.ask.workloads.mixed import LONG, SHORT, alone
from services.base.table import Table
from services.studies.cell import Cell, Measured
from services.studies.configuration import configuration_of, labels_of
from services.studies.mixing import InvalidMixing, Mixing, chunking, mixing, sentence, table
from services.studies.work import label_of, work_of


@dataclass(frozen=True)
class Mix:
    """A mix on one engine; `label` says what it has that not all of them have."""

    label: str
    cell: Cell
    found: Mixing


def mixes(measured: Iterable[Measured]) -> list[Mix]:
    """Return the mixes whose classes were measured alone on the same engine."""
    cells = list(measured)
    found: list[tuple[Cell, Mixing]] = []
    for one in cells:
        if one.candidate is None or one.cell.config.workload != "mixed":
            continue
        sides = [_alone(cells, one, name) for name in (SHORT, LONG)]
        if sides[0] is not None and sides[1] is not None:
            found += [(one.cell, mix) for mix in _mix(sides[0], sides[1], one.candidate)]
    labels = _labels([at for at, _ in found])
    return [Mix(label, *one) for label, one in zip(labels, found, strict=True)]


def _mix(short: Candidate, long: Candidate, mix: Candidate) -> list[Mixing]:
    try:
        return [mixing(short, long, mix)]
    except InvalidMixing:  # the same by name only: somebody has measured one of them otherwise
        return []


def _alone(cells: Sequence[Measured], mix: Measured, name: str) -> Candidate | None:
    wanted = work_of(alone(mix.cell.config, name))
    there = (
        one.candidate
        for one in cells
        if one.candidate is not None
        and configuration_of(one.cell) == configuration_of(mix.cell)
        and work_of(one.cell.config) == wanted
    )
    return next(there, None)


def _labels(cells: Sequence[Cell]) -> list[str]:
    """Name cells by their engines, and by their loads where those are not all the same."""
    works = [work_of(cell.config) for cell in cells]
    several = len(set(works)) > 1
    engines = labels_of(dict.fromkeys(map(configuration_of, cells)))
    return [
        " · ".join([engines[configuration_of(cell)], *([label_of(work, works)] * several)])
        for cell, work in zip(cells, works, strict=True)
    ]


def sentences(found: Sequence[Mix]) -> list[str]:
    """Say whether short requests wait for long ones, and whether chunked prefill helps them."""
    pairs = [(on, off) for on in found for off in found if _differ_in_chunking(on.cell, off.cell)]
    labels = _labels([off.cell for _, off in pairs])
    helped = [
        (at, chunking(on.found, off.found)) for at, (on, off) in zip(labels, pairs, strict=True)
    ]
    return [*_said(helped), *_said([(mix.label, sentence(mix.found)) for mix in found])]


def _differ_in_chunking(on: Cell, off: Cell) -> bool:
    """Whether the second is the same load on the same engine, but without chunked prefill."""
    if on.engine is None or not on.engine.chunked_prefill:
        return False
    without = on.engine.model_copy(update={"chunked_prefill": False})
    return off.engine == without and work_of(off.config) == work_of(on.config)


def _said(labelled: Sequence[tuple[str, str]]) -> list[str]:
    """The sentences; of several, each with its label behind its claim."""
    if len(labelled) < 2:
        return [said for _, said in labelled]
    return [said.replace(":", f" ({label}):", 1) for label, said in labelled]


def tables(found: Sequence[Mix]) -> list[Table]:
    """Return a table for each mix."""
    return [
        replace(one, title=f"{one.title}: {mix.label}") if len(found) > 1 else one
        for mix in found
        for one in [table(mix.found)]
    ]
