"""Mixes are held against what is the same but for one thing, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.ask.config import RunConfig, parse
from services.ask.workloads.mixed import CLASSES, alone, class_of
from services.servers.engines import EngineConfig
from services.studies.cell import Cell, MeasuredCell
from services.studies.mixes import mixes, sentences
from services.studies.report import report
from tests.values import STEADY, candidate, measured


def mix(requests: int, concurrency: int | None = None) -> RunConfig:
    return parse(
        {
            "workload": "mixed",
            "mode": "batch",
            "requests": requests,
            "concurrency": concurrency,
            "model": "tiny",
        }
    )


def cells(engine: EngineConfig, whole: RunConfig, slower: float = 1.0) -> list[MeasuredCell]:
    """Short alone, long alone, and both, where short requests take `slower` times as long."""
    return [
        _cell(engine, config, slower if config is whole else 1.0)
        for config in (*(alone(whole, name) for name in CLASSES), whole)
    ]


def _cell(engine: EngineConfig, config: RunConfig, slower: float) -> MeasuredCell:
    seen = [
        measured(at, repeat=repeat, ttft=seconds * vary, e2e=4 * seconds * vary)
        for repeat, vary in enumerate(STEADY)
        for at in range(config.requests)
        for seconds in [slower if class_of(config, at) == "short" else 1.0]
    ]
    return MeasuredCell(Cell(0, engine, config), candidate(seen, **config.model_dump()))


def both(loads: Sequence[RunConfig]) -> list[MeasuredCell]:
    on, off = (EngineConfig(chunked_prefill=switch) for switch in (True, False))
    return [cell for load in loads for cell in (*cells(on, load), *cells(off, load, 2.0))]


@pytest.mark.long
def test_chunked_prefill_is_judged_at_each_size_by_itself() -> None:
    texts = sentences(mixes(both([mix(8), mix(16)])))
    assert [text.partition(":")[0] for text in texts[:2]] == [
        "Chunked prefill helps short requests next to long ones (TP 1 · batch 8)",
        "Chunked prefill helps short requests next to long ones (TP 1 · batch 16)",
    ]
    assert len(texts) == 6
    assert texts[2].partition(":")[0].endswith("(TP 1 · chunked prefill on · batch 8)")


def test_a_report_of_two_sizes_begins_with_a_claim() -> None:
    result = report(both([mix(8), mix(16)]))
    assert result.headline.startswith("Chunked prefill helps") and result.details


def test_one_pair_needs_no_label() -> None:
    texts = sentences(mixes(both([mix(8)])))
    assert texts[0].startswith("Chunked prefill helps short requests next to long ones: their TTFT")


def test_cells_of_different_loads_are_not_paired() -> None:
    off = EngineConfig(chunked_prefill=False)
    result = mixes([*cells(EngineConfig(chunked_prefill=True), mix(8)), *cells(off, mix(16))])
    assert not [text for text in sentences(result) if text.startswith("Chunked")]


def test_a_cap_that_is_never_reached_counts_as_none() -> None:
    """7 of 8 at once: all 4 of a class fit, with or without the cap."""
    three = cells(EngineConfig(), mix(8, 7))
    bare = [
        replace(cell_, cell=replace(cell_.cell, config=_uncapped(cell_.cell.config)))
        for cell_ in three[:2]
    ]
    assert len(mixes([*bare, three[2]])) == 1


def _uncapped(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"concurrency": None})
