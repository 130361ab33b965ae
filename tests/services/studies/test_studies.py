"""What a study asks for: presets, parallel sizes, the grid, what is in its way."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig
from services.ask.workloads.mixed import CLASSES, alone
from services.servers.engines import EngineConfig
from services.studies.grid import cells, engines, loads, planned
from services.studies.parallel import Parallel, format_parallel, parse_parallel
from services.studies.presets import PRESETS
from services.studies.study_config import StudyCapacity, StudyConfig, parse_study
from services.studies.work import work_of

SIZES = some.integers(1, 64)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("TP=4 PP=2 DP=1", [(4, 2, 1)]),
        ("tp=2", [(2, 1, 1)]),
        ("TP 2 · PP 2; dp4", [(2, 2, 1), (1, 1, 4)]),
        ("1, 2, 4x2, 2×1×2", [(1, 1, 1), (2, 1, 1), (4, 2, 1), (2, 1, 2)]),
        ("", []),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, sizes: list[tuple[int, ...]]) -> None:
    assert [tuple(size) for size in parse_parallel(text)] == sizes


@given(some.lists(some.builds(Parallel, SIZES, SIZES, SIZES), max_size=6))
def test_sizes_round_trip_through_text(sizes: list[Parallel]) -> None:
    assert list(parse_parallel(format_parallel(sizes))) == sizes


@pytest.mark.parametrize("text", ["TP=0", "TP=65", "XP=2", "TP=2 TP=4", "2y2", "-1", "1x2x3x4"])
def test_invalid_sizes_are_refused_with_a_message(text: str) -> None:
    with pytest.raises(InvalidConfig, match="Write TP=4 PP=2 DP=1"):
        parse_parallel(text)


def test_the_grid_has_every_engine_with_every_load_one_start_each() -> None:
    study = parse_study(
        {
            "engine": {"engine": "vllm", "dtype": "float32"},
            "parallel": [[1, 1, 1], [2, 1, 1], [2, 1, 1]],
            "chunked": [True, False],
            "batches": [1, 8],
            "input_lengths": [64, 128],
        }
    )
    grid = cells(study)
    assert [cell.index for cell in grid] == list(range(16))
    starts = [cell.engine for cell in grid]
    switches = sum(start != after for start, after in pairwise(starts))
    assert switches == len(set(starts)) - 1, "an engine would start twice"
    assert {(e.tp, e.chunked_prefill, e.dtype) for e in starts if e} == {
        (size, switch, "float32") for size in (1, 2) for switch in (True, False)
    }
    first = grid[0].config
    assert (first.mode, first.requests, first.workload, first.input_tokens) == (
        "batch",
        1,
        "synthetic",
        64,
    )


def test_a_concurrency_beyond_the_requests_sends_as_many() -> None:
    study = StudyConfig(run=RunConfig(requests=4), concurrencies=(1, 4, 8))
    assert [(run.concurrency, run.requests) for run in loads(study)] == [
        (1, 4),
        (None, 4),
        (None, 8),
    ]


def test_batches_crossed_with_concurrencies_keep_their_size() -> None:
    study = StudyConfig(batches=(2, 8), concurrencies=(4,))
    assert [(run.requests, run.concurrency) for run in loads(study)] == [(2, None), (8, 4)]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_a_grid(name: str) -> None:
    preset = PRESETS[name]
    study = StudyConfig(
        preset=name,
        engine=EngineConfig() if preset.starts_engines else None,
        parallel=preset.parallel,
        chunked=preset.chunked,
        batches=preset.batches,
        input_lengths=preset.input_lengths,
        concurrencies=preset.concurrencies,
        search=StudyCapacity() if preset.capacity else None,
        run=RunConfig(**dict(preset.run)),
    )
    grid = cells(study)
    assert len(grid) == len(engines(study)) * len(loads(study)) > 1


def test_the_mixed_study_has_each_kind_alone_and_both_together() -> None:
    preset = PRESETS["mixed"]
    run = RunConfig(**dict(preset.run))
    configs = loads(StudyConfig(preset="mixed", engine=EngineConfig(), run=run))
    assert [config.workload for config in configs] == ["synthetic", "synthetic", "mixed"]
    assert configs[0].requests + configs[1].requests == configs[2].requests


def mixed(**axes: object) -> StudyConfig:
    run = RunConfig(**dict(PRESETS["mixed"].run))
    return StudyConfig(preset="mixed", engine=EngineConfig(), run=run).model_copy(update=axes)


@pytest.mark.parametrize(
    "axes",
    [
        {"batches": (8, 16)},
        {"input_lengths": (64, 256)},
        {"concurrencies": (3, 15)},
        {"batches": (6, 9), "input_lengths": (64, 256), "concurrencies": (2,)},
    ],
)
def test_every_mix_of_a_mixed_study_has_its_classes_alone(
    axes: dict[str, object],
) -> None:
    configs = loads(mixed(**axes))
    mixes = [config for config in configs if config.workload == "mixed"]
    points = [len(values) for values in axes.values() if isinstance(values, tuple)]
    assert len(mixes) == prod(points)
    there = {work_of(config) for config in configs}
    assert all(work_of(alone(mix, name)) in there for mix in mixes for name in CLASSES)


def test_a_length_of_a_mixed_study_is_that_of_the_short_prompts() -> None:
    configs = loads(mixed(input_lengths=(64, 256)))
    assert [(config_.workload, config_.input_tokens) for config_ in configs] == [
        ("synthetic", 64),
        ("synthetic", 1024),
        ("mixed", 64),
        ("synthetic", 256),
        ("mixed", 256),  # the long ones alone are the same
    ]
    mix = RunConfig(workload="mixed", requests=8)
    (config_,) = loads(StudyConfig(run=mix, input_lengths=(64,)))
    assert (config_.workload, config_.input_tokens) == ("mixed", 64)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"batches": (1,)}, "leaves no long request among 1"),
        ({"input_lengths": (2048,)}, "long_input_tokens must be at least input_tokens"),
    ],
)
def test_an_impossible_mix_is_refused_with_a_message(axes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfig, match=message):
        loads(mixed(**axes))


def test_a_batch_size_of_clients_is_how_many_requests_they_send() -> None:
    configs = loads(StudyConfig(preset="clients", batches=(8, 16)))
    each = [("sequential", None), ("staggered", None), ("batch", 5), ("batch", None)]
    assert [(config.requests, config.mode, config.concurrency) for config in configs] == [
        (requests, *load) for requests in (8, 16) for load in each
    ]


def test_a_concurrency_of_clients_is_how_many_they_are() -> None:
    configs = loads(StudyConfig(preset="clients", run=RunConfig(requests=8), concurrencies=(2, 4)))
    assert [(config.mode, config.concurrency) for config in configs] == [
        ("sequential", None),
        ("staggered", None),
        ("batch", 2),
        ("batch", None),
        ("batch", 4),
    ]


def test_a_small_number_of_requests_is_kept_in_every_mode() -> None:
    configs = loads(StudyConfig(preset="clients", run=RunConfig(requests=3)))
    assert [(config.requests, config.mode, config.concurrency) for config in configs] == [
        (3, "sequential", None),
        (3, "staggered", None),
        (3, "batch", None),
    ]


def test_a_cell_that_cannot_run_here_has_a_reason() -> None:
    study = StudyConfig(engine=EngineConfig(), parallel=(Parallel(), Parallel(8)), batches=(1,))
    grid = planned(study, lambda config: "needs 8 GPUs" if config.ranks > 1 else None)
    assert [cell.obstacle for cell in grid] == [None, "needs 8 GPUs"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"preset": "x"}, "preset must be one of tensor"),
        ({"parallel": [[2, 1, 1]]}, "engine is missing"),
        ({"engine": {"engine": "x"}}, "engine must be one of"),
        ({"engine": {"tp": 0}}, "tp must be at least 1"),
        ({"run": {"requests": 0}}, "requests must be at least 1"),
        ({"batches": [0]}, "batches"),
        ({"engine": {"extra": "'"}}, "a quote that is not closed"),
        ({"unknown": 1}, "is not a known field"),
    ],
)
def test_an_invalid_study_is_refused_with_a_message(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidConfig, match=message):
        parse_study(values)


def test_a_grid_has_at_most_300_cells() -> None:
    study = StudyConfig(batches=tuple(range(1, 31)), input_lengths=tuple(range(1, 12)))
    with pytest.raises(InvalidConfig, match="has 330 cells, but at most 300"):
        cells(study)
