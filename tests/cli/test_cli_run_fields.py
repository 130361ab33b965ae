"""The flags of `run`: what each refuses, by the name that was typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import Engine

from services.ask.config import RunConfig
from services.ask.flag import flag
from tests.cli.conftest import RunCli, refused

NUMBERS = [
    name
    for name, field in RunConfig.model_fields.items()
    if {int, float} & {field.annotation, *get_args(field.annotation)}
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["many", "", "-1", "nan", "inf", "1e999", "9" * 400, "0x10"])
def test_an_invalid_number_is_refused_with_its_flag(
    database: Engine, run_cli: RunCli, name: str, value: str
) -> None:
    assert refused(run_cli("run", f"{flag(name)}={value}"), database).startswith(
        f"{flag(name)} must "
    )


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        (["--requests", "0"], "--requests must be at least 1"),
        (["--requests", "1000001"], "--requests must be at most 1000000"),
        (["--requests", "1.5"], "--requests must be a whole number"),
        (["--concurrency", "10001"], "--concurrency must be at most 10000"),
        (["--top-p", "0"], "--top-p must be more than 0"),
        (["--temperature", "2.5"], "--temperature must be at most 2"),
        (["--seed", "2147483648"], "--seed must be at most 2147483647"),
        (["--mode", "warp"], "--mode must be one of"),
        (["--client", "curl"], "--client must be one of"),
        (["--workload", "poem"], "--workload must be one of"),
        (["--workload", "file"], "--prompts are missing"),
        (["--workload", "text"], "--prompt is empty"),
        (["--prompt", " "], "--prompt is empty"),
        (["--prompt", "\udcff"], "--prompt contains an invalid Unicode character"),
        (["--model", "\udcff"], "--model contains an invalid Unicode character"),
        (["--model", "x" * 301], "--model must be at most 300 characters long"),
        (["--prompt", "a", "--prompts", "b"], "--prompt and --prompts cannot be combined"),
        (["--prompt", "a", "--workload", "builtin"], "--prompt has no effect with workload built"),
        (
            ["--rate", "5"],
            "--rate has no effect with mode sequential. It requires mode constant, poisson, gamma,",
        ),
        (
            ["--mode", "users", "--concurrency", "2"],
            "--concurrency has no effect with mode users. It requires mode batch, constant,",
        ),
        (["--mode", "batch", "--users", "8"], "--users has no effect with mode batch. It requires"),
        (["--drain", "2"], "--drain has no effect without --duration."),
        (["--input-tokens", "9", "--workload", "builtin"], "--input-tokens has no effect with"),
        (["--name", "x" * 201], "--name: The name has 201 characters"),
        (["--note", "x" * 10_001], "--note: The note has 10,001 characters"),
        (["--tag", "a,b"], "--tag: The tag 'a,b' contains a comma"),
        (["--tag", "x" * 51], "--tag: The tag 'xxxxxxxxxxxxxxxxxxxx' has 51 characters"),
        (["--backend", "nowhere"], "--backend: There is no backend 'nowhere'"),
        (["--backend", ""], "--backend: There is no backend ''"),
        (
            ["--backend", "127.0.0.1:8000"],
            "--backend is not an address: it must start with http://",
        ),
        (["--backend", "http://"], "--backend is not an address"),
        (["--backend", "ftp://127.0.0.1"], "--backend is not an address"),
        (["--backend", "http://127.0.0.1:99999"], "--backend is not an address"),
        (["--backend", "http://[::1"], "--backend is not an address"),
        (["--backend", "http://a b"], "--backend contains an invalid host name"),
        (["--backend", "http://127.0.0.1:0"], "--backend has port 0"),
        (["--backend", "http://127.0.0.1", "--base-url", "http://10.0.0.1"], "--base-url requires"),
        (["--backend", "url"], "--backend: Enter the server's address (OpenAI-compatible URL)"),
        (["--backend", "url", "--base-url", "x"], "--base-url is not an address"),
        (["--base-url", "http://127.0.0.1"], "--backend: The embedded backend has no address"),
        (
            ["--model", "another"],
            "--backend: The embedded backend only serves smollm2-135m-instruct",
        ),
        (["--backend", "groq", "--model", "x"], "--backend: Groq needs a key: put GROQ_API_KEY=…"),
        (["--backend", "openai", "--model", "x"], "--backend: OpenAI needs a key"),
        (["--backend", "groq", "--ignore-eos"], "--backend: Groq does not support --ignore-eos"),
        (["--backend", "litellm"], "--backend: LiteLLM needs a model"),
        (
            ["--backend", "http://127.0.0.1:9", "--on", "ray://10.0.0.1:10001"],
            "--on: ray://10.0.0.1:10001 is not a configured Ray cluster.",
        ),
        (["--pause"], "--pause: expected one argument"),
        (["--speed", "9"], "Unknown argument: --speed."),
        (["--req", "9"], "Unknown argument: --req."),
        (["now"], "Cannot read 'now': No such file"),
    ],
)
def test_an_invalid_run_is_refused_with_the_flag_typed(
    database: Engine, run_cli: RunCli, typed: Sequence[str], begins: str
) -> None:
    assert refused(run_cli("run", *typed), database).startswith(begins)


def test_several_wrong_flags_are_each_named(database: Engine, run_cli: RunCli) -> None:
    result = run_cli("run", "--requests", "0", "--pause", "-1")
    assert [line.split()[0] for line in result.err.splitlines()] == ["--requests", "--pause"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("no.jsonl", None, "cannot read"),
        ("", None, "cannot read ''"),
        (".", None, "Is a directory"),
        ("notes.md", b"hello", "is not a .jsonl, .ndjson, .json, .csv, .tsv or .txt file"),
        ("empty.jsonl", b"", "contains no prompts"),
        ("half.jsonl", b'"a"\n{"prompt": ', "line 2: is not JSON"),
        ("bytes.jsonl", b'"\xff"', "line 1: is not UTF-8"),
        ("two.csv", b"a,b\n1,2\n", "has no column"),
        ("long.jsonl", b'"' + b"x" * 20_000_001, "The limit is 20 MB"),
    ],
)
def test_a_broken_file_of_prompts_is_refused(
    database: Engine, run_cli: RunCli, tmp_path: Path, name: str, data: bytes | None, reason: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    path = f"{tmp_path}/{name}" if name else ""
    sentence = refused(run_cli("run", "--prompts", path), database)
    assert sentence.startswith("--prompts: ") and reason in sentence


@pytest.mark.parametrize(
    "typed",
    [
        ["--backend", "http://me:sk-topsecret-123456@127.0.0.1"],
        ["--backend", "me:sk-topsecret-123456@127.0.0.1"],
        ["--backend", "http://127.0.0.1/v1?key=sk-topsecret-123456"],
        ["--backend", "url", "--base-url", "me:sk-topsecret-123456@127.0.0.1"],
        ["--api-key", "sk-topsecret-123456"],
        ["--api-key=sk-topsecret-123456"],
    ],
)
def test_a_secret_in_the_wrong_place_is_not_echoed(
    database: Engine, run_cli: RunCli, typed: Sequence[str]
) -> None:
    assert "topsecret" not in refused(run_cli("run", *typed), database)
