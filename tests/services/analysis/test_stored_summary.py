"""What is kept of a run in short: its measures by repeat, and a key of the work it did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from services.analysis.compare.findings import FAMILY
from services.analysis.compare.stored_summary import (
    ALWAYS,
    stored_summary,
    values_by_repeat,
    work_of,
)
from services.ask import about
from services.ask.config import RunConfig, stored
from services.report.imports import read
from tests.conftest import ROOT
from tests.values import candidate, failed, imported_candidate, measured, run

SECRET = "words of my own"


def test_the_judged_measures_are_kept_by_repeat() -> None:
    both = [measured(i, repeat=r, e2e=2.0 + r, tokens=6) for r in range(2) for i in range(2)]
    stored = stored_summary(candidate([*both, failed(0, repeat=2)]))
    assert tuple(stored["by_repeat"]) == tuple(FAMILY)
    assert stored["by_repeat"]["e2e_s_median"] == [2.0, 3.0, None]
    assert stored["by_repeat"]["output_tokens_per_s"] == [6.0, 4.0, None]  # 12 tokens in 2 and 3 s
    assert values_by_repeat(stored, "e2e_s_median") == {0: 2.0, 1: 3.0}
    assert (stored["ok"], stored["error_rate"]) == (4, 0.2)
    assert orjson.loads(orjson.dumps(stored)) == stored


def test_the_titles_of_warnings_are_stored_and_notes_are_not() -> None:
    one_by_one = {"mode": "sequential", "requests": 2}
    fine = candidate([measured(0, send=0.0), measured(1, send=3.0)], **one_by_one)
    assert stored_summary(fine)["warnings"] == []  # one repeat is a note
    one_failed = candidate([measured(0, send=0.0), failed(1, t_send=3.0)], **one_by_one)
    assert stored_summary(one_failed)["warnings"] == ["1 of 2 requests failed"]


def test_results_of_an_older_paceline_have_no_repeats() -> None:
    assert values_by_repeat({"e2e_s_median": 3.0}, "e2e_s_median") == {}


def test_a_missing_repeat_is_stored_as_none() -> None:
    stored = stored_summary(candidate([measured(repeat=0), measured(repeat=2)]))
    assert stored["by_repeat"]["e2e_s_median"] == [3.0, None, 3.0]
    assert stored_summary(candidate([]))["by_repeat"]["e2e_s_median"] == []


def test_an_imported_summary_is_stored_as_one_repeat() -> None:
    data = (ROOT / "tests/data/imports/vllm/serve_summary.json").read_bytes()
    stored = stored_summary(imported_candidate(read(data, "f")[0]))
    assert stored["by_repeat"]["output_tokens_per_s"] == [stored["output_tokens_per_s"]]
    assert stored["by_repeat"]["ttft_s_median"] == [stored["ttft_s_median"]]
    assert stored["by_repeat"]["e2e_s_median"] == []


def work(**config: Any) -> str:
    return work_of(run(**config))


@pytest.mark.parametrize(
    "changes",
    [
        {"requests": 6},
        {"mode": "sequential"},
        {"concurrency": 2},
        {"max_tokens": 64},
        {"temperature": 0.5},
        {"top_p": 0.9},
        {"unique_prompts": False},
        {"ignore_eos": True},
        {"workload": "text", "prompt": SECRET},
        {"workload": "synthetic"},
        {"workload": "synthetic", "input_tokens": 64},
        {"workload": "synthetic", "seed": 2},
        {"temperature": 0.5, "seed": 2},
        {"stop_after_s": 5},
        {"client": "litellm"},
    ],
)
def test_different_work_has_a_different_key(changes: dict[str, Any]) -> None:
    keys = {work(), work(**changes), work(workload="text", prompt="else")}
    keys |= {work(output_distribution="normal", seed=seed) for seed in (1, 2)}
    keys |= {work(workload="synthetic", seed=1), work(temperature=0.5, seed=1)}
    assert len(keys) == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"backend": "vllm", "model": "other"},
        {"repeats": 5, "warmup": 3},
        {"timeout_s": 9, "processes": 2, "calibrate": True},
        {"pause_s": 9, "interval_s": 9},  # which a batch does not read
        {"seed": 2},  # nor an answer without chance
    ],
)
def test_the_same_work_has_the_same_key(changes: dict[str, Any]) -> None:
    assert work(**changes) == work()


def test_a_run_of_another_tool_counts_as_other_work() -> None:
    assert work_of(replace(run(), source={"tool": "guidellm"})) != work()
    assert work_of(replace(run(), source={"tool": "Paceline"})) == work()


def test_no_prompt_is_kept() -> None:
    stored = stored_summary(candidate([measured()], workload="text", prompt=SECRET))
    assert len(stored["work"]) == 16
    assert not any(word in str(stored) for word in SECRET.split() if len(word) > 3)


def test_every_field_of_work_is_in_the_key() -> None:
    """A field that is not always part of it is, where it differs from its default."""
    of_work = about.names(RunConfig, lambda known: known.role == "work")
    assert set(ALWAYS) < set(of_work)
    usual = work(mode="gamma")
    assert work(mode="gamma", burstiness=0.5) != usual
    assert work(mode="gamma", retries=2) != usual
    assert work(mode="gamma", rate_steps=9) == usual  # which only steps reads


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"temperature": 0.0, "top_p": 1.0}, "0e1cca38a485c457"),
        ({}, "0e1cca38a485c457"),  # what is sent has not changed but for a top-p without effect
        ({"temperature": 0.7, "top_p": 0.9}, "f25274559aad61aa"),
        ({"mode": "batch", "concurrency": 8, "requests": 64}, "e2e7044847bc30fe"),
        ({"mode": "staggered", "interval_s": 0.5, "ignore_eos": True}, "78482ae9d942f837"),
        ({"workload": "text", "prompt": "Hello"}, "a64df7dadd77fb97"),
        ({"workload": "file", "prompts": ("a", "b"), "unique_prompts": False}, "cfc4d3402367b7bf"),
        ({"workload": "synthetic", "seed": 3, "input_tokens": 64}, "ca889cbd12fde10e"),
        (
            {"workload": "mixed", "requests": 8, "long_every": 4, "long_max_tokens": 9},
            "1c7f8fe5ae1b6764",
        ),
        (
            {"temperature": 0.7, "seed": 5, "stop_after_s": 9.0, "stop_after_errors": 2},
            "3bc80d75606694fe",
        ),
        ({"extra_body": {"min_tokens": 64}, "omit": ("temperature",)}, "81984418e34ba06d"),
        ({"client": "litellm", "mode": "sequential", "pause_s": 0.0}, "3639d98821c1cd74"),
    ],
)
def test_the_key_of_work_that_was_stored_stays_the_same(fields: dict[str, Any], key: str) -> None:
    config = stored({"backend": "vllm", "model": "m", **fields})
    assert work_of(replace(run(), config=config)) == key


@pytest.mark.parametrize(
    "changes",
    [
        {"omit": ["temperature"]},
        {"omit": ["max_tokens"]},
        {"extra_body": {"min_tokens": 64}},
        {"backend": "openai"},  # which is sent no temperature unless asked for
    ],
)
def test_fields_that_change_the_answers_count_as_other_work(changes: dict[str, Any]) -> None:
    assert work(**changes) != work()
