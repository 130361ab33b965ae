"""The cells of a study, and what is known of them before they are measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.servers.engines import EngineConfig
from services.studies.cell import Cell
from services.studies.presets import PRESETS
from services.studies.study_config import MOST_CELLS, StudyConfig

Changes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell before it is measured. `obstacle`: why it cannot be measured here, a sentence."""

    cell: Cell
    obstacle: str | None = None


def cells(study: StudyConfig) -> list[Cell]:
    """Return the grid: engine by engine, each with all its loads, so that one start serves them.

    Raises:
        InvalidConfig: a cell cannot be asked for, or there are too many.
    """
    pairs = [(engine, run) for engine in engines(study) for run in loads(study)]
    if len(pairs) > MOST_CELLS:
        raise InvalidConfig(
            {
                "": f"The study has {len(pairs):,} cells, and at most {MOST_CELLS} are allowed: "
                "vary less."
            }
        )
    return [Cell(place, engine, run) for place, (engine, run) in enumerate(pairs)]


def engines(study: StudyConfig) -> list[EngineConfig | None]:
    """Return the engines that the study starts, one after the other; [None]: it starts none."""
    if study.engine is None:
        return [None]
    switches: Sequence[bool | None] = study.chunked or (study.engine.chunked_prefill,)
    found = [
        study.engine.model_copy(update={**spread._asdict(), "chunked_prefill": switch})
        for spread, switch in product(study.parallel, switches)
    ]
    return list(dict.fromkeys(found))


def loads(study: StudyConfig) -> list[RunConfig]:
    """Return what is measured on each engine. The axes change the run first, and the preset makes
    its loads of that: of a mix of 16 requests, its 8 short ones alone.

    Raises:
        InvalidConfig: one of them cannot be asked for.
    """
    axes = [
        [_batch(size) for size in study.batches] or [{}],
        [_length(study.run, tokens) for tokens in study.input_lengths] or [{}],
        [_concurrency(most) for most in study.concurrencies] or [{}],
    ]
    runs = [_run(study.run, changes) for changes in product(*axes)]
    of_preset = PRESETS[study.preset].loads
    found = [_plain({**run.model_dump(), **change}) for run in runs for change in of_preset(run)]
    return list(dict.fromkeys(found))


def planned(study: StudyConfig, obstacle: Callable[[EngineConfig], str | None]) -> list[Planned]:
    """Return the grid with what stands in each cell's way. Raises InvalidConfig like `cells`."""
    why = {engine: obstacle(engine) for engine in engines(study) if engine is not None}
    return [
        Planned(cell, why[cell.engine] if cell.engine is not None else None)
        for cell in cells(study)
    ]


def _run(run: RunConfig, changes: Sequence[Changes]) -> RunConfig:
    """The run with a value of each axis; where the load is not said, it is as large as the cap."""
    merged: Changes = {}
    for change in changes:
        merged |= change
    if (most := merged.get("concurrency")) is not None and "requests" not in merged:
        merged["requests"] = max(run.requests, most)
    return parse({**run.model_dump(), **merged})


def _plain(values: Changes) -> RunConfig:
    """A load by its simplest name: a cap that lets all requests go at once is none."""
    found = parse(values)
    caps = found.concurrency is not None and found.concurrency < found.requests
    return found if caps else found.model_copy(update={"concurrency": None})


def _batch(size: int) -> Changes:
    return {"mode": "batch", "requests": size}


def _length(run: RunConfig, tokens: int) -> Changes:
    """Of a mix it is the length of the short prompts."""
    made = {} if run.workload == "mixed" else {"workload": "synthetic"}
    return {**made, "input_tokens": tokens}


def _concurrency(most: int) -> Changes:
    return {"mode": "batch", "concurrency": most}
