"""The mixes of a study: each is compared with its classes alone on the same engine, and with the
same mix without chunked prefill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.analysis.compare import Candidate
from services.ask.workloads.mixed import LONG, SHORT, alone
from services.base.table import Table
from services.studies.cell import Cell, MeasuredCell
from services.studies.configuration import configuration_of, labels_of
from services.studies.mixing import InvalidMixing, Mixing, chunking, mixing, sentence, table
from services.studies.work import label_of, work_of


@dataclass(frozen=True)
class Mix:
    """A mix on one engine; `label` distinguishes it from the study's other mixes."""

    label: str
    cell: Cell
    mixing: Mixing


def mixes(measured: Iterable[MeasuredCell]) -> list[Mix]:
    """Return the mixes whose classes were also measured alone on the same engine."""
    cells = list(measured)
    pairs: list[tuple[Cell, Mixing]] = []
    for mix_cell in cells:
        if mix_cell.candidate is None or mix_cell.cell.config.workload != "mixed":
            continue
        sides = [_alone(cells, mix_cell, name) for name in (SHORT, LONG)]
        if sides[0] is not None and sides[1] is not None:
            pairs += [
                (mix_cell.cell, mix) for mix in _try_mixing(sides[0], sides[1], mix_cell.candidate)
            ]
    labels = _labels([at for at, _ in pairs])
    return [Mix(label, *mix_cell) for label, mix_cell in zip(labels, pairs, strict=True)]


def _try_mixing(short: Candidate, long: Candidate, mix: Candidate) -> list[Mixing]:
    try:
        return [mixing(short, long, mix)]
    except InvalidMixing:  # one of them was measured again with other settings
        return []


def _alone(cells: Sequence[MeasuredCell], mix: MeasuredCell, name: str) -> Candidate | None:
    work = work_of(alone(mix.cell.config, name))
    matching = (
        measured.candidate
        for measured in cells
        if measured.candidate is not None
        and configuration_of(measured.cell) == configuration_of(mix.cell)
        and work_of(measured.cell.config) == work
    )
    return next(matching, None)


def _labels(cells: Sequence[Cell]) -> list[str]:
    """Label cells by their engines, and by their loads if these differ."""
    works = [work_of(cell.config) for cell in cells]
    several = len(set(works)) > 1
    engines = labels_of(dict.fromkeys(map(configuration_of, cells)))
    return [
        " · ".join([engines[configuration_of(cell)], *([label_of(work, works)] * several)])
        for cell, work in zip(cells, works, strict=True)
    ]


def sentences(mixes: Sequence[Mix]) -> list[str]:
    """Return sentences on whether short requests wait for long ones, and whether chunked prefill
    helps."""
    pairs = [(on, off) for on in mixes for off in mixes if _differ_in_chunking(on.cell, off.cell)]
    labels = _labels([off.cell for _, off in pairs])
    helped = [
        (at, chunking(on.mixing, off.mixing)) for at, (on, off) in zip(labels, pairs, strict=True)
    ]
    return [
        *_with_labels(helped),
        *_with_labels([(mix.label, sentence(mix.mixing)) for mix in mixes]),
    ]


def _differ_in_chunking(on: Cell, off: Cell) -> bool:
    """Whether the second is the same load on the same engine, but without chunked prefill."""
    if on.engine is None or not on.engine.chunked_prefill:
        return False
    without = on.engine.model_copy(update={"chunked_prefill": False})
    return off.engine == without and work_of(off.config) == work_of(on.config)


def _with_labels(labelled: Sequence[tuple[str, str]]) -> list[str]:
    """The sentences; if there are several, with the mix's label in each."""
    if len(labelled) < 2:
        return [sentence for _, sentence in labelled]
    return [sentence.replace(":", f" ({label}):", 1) for label, sentence in labelled]


def tables(mixes: Sequence[Mix]) -> list[Table]:
    """Return a table for each mix."""
    return [
        replace(mix_table, title=f"{mix_table.title}: {mix.label}") if len(mixes) > 1 else mix_table
        for mix in mixes
        for mix_table in [table(mix.mixing)]
    ]
