"""A link says what differs from the run that the form starts from, and no prompt."""

from __future__ import annotations

from typing import Any

import pytest

from services.ask.config import RunConfig
from services.ask.link import query, read

START = RunConfig(model="tiny", concurrency=4, seed=7)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"backend": "url", "base_url": "http://127.0.0.1:8000/v1", "model": "a/b c&d=e?#ü"},
        {"mode": "staggered", "requests": 64, "interval_s": 0.0125, "pause_s": 0.0},
        {"concurrency": None, "seed": None, "stop_after_s": 1.5, "stop_after_errors": 3},
        {"workload": "synthetic", "input_tokens": 2048, "temperature": 0.123456789, "top_p": 0.95},
        {"ignore_eos": True, "unique_prompts": False, "client": "litellm"},
    ],
)
def test_a_config_round_trips_through_its_link(changes: dict[str, Any]) -> None:
    wanted = START.model_copy(update=changes)
    link = query(wanted.model_dump(), START)
    assert set(link) == set(changes)
    config, problems = read(link, START)
    assert problems == ()
    assert config == wanted


def test_a_persons_prompts_are_in_no_link() -> None:
    own = RunConfig(workload="file", prompts=("a secret",), prompt="another")
    assert query(own.model_dump(), RunConfig()) == {"workload": "file"}


def test_a_link_keeps_the_prompts_of_the_run_it_starts_from() -> None:
    start = RunConfig(workload="file", prompts=("a secret",))
    assert read({"requests": "9"}, start)[0] == start.model_copy(update={"requests": 9})


def test_invalid_values_are_named_and_the_rest_is_read() -> None:
    config, problems = read({"requests": "0", "max_tokens": "9", "mode": "x", "y": "1"}, START)
    assert config == START.model_copy(update={"max_tokens": 9})
    assert [sentence.split()[0] for sentence in problems] == ["requests", "mode", "y"]


@pytest.mark.parametrize("name", ["prompt", "prompts"])
def test_a_prompt_is_not_read_from_a_link(name: str) -> None:
    assert read({name: "hello"}, START) == (START, (f"{name} cannot be set by a link.",))


def test_an_empty_number_is_none_only_where_none_is_allowed() -> None:
    config, problems = read({"concurrency": "", "requests": ""}, START)
    assert config.concurrency is None
    assert config.requests == START.requests
    assert len(problems) == 1
