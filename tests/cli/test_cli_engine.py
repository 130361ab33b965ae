"""`engine start`, `list`, `log` and `stop`, with real processes."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db import engines as stored_engines
from tests.cli.conftest import Ask, ended, started
from tests.conftest import until

pytestmark = pytest.mark.usefixtures("no_engine_left")


@pytest.mark.timeout(700)
def test_an_engine_is_started_listed_read_and_stopped(database: Engine, ask: Ask) -> None:
    assert ask("engine", "list").out == "No engine has been started.\n"
    said = ask("engine", "start", "--engine", "llamacpp", "--max-seqs", "1")
    assert said.code == 0, said
    first, address = said.out.splitlines()
    assert first == "Engine 1 · llama.cpp (embedded) · TP 1 · ready"
    assert address == stored_engines.load(database, 1).base_url
    log = address.removesuffix("/v1")
    assert said.err.splitlines()[0] == "Starting" and log in said.err.splitlines()
    assert address in ask("engine", "list").out
    assert ask("engine", "log", "1").out == f"{log}\n"
    (facts,) = json.loads(ask("engine", "list", "--json").out)
    assert (facts["status"], facts["base_url"], facts["config"]["max_seqs"]) == (
        "ready",
        address,
        1,
    )
    stopped = ask("engine", "stop", "1")
    assert (stopped.code, stopped.out) == (0, "Engine 1 · llama.cpp (embedded) · TP 1 · stopped\n")


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The interpreter of an engine, to be written by the test."""
    python = tmp_path / "python"
    python.touch(0o755)
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(python))
    return python


def test_an_engine_that_fails_says_its_log_and_why_and_exits_with_1(
    database: Engine, ask: Ask, pretended: Path
) -> None:
    pretended.write_text("#!/bin/sh\necho loading weights\nexit 3\n")
    said = ask("engine", "start", "--model", "org/model")
    assert said.code == 1
    assert "loading weights" in said.err.splitlines()
    assert said.out.startswith("Engine 1 · vLLM · TP 1 · failed\n")
    assert len(said.out.splitlines()) >= 2, "it does not say why"
    assert ask("engine", "log", "1").out == "loading weights\n"
    quiet = ask("engine", "start", "--model", "org/model", "--json")
    assert (quiet.code, quiet.err, json.loads(quiet.out)["status"]) == (1, "", "failed")


def test_ctrl_c_stops_an_engine_that_is_starting(database: Engine, pretended: Path) -> None:
    pretended.write_text("#!/bin/sh\necho loading weights\nexec sleep 1000\n")
    process = started("engine", "start", "--model", "org/model")
    until(lambda: stored_engines.up(database), 60)
    process.send_signal(signal.SIGINT)
    said = ended(process)
    assert (said.code, said.out) == (1, "Engine 1 · vLLM · TP 1 · stopped\n"), said
    assert stored_engines.up(database) == []


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        (["engine"], "The following arguments are required: COMMAND"),
        (["engine", "start", "--engine", "llamacpp", "--tp", "0"], "--tp must be at least 1"),
        (["engine", "start", "--engine", "llamacpp", "--tp", "2"], "llama.cpp (embedded) does not"),
        (["engine", "start", "--extra", "'"], "--extra hold a quote that is not closed"),
        (["engine", "start", "--backend", "vllm"], "There is no --backend here"),
        (["engine", "stop", "7"], "There is no engine 7."),
        (["engine", "log", "7"], "There is no engine 7."),
        (["engine", "log", "0"], "ENGINE: '0' is not a whole number"),
    ],
)
def test_an_engine_that_cannot_be_is_refused_in_a_sentence(
    database: Engine, ask: Ask, typed: Sequence[str], begins: str
) -> None:
    said = ask(*typed)
    assert (said.code, said.out) == (2, ""), said
    assert said.err.startswith(begins), said.err
    assert said.err.endswith(".\n") and "topsecret" not in said.err
    assert stored_engines.listed(database) == []
