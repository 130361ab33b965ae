"""What a run may be asked to be, and what is said where it may not."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from services.ask.config import RunConfig, parse
from services.ask.config.load import Mode
from services.ask.own_prompts import without_prompts
from services.ask.problems import InvalidConfig, sentences_of

*OTHERS, LAST = get_args(Mode)


def problems(values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidConfig) as found:
        parse(values)
    assert str(found.value) == " ".join(found.value.problems.values())
    return found.value.problems


def test_a_run_can_be_started_with_defaults_alone() -> None:
    config = parse({})
    assert config == RunConfig()
    assert (config.backend, config.mode, config.requests) == ("embedded", "sequential", 5)
    assert (config.pause_s, config.interval_s) == (2.0, 0.06125)


def test_a_config_round_trips_through_json() -> None:
    config = parse({"prompts": ["a", "b"], "seed": 7, "stop_after_s": 1.5, "concurrency": 2})
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        RunConfig().requests = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"requests": 0}, "requests must be at least 1 (got 0)."),
        ({"requests": "x"}, "requests must be a whole number (got 'x')."),
        ({"requests": 1.5}, "requests must be a whole number (got 1.5)."),
        ({"requests": ""}, "requests must be a whole number."),
        ({"requests": "9" * 5000}, "requests must be a whole number with fewer digits."),
        ({"requests": 10**50}, "requests must be at most 1000000."),
        ({"requests": True}, "requests must be a number, not true or false."),
        ({"concurrency": False}, "concurrency must be a number, not true or false."),
        ({"pause_s": "soon"}, "pause_s must be a number (got 'soon')."),
        ({"pause_s": -1}, "pause_s must be at least 0 (got -1)."),
        ({"pause_s": float("nan")}, "pause_s must be a finite number (got nan)."),
        ({"timeout_s": 0}, "timeout_s must be more than 0 (got 0)."),
        ({"usd_per_hour": 2e6}, "usd_per_hour must be at most 1000000 (got 2000000.0)."),
        ({"timeout_s": 1e6}, "timeout_s must be at most 86400 (got 1000000.0)."),
        ({"top_p": 0}, "top_p must be more than 0 (got 0)."),
        (
            {"mode": "warp"},
            f"mode must be one of {', '.join(map(repr, OTHERS))} or {LAST!r} (got 'warp').",
        ),
        ({"unique_prompts": "often"}, "unique_prompts must be true or false (got 'often')."),
        ({"model": 5}, "model must be text."),
        ({"model": "\ud800"}, "model contains an invalid Unicode character."),
        ({"model": "x" * 301}, "model must be at most 300 characters long."),
        ({"prompts": "hello"}, "prompts must be a list."),
        ({"prompts": ["a", 5]}, "prompts (entry 2) must be text."),
        ({"prompts": ["a", " "]}, "prompts contain an empty prompt. Remove it."),
        ({"prompts": ["a"] * 10001}, "prompts must have at most 10000 entries."),
        ({"prompts": []}, "prompts are missing. Give a JSONL or CSV file with prompts."),
        ({"prompt": " \n"}, "prompt is empty. Write the prompt, or choose another workload."),
        ({"speed": "sk-secret"}, "speed is not a known field."),
    ],
)
def test_an_invalid_field_is_named_in_the_message(values: dict[str, Any], sentence: str) -> None:
    (field,) = values
    assert problems(values) == {field: sentence}


def test_every_wrong_field_is_named_at_once() -> None:
    messages = problems({"requests": 0, "top_p": 2, "seed": -1, "warmup": 3})
    assert list(messages) == ["requests", "top_p", "seed"]


@pytest.mark.parametrize("value", [[1], "text", 5, None])
def test_only_an_object_is_a_config(value: Any) -> None:
    with pytest.raises(ValidationError) as found:
        RunConfig.model_validate(value)
    assert sentences_of(found.value.errors()) == {"": "The run must be a JSON object."}


# --- where prompts come from -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "workload"),
    [
        ({}, "builtin"),
        ({"prompt": "Why?"}, "text"),
        ({"prompts": ["Why?"]}, "file"),
        ({"input_tokens": 64}, "synthetic"),
        ({"prompt": None, "input_tokens": None}, "builtin"),
        ({"prompt": "Why?", "workload": "builtin"}, "builtin"),
        ({"prompt": "Why?", "input_tokens": 64, "workload": "synthetic"}, "synthetic"),
    ],
)
def test_the_workload_follows_from_the_source_of_prompts(
    values: dict[str, Any], workload: str
) -> None:
    present = {name: value for name, value in values.items() if value is not None}
    assert parse(present).workload == workload


def test_two_sources_of_prompts_are_refused() -> None:
    messages = problems({"prompt": "a", "prompts": ["b"]})
    assert messages == {"workload": "workload is ambiguous. Give prompt or prompts, not both."}


def test_own_prompts_are_replaced_by_their_number_and_length() -> None:
    for values, number, length in [
        ({"prompt": "secret"}, 1, 6),
        ({"prompts": ["secret", "secrets"]}, 2, 13),
        ({}, 0, 0),
    ]:
        data = without_prompts(parse(values))
        assert (data["own_prompts"], data["own_prompt_characters"]) == (number, length)
        assert "secret" not in str(data)
        assert set(data) - {"own_prompts", "own_prompt_characters", "own_prompt_turns"} == (
            set(RunConfig.model_fields) - {"prompt", "prompts"}
        )


# --- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (None, None),
        ("  ", None),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (" https://example.org/v1/ ", "https://example.org/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("HTTP://EXAMPLE.org", "HTTP://EXAMPLE.org"),
    ],
)
def test_an_address_is_stored_as_it_was_written(written: str | None, stored: str | None) -> None:
    assert parse({"base_url": written}).base_url == stored


@pytest.mark.parametrize(
    "written",
    [
        "example.org",
        "me:topsecret@example.org",
        "ftp://me:topsecret@example.org",
        "http://",
        "http:///v1",
        "http://me:topsecret@example.org",
        "http://topsecret@example.org",
        "http://me:topsecret?x@example.org",
        "http://example.org?key=topsecret",
        "http://example.org#topsecret",
        "http://[topsecret",
        "http://example.org:topsecret",
        "http://example.org:99999",
    ],
)
def test_an_invalid_address_is_not_repeated_in_the_message(written: str) -> None:
    messages = problems({"base_url": written})
    assert list(messages) == ["base_url"]
    assert "topsecret" not in str(messages)
