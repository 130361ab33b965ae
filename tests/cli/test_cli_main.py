"""What holds for every command: help, refusals, an unusable database, keys."""

from __future__ import annotations

import json
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

import cli
import jobs
from cli import capacity, compare, engine, run, study
from db import capacities
from jobs.supervisor_lock import supervisor_file
from services.ask.config import RunConfig, parse
from services.ask.flag import flag
from services.base import settings
from services.report.export import EXPORTS
from services.studies.capacity_config import CapacityConfig
from tests.cli.conftest import RunCli, refused
from tests.conftest import ROOT, ReferenceServer
from tests.stored import store


def test_every_command_has_a_help_text(run_cli: RunCli) -> None:
    for name in cli.COMMANDS:
        result = run_cli(*name.split(), "--help")
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"usage: python cli.py {name}")
    for field in RunConfig.model_fields:
        if field not in ("unique_prompts", "prompt_max_tokens"):  # which --prompts gives
            assert flag(field) in run_cli("run", "--help").out


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        ([], "The following arguments are required: COMMAND"),
        (["fly"], "COMMAND: invalid choice: 'fly'"),
        (["show"], "The following arguments are required: RUN"),
        (["show", "1"], "There is no run 1. It may have been deleted. `python cli.py list` lists"),
        (["show", "0"], "RUN: '0' is not a whole number from 1"),
        (["show", "-1"], "RUN: '-1' is not"),
        (["show", "one"], "RUN: 'one' is not"),
        (["show", "٣"], "RUN: '٣' is not"),
        (["show", str(10**30)], "RUN: '1000000000000000000000000000000' is not"),
        (["show", "9" * 5000], "RUN: '9999"),
        (["export", "1"], "There is no run 1."),
        (["export", "1", "--format", "page.pdf"], "--format: invalid choice: 'page.pdf'"),
        (["export", "1", "2"], "--format: requests.csv takes one run, not 2."),
        (["export", "1", "--format", "comparison.csv"], "--format: comparison.csv takes 2 to 8"),
        (["compare", "1"], "Compare takes 2 to 8 runs, not 1."),
        (["compare", *"123456789"], "Compare takes 2 to 8 runs, not 9."),
        (["compare", "1", "2"], "There is no run 1."),
        (["compare", "1", "1"], "Run 1 is named twice."),
        (["compare", "1", "2", "--within", "0"], "--within: '0' is not a percentage"),
        (["compare", "1", "2", "--within", "a few"], "--within: 'a few' is not"),
        (["compare", "1", "2", "--fail-if", "slower,worse"], "--fail-if: 'worse' is not a verdict"),
        (["compare", "1", "2", "--measure", "speed"], "--measure: invalid choice: 'speed'"),
        (["compare", "1", "2", "--measure", "ttft"], "--measure and --allow-no-verdict require"),
        (["check", "1"], "The following arguments are required: --slo"),
        (
            ["check", "1", "--slo", "ttft:p95"],
            "--slo: “ttft:p95” is not a condition. Put it in quo",
        ),
        (["check", "1", "--slo", "speed>1"], "--slo: Unknown metric speed; choose from ttft, ttfa"),
        (
            ["check", "1", "--slo", "ttft<1"],
            "--slo: ttft needs a statistic, one of median, p50, mean",
        ),
        (
            ["check", "1", "--slo", "error_rate:p95<1"],
            "--slo: error_rate is a single number for the run",
        ),
        (
            ["check", "1", "--slo", "ttft:p95<500ms"],
            "--slo: “500ms” is not a number: ttft is in s,",
        ),
        (["check", "1", "--slo", "cost<nan"], "--slo: “nan” is not a number: cost is in USD"),
        (["check", "1", "--slo", "goodput>1", "--ttft-limit", "0"], "--ttft-limit must be more"),
        (["check", "9", "--slo", "goodput>1"], "There is no run 9."),
        (["more", *"123456789"], "One to 8 runs can get more repeats at a time, not 9."),
        (["list", "--limit", "0"], "--limit: '0' is not a whole number from 1"),
        (["list", "--limit", "few"], "--limit: 'few' is not"),
        (["list", "--status", "lost"], "--status: invalid choice: 'lost'"),
        (["list", "--mode", "warp"], "--mode: invalid choice: 'warp'"),
        (["list", "--backend", "nowhere"], "--backend: invalid choice: 'nowhere'"),
        (["backends", "nowhere"], "NAME: invalid choice: 'nowhere'"),
    ],
)
def test_an_invalid_command_is_refused(
    database: Engine, run_cli: RunCli, typed: Sequence[str], begins: str
) -> None:
    assert refused(run_cli(*typed), database).startswith(begins)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:topsecret@127.0.0.1:1/paceline",
        "mysql://me:topsecret@127.0.0.1/paceline",
        "sqlite://",
        "sqlite:////dev/null/paceline.db",
        "paceline.db",
    ],
)
def test_a_database_that_cannot_be_used_is_reported(
    run_cli: RunCli, database: Engine, url: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACELINE_DATABASE_URL", url)
        result = run_cli("list")
    assert "PACELINE_DATABASE_URL" in refused(result, database)
    assert "topsecret" not in result.err


def test_a_database_that_fails_later_is_reported_too(run_cli: RunCli, database: Engine) -> None:
    store(database)
    with database.begin() as connection:
        connection.execute(text("DROP TABLE requests"))
    result = run_cli("show", "1")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("The database cannot be used: no such table: requests. Check ")
    assert result.err.count("\n") == 1


def test_a_queue_that_cannot_be_processed_is_reported(run_cli: RunCli, database: Engine) -> None:
    supervisor_file(database, "lock").mkdir()
    result = run_cli("run", "--requests", "1")
    assert "The queue cannot be processed: Is a directory" in refused(result, database)


def test_settings_that_cannot_be_read_are_reported(
    run_cli: RunCli, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "load", partial(settings.load, tmp_path / ".env"))
    (tmp_path / ".env").write_bytes(b"KEY=topsecret-\xfc\n")
    result = refused(run_cli("list"), database)
    assert result.startswith(f"{tmp_path}/.env is not UTF-8 text in line 1.")
    assert "topsecret" not in result


@pytest.mark.long
def test_no_output_contains_a_key(
    run_cli: RunCli, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "fake-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    flags = ("--backend", "openai", "--model", "ref fault=needs-key", "--requests", "1")
    results = [run_cli("run", *flags), run_cli("show", "1", "--json"), run_cli("list", "--json")]
    results += [
        run_cli("export", "1", "--format", entry.name) for entry in EXPORTS if entry.takes(1)
    ]
    assert [result.code for result in results] == [1, *[0] * (len(results) - 1)]
    assert "401" in results[0].out
    assert not any(key in result.out + result.err for result in results)


@pytest.mark.long
def test_the_console_command_is_the_same_from_any_folder(database: Engine, tmp_path: Path) -> None:
    (tmp_path / "paceline").symlink_to(ROOT / "paceline")
    listed = subprocess.run(
        [tmp_path / "paceline", "backends", "embedded", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [row["name"] for row in json.loads(listed.stdout)] == ["embedded"]


def test_usage_and_hints_show_the_name_of_the_program(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (ROOT / "paceline").read_text()
    monkeypatch.setenv("PACELINE_PROGRAM", "paceline")
    assert "PACELINE_PROGRAM=paceline exec" in command
    assert run_cli("baseline", "set", "--help").out.startswith("usage: paceline baseline set ")
    assert "See paceline show --help." in run_cli("show").err
    assert "`paceline list` lists" in run_cli("show", "1").err


def test_ctrl_c_before_a_command_starts_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "cli", Interrupted("cli"))
    with pytest.raises(SystemExit, match="Stopped"):
        runpy.run_path(str(ROOT / "cli.py"), run_name="__main__")


BACKEND = ("--backend", "url", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
STARTS = {
    "run": (run, "follow", [*BACKEND]),
    "compare": (compare, "follow", [*BACKEND, "--with", "mode=batch"]),
    "more": (run, "follow", ["1"]),
    "study": (study, "follow", ["--preset", "concurrency", *BACKEND]),
    "capacity": (capacity, "until_ended", [*BACKEND]),
    "capacities resume": (capacity, "until_ended", ["1"]),
    "engine start": (engine, "until_ready", ["--engine", "llamacpp"]),
}


@pytest.mark.parametrize("command", STARTS)
def test_the_exit_code_of_lost_contact_does_not_say_that_nothing_was_done(
    run_cli: RunCli, database: Engine, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def lost(*_: Any) -> None:
        raise OperationalError("SELECT", {}, sqlite3.OperationalError("disk I/O error"))

    module, follows, arguments = STARTS[command]
    monkeypatch.setattr(jobs, "ensure", lambda database: None)
    monkeypatch.setattr(module, follows, lost)
    if command == "more":
        store(database, backend="url", base_url=BACKEND[3], model="m")
    if command == "capacities resume":
        config = CapacityConfig(servers=(parse({"backend": "url", "base_url": BACKEND[3]}),))
        capacities.end(database, capacities.create(database, config, "one"), "interrupted")
    result = run_cli(*command.split(), *arguments)
    assert result.code == 1, result.err
    assert "Lost contact with" in result.err
    assert "The database cannot be used: disk I/O error" in result.err
