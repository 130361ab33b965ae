"""The cells of a study, before they are measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from services.analysis.compare.differences import read_fields
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.servers.engines import EngineConfig
from services.studies.axis import engine_with, run_changes
from services.studies.cell import Cell
from services.studies.presets import PRESETS
from services.studies.study_config import MAX_CELLS, StudyConfig

Changes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell before it is measured. `obstacle`: why it cannot be measured here, as a sentence."""

    cell: Cell
    obstacle: str | None = None


def cells(study: StudyConfig) -> list[Cell]:
    """Return the grid, engine by engine, so that each engine starts only once.

    Raises:
        InvalidConfig: a cell is invalid, or there are too many.
    """
    pairs = [(engine, run) for engine in engines(study) for run in loads(study)]
    if len(pairs) > MAX_CELLS:
        raise InvalidConfig(
            {
                "": (
                    f"The study has {len(pairs):,} cells, but at most {MAX_CELLS} are allowed: "
                    "vary less."
                )
            }
        )
    return [Cell(index, engine, run) for index, (engine, run) in enumerate(pairs)]


def engines(study: StudyConfig) -> list[EngineConfig | None]:
    """Return the engines that the study starts one after another; [None] if it starts none.

    Raises:
        InvalidConfig: one of them is invalid.
    """
    if study.engine is None:
        return [None]
    switches: Sequence[bool | None] = study.chunked or (study.engine.chunked_prefill,)
    further = list(product(*(axis.choices for axis in study.engine_axes)))
    variants = [
        engine_with(
            study.engine.model_copy(update={**spread._asdict(), "chunked_prefill": switch}), chosen
        )
        for spread, switch, chosen in product(study.parallel, switches, further)
    ]
    return list(dict.fromkeys(variants))


def loads(study: StudyConfig) -> list[RunConfig]:
    """Return the runs to measure on each engine: the axes change the run, then the preset derives
    its loads from it (from a mix of 16 requests, the 8 short ones alone).

    Raises:
        InvalidConfig: one of the runs is invalid.
    """
    axes = [
        [_batch(size) for size in study.batches] or [{}],
        [_length(study.run, tokens) for tokens in study.input_lengths] or [{}],
        [_concurrency(most) for most in study.concurrencies] or [{}],
        *([run_changes(choice) for choice in axis.choices] for axis in study.run_axes),
    ]
    first = _probe_run(study)
    runs = [_run(first, changes) for changes in product(*axes)]
    _check_read(study, runs)
    of_preset = PRESETS[study.preset].loads
    configs = [
        _simplified_run({**run.model_dump(), **change}) for run in runs for change in of_preset(run)
    ]
    return list(dict.fromkeys(configs))


def planned(study: StudyConfig, obstacle: Callable[[EngineConfig], str | None]) -> list[GridCell]:
    """Return the grid with each cell's obstacle, if any. Raises InvalidConfig like `cells`."""
    obstacles = {engine: obstacle(engine) for engine in engines(study) if engine is not None}
    return [
        GridCell(cell, obstacles[cell.engine] if cell.engine is not None else None)
        for cell in cells(study)
    ]


def _probe_run(study: StudyConfig) -> RunConfig:
    """The run with the probes' mode of sending, if a capacity is searched."""
    if study.search is None:
        return study.run
    users = study.search.load == "users"
    mode = {"mode": "users"} if users else {"mode": study.search.arrivals, "rate": 1.0}
    return parse({**study.run.model_dump(), **mode, "concurrency": None, "repeats": 1})


def _check_read(study: StudyConfig, runs: Sequence[RunConfig]) -> None:
    """Check that the varied fields affect each run. Raises InvalidConfig."""
    for axis, run in product(study.run_axes, runs):
        if axis.name not in read_fields(run):
            raise InvalidConfig(
                {
                    "axes": (
                        f"axes cannot vary {axis.name}: it has no effect if the mode is {run.mode} "
                        f"and the workload is {run.workload}."
                    )
                }
            )


def _run(run: RunConfig, changes: Sequence[Changes]) -> RunConfig:
    """The run with one value of each axis, and at least as many requests as its max concurrency
    unless an axis sets them."""
    merged: Changes = {}
    for change in changes:
        merged |= change
    if (most := merged.get("concurrency")) is not None and "requests" not in merged:
        merged["requests"] = max(run.requests, most)
    return parse({**run.model_dump(), **merged})


def _simplified_run(values: Changes) -> RunConfig:
    """A run in its simplest form: a max concurrency of all requests is no limit."""
    config = parse(values)
    caps = config.concurrency is not None and config.concurrency < config.requests
    return config if caps else config.model_copy(update={"concurrency": None})


def _batch(size: int) -> Changes:
    return {"mode": "batch", "requests": size}


def _length(run: RunConfig, tokens: int) -> Changes:
    """The prompt length; for a mix, that of the short prompts."""
    workload = {} if run.workload == "mixed" else {"workload": "synthetic"}
    return {**workload, "input_tokens": tokens}


def _concurrency(most: int) -> Changes:
    return {"mode": "batch", "concurrency": most}
