"""The choices of a capacity search as a link, and back."""

from __future__ import annotations

from typing import Any

import pytest

from services.ask.config import RunConfig
from services.studies.capacity_config import CapacityConfig, parse_capacity
from services.studies.capacity_link import query, read

HERE = {"backend": "url", "base_url": "http://127.0.0.1:8000/v1", "model": "a"}
THERE = {**HERE, "base_url": "http://127.0.0.1:8001/v1"}


def search(*servers: dict[str, Any], **own: Any) -> CapacityConfig:
    return parse_capacity({**own, "servers": [RunConfig(**values) for values in servers or [{}]]})


SEARCHES = (
    search(),
    search(HERE, objectives=("ttft:p95<0.5", "error_rate<0.01"), load="users", window_s=30.0),
    search({**HERE, "max_tokens": 7}, {**THERE, "max_tokens": 7}, precision=0.1, probes=20),
    search(HERE, {**HERE, "model": "b"}, arrivals="constant", lowest=2.0, highest=50.0, margin=0.1),
    search(HERE, HERE),
    search(HERE, {**HERE, "backend": "vllm"}),
    search(HERE, THERE, HERE, {**HERE, "model": "d"}),
    search(*[{**HERE, "model": name} for name in "abcdefgh"]),
)


@pytest.mark.parametrize("config", SEARCHES)
def test_a_link_opens_the_form_as_it_was(config: CapacityConfig) -> None:
    linked = read(query(config, RunConfig()), RunConfig())
    assert linked.problems == () and linked.config == config


def test_a_link_contains_neither_defaults_nor_fields_of_probes() -> None:
    assert query(search(), RunConfig()) == {}
    assert query(search({"requests": 3, "mode": "batch"}), RunConfig()) == {}
    parameters = query(SEARCHES[1], RunConfig())
    assert parameters["objectives"] == "ttft:p95<0.5,error_rate<0.01"
    assert (parameters["load"], parameters["window_s"]) == ("users", "30")


def test_errors_are_reported_and_the_rest_applies() -> None:
    linked = read({"objectives": "speed<1", "window_s": "30", "probes": "x"}, RunConfig())
    assert len(linked.problems) == 2 and linked.config.window_s == 30.0
    linked = read({"lowest": "5", "highest": "2"}, RunConfig())
    assert linked.config == search(lowest=5.0) and len(linked.problems) == 1
