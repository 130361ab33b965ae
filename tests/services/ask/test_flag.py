"""A run as the command that measures it again."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser
from typing import Any

import pytest

from cli.run_fields import add_arguments
from cli.run_fields import values as values_of
from services.ask.config import RunConfig, parse, stored
from services.ask.flag import command

RUNS: tuple[dict[str, Any], ...] = (
    {},
    {"backend": "url", "base_url": "http://10.0.0.1:8000/v1", "model": "it's a model"},
    {"mode": "batch", "requests": 64, "concurrency": 8, "repeats": 5, "temperature": 0.7},
    {"mode": "staggered", "interval_s": 0.25, "timeout_s": 20, "ignore_eos": True, "seed": 7},
    {"unique_prompts": False, "omit": ["temperature", "top_p"], "headers": {"X-Route": "a b"}},
    {"workload": "synthetic", "input_tokens": 100, "extra_body": {"min_p": 0.1}},
    {"calibrate": False, "ttft_limit_s": 0.5, "usd_per_hour": 2.5},
)


@pytest.mark.parametrize("fields", RUNS)
def test_the_command_measures_as_the_run_did(fields: dict[str, Any]) -> None:
    config = parse(fields)
    line = command(config)
    assert line is not None
    python, script, name, *flags = shlex.split(line)
    assert (python, script, name) == ("python", "cli.py", "run")
    parser = ArgumentParser()
    add_arguments(parser)
    assert parse(values_of(parser.parse_args(flags))) == config


def test_prompts_of_a_persons_own_are_in_no_command() -> None:
    assert command(RunConfig(workload="text", prompt="a secret")) is None


def test_a_secret_of_a_run_stored_long_ago_is_in_no_command() -> None:
    old = {"base_url": "http://h/sk-abcdef1234567890/v1", "requests": 7}
    config = stored({**parse({}).model_dump(mode="json"), **old})
    assert command(config) == "python cli.py run --requests 7"


def test_a_command_has_no_number_of_requests_beside_a_duration() -> None:
    """Which a stored run may have: a probe of a search whose server had a number."""
    usual = RunConfig().model_dump(mode="json")
    both = stored({**usual, "mode": "users", "requests": 64, "duration_s": 30})
    assert command(both) == "python cli.py run --mode users --duration 30"


def test_a_command_has_no_flag_of_another_workload() -> None:
    """Runs of before the text could be chosen had random words, whatever their prompts were."""
    before = stored({"backend": "vllm", "requests": 9})
    assert before.text_style == "words"
    assert command(before) == "python cli.py run --backend vllm --requests 9"
