"""The candidates of a comparison: written into a link, read back, told apart."""

from __future__ import annotations

from typing import Any

import pytest

from services.analysis.candidates import (
    SAME,
    candidates,
    from_text,
    is_right_count,
    names,
    to_text,
    values_of,
)
from services.ask.config import RunConfig
from services.ask.problems import InvalidConfig

START = RunConfig(requests=8)


@pytest.mark.parametrize(
    "others",
    [
        [{}],
        [{"mode": "batch", "concurrency": 8}],
        [{"max_tokens": 16}, {"max_tokens": 64}, {}],
        [{"backend": "url", "base_url": "http://127.0.0.1:8000/v1", "model": "a;b&c=d"}],
        [{"temperature": 0.25, "ignore_eos": True}],
    ],
)
def test_candidates_round_trip_through_text(others: list[dict[str, Any]]) -> None:
    assert from_text(to_text(others), START) == (others, ())


def test_candidates_without_changes_are_written_as_same() -> None:
    assert to_text([{}, {}]) == f"{SAME};{SAME}"
    assert from_text("", START) == ([], ())


def test_a_candidate_is_written_with_all_its_values() -> None:
    assert to_text([{"backend": "embedded", "requests": 8}]) == "backend=embedded&requests=8"


def test_another_backend_does_not_inherit_the_address() -> None:
    at = {"backend": "vllm", "base_url": "http://127.0.0.1:8001/v1", "model": "m"}
    _, ollama, same = candidates(at, [{"backend": "ollama"}, {"model": "n"}])
    assert (ollama.base_url, ollama.model) == (None, "m")
    assert (same.base_url, same.model) == (at["base_url"], "n")


def test_two_servers_of_one_kind_are_labelled_by_address() -> None:
    both = candidates(
        {"backend": "vllm"}, [{"backend": "vllm", "base_url": "http://127.0.0.1:8001/v1"}]
    )
    three = candidates({}, [{"backend": "vllm"}, {"backend": "vllm", "base_url": "http://h:1/v1"}])
    assert names(three, "", ["a", "b", "b"]) == ["a", "b · its own address", "b · h:1"]
    unnamed = candidates({"base_url": "http://h:1", "model": "m"}, [{"base_url": "http://h:2"}])
    unnamed[1] = unnamed[1].model_copy(update={"model": ""})  # none has been chosen yet
    assert names(unnamed, "Mine", ["a", "b"]) == ["Mine · h:1 · m", "Mine · h:2"]
    assert names(both, "", ["vllm", "vllm"]) == ["vllm · its own address", "vllm · 127.0.0.1:8001"]


def test_invalid_values_in_a_link_are_reported_and_the_rest_is_kept() -> None:
    candidates_read, problems = from_text("max_tokens=0&requests=4;prompt=secret;nonsense=1", START)
    assert candidates_read[0] == {"max_tokens": 128, "requests": 4}
    assert len(candidates_read) == 3
    text = " ".join(problems)
    assert "max_tokens must be at least 1" in text
    assert "prompt cannot be set by a link" in text
    assert "nonsense is not a known field" in text


def test_at_most_eight_candidates_are_read() -> None:
    candidates_read, _ = from_text(";".join([SAME] * 20), START)
    assert len(candidates_read) == 7
    assert is_right_count(candidates_read)
    assert not is_right_count([])
    assert not is_right_count([{}] * 8)


def test_candidates_inherit_unchanged_fields() -> None:
    first, second = candidates({"prompt": "Hello", "requests": 3}, [{"mode": "batch"}])
    assert (first.mode, second.mode) == ("sequential", "batch")
    assert (second.prompt, second.workload, second.requests) == ("Hello", "text", 3)


def test_an_invalid_candidate_is_named() -> None:
    with pytest.raises(InvalidConfig, match=r"max_tokens must be at least 1 .*\(candidate 3\)"):
        candidates({}, [{}, {"max_tokens": 0}])


def test_values_of_a_field_are_separated_by_commas() -> None:
    assert values_of("concurrency", "1, 8 ,64,") == [{"concurrency": n} for n in (1, 8, 64)]
    with pytest.raises(InvalidConfig, match="whole number"):
        values_of("concurrency", "1, many")


def test_each_candidate_is_labelled_by_what_differs() -> None:
    modes = candidates({"requests": 8}, [{"mode": "batch", "concurrency": 8}])
    made = ["embedded · sequential", "embedded · batch"]
    assert names(modes, "", made) == [
        "embedded · sequential",
        "embedded · batch · concurrency 8",
    ]
    assert names(modes, "Mine", made) == [
        "Mine · sequential",
        "Mine · batch 8",
    ]
    paced = candidates({"mode": "staggered", "interval_s": 0.5}, [{"interval_s": 0.06125}])
    assert names(paced, "Mine", ["", ""]) == ["Mine · interval 0.5 s", "Mine · interval 0.06125 s"]
    assert names(candidates({}, [{}]), "", ["x", "x"]) == ["x · A", "x · B"]
