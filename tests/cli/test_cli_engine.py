"""`engine start`, `list`, `log` and `stop`, with real processes."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db import engines as stored_engines
from tests.cli.conftest import RunCli, finish, start_cli
from tests.conftest import until

pytestmark = pytest.mark.usefixtures("no_engine_left")


@pytest.mark.long
@pytest.mark.timeout(700)
def test_an_engine_is_started_listed_read_and_stopped(database: Engine, run_cli: RunCli) -> None:
    assert run_cli("engine", "list").out == "No engine has been started.\n"
    result = run_cli("engine", "start", "--engine", "llamacpp", "--max-seqs", "1")
    assert result.code == 0, result
    first, address = result.out.splitlines()
    assert first == "Engine 1 · llama.cpp (embedded) · TP 1 · ready"
    assert address == stored_engines.load(database, 1).base_url
    log = address.removesuffix("/v1")
    assert result.err.splitlines()[0] == "Starting" and log in result.err.splitlines()
    assert address in run_cli("engine", "list").out
    assert run_cli("engine", "log", "1").out == f"{log}\n"
    (facts,) = json.loads(run_cli("engine", "list", "--json").out)
    assert (facts["status"], facts["base_url"], facts["config"]["max_seqs"]) == (
        "ready",
        address,
        1,
    )
    stopped = run_cli("engine", "stop", "1")
    assert (stopped.code, stopped.out) == (0, "Engine 1 · llama.cpp (embedded) · TP 1 · stopped\n")


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The interpreter of an engine, to be written by the test."""
    python = tmp_path / "python"
    python.touch(0o755)
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(python))
    return python


@pytest.mark.long
def test_a_failed_engine_prints_its_log_and_cause_and_exits_with_1(
    database: Engine, run_cli: RunCli, pretended: Path
) -> None:
    pretended.write_text("#!/bin/sh\necho loading weights\nexit 3\n")
    result = run_cli("engine", "start", "--model", "org/model")
    assert result.code == 1
    assert "loading weights" in result.err.splitlines()
    assert result.out.startswith("Engine 1 · vLLM · TP 1 · failed\n")
    assert len(result.out.splitlines()) >= 2, "it does not say why"
    assert run_cli("engine", "log", "1").out == "loading weights\n"
    quiet = run_cli("engine", "start", "--model", "org/model", "--json")
    assert (quiet.code, quiet.err, json.loads(quiet.out)["status"]) == (1, "", "failed")


@pytest.mark.long
def test_ctrl_c_stops_an_engine_that_is_starting(database: Engine, pretended: Path) -> None:
    pretended.write_text("#!/bin/sh\necho loading weights\nexec sleep 1000\n")
    process = start_cli("engine", "start", "--model", "org/model")
    until(lambda: stored_engines.list_running(database), 60)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert (result.code, result.out) == (1, "Engine 1 · vLLM · TP 1 · stopped\n"), result
    assert stored_engines.list_running(database) == []


def test_engines_that_are_turned_off_are_refused(
    database: Engine, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_ENGINES", "off")
    result = run_cli("engine", "start", "--engine", "llamacpp")
    assert (result.code, result.out) == (2, ""), result
    assert result.err.startswith(
        "Starting engines is turned off on this Paceline (PACELINE_ENGINES=off)."
    )
    assert stored_engines.list_all(database) == []


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        (["engine"], "The following arguments are required: COMMAND"),
        (["engine", "start", "--engine", "llamacpp", "--tp", "0"], "--tp must be at least 1"),
        (["engine", "start", "--engine", "llamacpp", "--tp", "2"], "llama.cpp (embedded) does not"),
        (["engine", "start", "--extra", "'"], "--extra contain a quote that is not closed"),
        (["engine", "start", "--backend", "vllm"], "Unknown argument: --backend."),
        (["engine", "stop", "7"], "There is no engine 7."),
        (["engine", "log", "7"], "There is no engine 7."),
        (["engine", "log", "0"], "ENGINE: '0' is not a whole number"),
    ],
)
def test_an_invalid_engine_is_refused(
    database: Engine, run_cli: RunCli, typed: Sequence[str], begins: str
) -> None:
    result = run_cli(*typed)
    assert (result.code, result.out) == (2, ""), result
    assert result.err.startswith(begins), result.err
    assert result.err.endswith(".\n") and "topsecret" not in result.err
    assert stored_engines.list_all(database) == []
