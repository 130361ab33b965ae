"""Configurations have names that tell them apart, and the right one to be held against."""

from __future__ import annotations

import pytest

from services.ask.config import RunConfig
from services.servers.engines import EngineConfig
from services.studies import Cell
from services.studies.configuration import baseline_of, configuration_of, labels_of


def names(*engines: EngineConfig) -> list[str]:
    cells = (Cell(at, engine, RunConfig()) for at, engine in enumerate(engines))
    return list(labels_of(map(configuration_of, cells)).values())


@pytest.mark.parametrize(
    ("engines", "labels"),
    [
        ([EngineConfig(), EngineConfig(tp=2, pp=2)], ["TP 1", "TP 2 · PP 2"]),
        ([EngineConfig(engine=e) for e in ("vllm", "sglang")], ["TP 1 · vllm", "TP 1 · sglang"]),
        (
            [EngineConfig(chunked_prefill=on) for on in (True, False, None)],
            [
                "TP 1 · chunked prefill on",
                "TP 1 · chunked prefill off",
                "TP 1 · chunked prefill not set",
            ],
        ),
        (
            [EngineConfig(model=m) for m in ("/a/tiny", "/b/tiny", "")],
            ["TP 1 · tiny", "TP 1 · tiny (2)", "TP 1 · packaged model"],
        ),
        (
            [EngineConfig(extra=e) for e in ("", "--x 1")],
            ["TP 1 · no extra arguments", "TP 1 · --x 1"],
        ),
        (
            [EngineConfig(extra="--long " + "y" * 50 + e) for e in ("", " --x 1 --eager", " -O 3")],
            ["TP 1 · no other arguments", "TP 1 · --x 1 --eager", "TP 1 · -O 3"],
        ),
    ],
)
def test_a_configuration_is_named_by_what_differs(
    engines: list[EngineConfig], labels: list[str]
) -> None:
    assert names(*engines) == labels


def test_a_long_value_is_shortened_in_a_name() -> None:
    assert max(map(len, names(EngineConfig(extra="--x " + "y" * 500), EngineConfig()))) < 80


def test_existing_servers_are_labelled_by_what_differs() -> None:
    cells = [
        Cell(at, None, RunConfig(backend="vllm", base_url=f"http://127.0.0.1:{at}/v1"))
        for at in (1, 2)
    ]
    configurations = [configuration_of(cell) for cell in cells]
    assert list(labels_of(configurations).values()) == [
        "http://127.0.0.1:1/v1",
        "http://127.0.0.1:2/v1",
    ]
    assert list(labels_of(configurations[:1]).values()) == ["vllm"]
    assert configurations[0].ranks is None
    assert baseline_of(configurations[1], configurations) == configurations[0]


def test_the_start_timeout_does_not_make_another_configuration() -> None:
    first, second = (Cell(0, EngineConfig(start_timeout_s=s), RunConfig()) for s in (60.0, 600.0))
    assert configuration_of(first) == configuration_of(second)


def test_among_equally_many_devices_tensor_parallel_is_the_baseline() -> None:
    engines = [EngineConfig(dp=2), EngineConfig(pp=2), EngineConfig(tp=2), EngineConfig(tp=4)]
    configurations = [configuration_of(Cell(0, engine, RunConfig())) for engine in engines]
    assert {baseline_of(configuration, configurations) for configuration in configurations} == {
        configurations[2]
    }
