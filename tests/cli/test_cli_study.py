"""`study`, `studies`, `report` and `resume`, with real processes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db import engines as stored_engines
from db import runs, studies
from services.ask.flag import flag
from services.report.export.study_files import STUDY_EXPORTS
from services.report.export.study_shape import StudyDocument
from services.servers.engines import EngineConfig
from services.studies.study_config import StudyConfig
from tests.cli.conftest import RunCli, finish, in_terminal, meanwhile, start_cli
from tests.conftest import SLOW, ReferenceServer, until

pytestmark = pytest.mark.usefixtures("no_engine_left")


def sweep(reference: ReferenceServer, model: str = "ref tokens=3") -> tuple[str, ...]:
    """A concurrency study of two cells."""
    load = ("--requests", "2", "--repeats", "1", "--warmup", "0", "--concurrencies", "1,2")
    server = ("--backend", reference.base_url, "--model", model)
    return ("study", "--preset", "concurrency", *server, *load)


@pytest.mark.long
def test_a_study_prints_its_document_and_is_listed_reported_and_saved(
    database: Engine, reference: ReferenceServer, run_cli: RunCli, tmp_path: Path
) -> None:
    assert run_cli("studies").out == "There are no studies yet.\n"
    result = run_cli(*sweep(reference), "--name", "Sweep", "--tag", "a", "--json")
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    StudyDocument.model_validate(document)
    assert (document["name"], [cell["runs"] for cell in document["cells"]]) == ("Sweep", [[1], [2]])
    assert runs.load(database, 2).tags == ("a",)
    (row,) = json.loads(run_cli("studies", "--json").out)
    assert (row["id"], row["cells"], row["done"], row["active"]) == (1, 2, 2, 0)
    assert "2 of 2    ended" in run_cli("studies").out
    report = run_cli("report", "1").out
    assert report.startswith("Study 1 · Sweep\n2 of 2 cells measured.\n\n")
    assert document["sentence"] in report and "Every cell" in report
    assert json.loads(run_cli("report", "1", "--json").out) == document
    for entry in STUDY_EXPORTS:
        file = tmp_path / entry.name
        result = run_cli("report", "1", "--format", entry.name, "--output", str(file))
        assert result.out == f"{file}: {file.stat().st_size:,} bytes\n"
    again = run_cli("resume", "1")
    assert (again.code, again.out) == (2, "")
    assert again.err == "Study 1 has no cell that was interrupted.\n"


@pytest.mark.long
def test_ctrl_c_cancels_a_study_and_resume_continues_it(
    database: Engine, reference: ReferenceServer, run_cli: RunCli
) -> None:
    process = start_cli(*sweep(reference, SLOW))
    until(lambda: statuses(database).get(1) == "running", 60)
    process.send_signal(signal.SIGINT)
    cancelled = finish(process)
    with meanwhile(lambda: statuses(database).get(3) == "running", interrupt):
        cancelled_again = run_cli("resume", "1")
    for result in (cancelled, cancelled_again):
        assert result.code == 1, result
        assert "0 of 2 cells measured, 2 cancelled." in result.out
    assert statuses(database) == dict.fromkeys((1, 2, 3, 4), "cancelled")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def statuses(database: Engine) -> dict[int, str]:
    return {row.id: row.status for row in runs.search(database)}


@pytest.mark.long
def test_a_cell_that_fails_is_printed_and_exits_with_1(
    reference: ReferenceServer, run_cli: RunCli
) -> None:
    result = run_cli(*sweep(reference, "ref status=500"))
    assert result.code == 1
    assert "0 of 2 cells measured, 2 failed.\n\nNothing could be measured." in result.out
    refused = run_cli("resume", "1")
    hint = "Its 2 failed cells can be retried with --failed."
    assert (refused.code, refused.err) == (
        2,
        f"Study 1 has no cell that was interrupted. {hint}\n",
    )
    again = run_cli("resume", "1", "--failed", "--json")
    assert again.code == 1
    assert [cell["runs"] for cell in json.loads(again.out)["cells"]] == [[], []]


def test_a_study_without_a_runnable_cell_is_refused_and_not_stored(
    database: Engine, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PACELINE_VLLM_PYTHON", str(tmp_path / "none"))
    result = run_cli("study", "--engine", "vllm", "--model", "org/model", "--batches", "1,8")
    assert (result.code, result.out) == (2, "")
    assert result.err == run_cli("engine", "start", "--model", "org/model").err
    assert result.err.startswith("vLLM is not installed: ")
    assert run_cli("studies").out == "There are no studies yet.\n" and not runs.count(database)


def test_a_plan_says_what_cannot_run_here_and_starts_nothing(
    database: Engine, run_cli: RunCli
) -> None:
    flags = ("--engine", "llamacpp", "--parallel", "TP=1; TP=2", "--batches", "1,8")
    result = run_cli("study", *flags, "--usd-per-gpu-hour", "2.5", "--plan")
    assert result.code == 0
    lines = result.out.splitlines()
    assert [line.rpartition("  ")[2] for line in lines[2:4]] == ["runs", "runs"]
    assert lines[4].startswith("llama.cpp (embedded) · TP 2")
    assert lines[4].endswith(
        "llama.cpp (embedded) does not support tp=2. It supports none of tp, pp and dp."
    )
    assert "2 of 4 cells can be measured here, on 1 engine, started one after another" in lines[-1]
    assert "and costs at least $" in lines[-1]
    plan = json.loads(run_cli("study", *flags, "--plan", "--json").out)
    assert [bool(cell["obstacle"]) for cell in plan["cells"]] == [False, False, True, True]
    assert {cell["run"]["repeats"] for cell in plan["cells"]} == {3}
    assert studies.list_all(database) == [] and runs.count(database) == 0


def test_flags_reach_the_run_and_the_engine_of_a_cell(run_cli: RunCli, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('"one"\n{"prompt": "two", "output_tokens": 9}\n')
    flags = (
        "--engine",
        "vllm",
        "--model",
        "org/m",
        "--eager",
        "--no-chunked-prefill",
        "--max-seqs",
        "4",
        "--extra=--seed 1",
        "--prompts",
        str(file),
        "--shared-prompts",
        "--parallel",
        "2x2",
        "--batches",
        "3",
        "--ignore-eos",
    )
    result = run_cli("study", *flags, "--plan", "--json")
    assert "prompts.jsonl: Token limits of answers come from the file, for 1 of 2" in result.err
    (cell,) = json.loads(result.out)["cells"]
    engine, run = cell["engine"], cell["run"]
    assert (engine["model"], engine["tp"], engine["pp"], engine["max_seqs"]) == ("org/m", 2, 2, 4)
    assert (engine["eager"], engine["chunked_prefill"], engine["extra"]) == (
        True,
        False,
        "--seed 1",
    )
    assert (run["workload"], run["own_prompts"], run["unique_prompts"]) == ("file", 2, False)
    assert (run["requests"], run["ignore_eos"], run["model"]) == (3, True, "")


def test_every_field_of_a_study_is_a_flag(run_cli: RunCli) -> None:
    shown = run_cli("study", "--help").out
    for name in (*StudyConfig.model_fields, *EngineConfig.model_fields):
        if name not in ("run", "search", "tp", "pp", "dp"):  # given by --parallel
            assert flag(name) in shown, name
    shown = run_cli("engine", "start", "--help").out
    assert all(flag(name) in shown for name in EngineConfig.model_fields)


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        (["study", "--preset", "none"], "--preset: invalid choice: 'none'"),
        (["study", "--engine", "ollama"], "--engine must be one of"),
        (["study", "--batches", "x"], "--batches must be whole numbers such as 1, 8, 32"),
        (["study", "--parallel", "9q"], "--parallel is not valid: '9q'"),
        (["study", "--chunked", "maybe"], "--chunked must be on, off"),
        (["study", "--max-seqs", "many"], "--max-seqs must be a whole number"),
        (["study", "--requests", "0"], "--requests must be at least 1"),
        (["study", "--usd-per-gpu-hour", "0"], "--usd-per-gpu-hour must be more than 0"),
        (["study", "--backend", "vllm"], "--backend only applies to an existing server"),
        (
            ["study", "--backend", "http://127.0.0.1"],
            "--backend only applies to an existing server",
        ),
        (["study", "--preset", "clients", "--eager"], "--eager requires --engine."),
        (["study", "--preset", "clients", "--parallel", "2"], "--engine is missing."),
        (["study", "--preset", "clients", "--backend", "url"], "--backend: Enter the server's ad"),
        (["study", "--prompt", "a", "--prompts", "b"], "--prompt and --prompts cannot be combined"),
        (["study", "--tp", "2"], "Unknown argument: --tp."),
        (["study", "--preset", "clients", "--tag", "a,b"], "--tag: The tag 'a,b' contains a comma"),
        (["study", "--extra=--api-key topsecret"], "--extra must not contain a key, token or"),
        (["report", "7"], "There is no study 7."),
        (["report", "1", "--format", "study.pdf"], "--format: invalid choice: 'study.pdf'"),
        (["resume", "7"], "There is no study 7."),
        (["resume", "one"], "STUDY: 'one' is not a whole number"),
        (["studies", "--limit", "0"], "--limit: '0' is not a whole number"),
    ],
)
def test_an_invalid_study_is_refused(
    database: Engine, run_cli: RunCli, typed: Sequence[str], begins: str
) -> None:
    result = run_cli(*typed)
    assert (result.code, result.out) == (2, ""), result
    assert result.err.startswith(begins), result.err
    assert result.err.endswith(".\n") and "topsecret" not in result.err
    assert studies.list_all(database) == [] and stored_engines.list_all(database) == []


@pytest.mark.long
@pytest.mark.timeout(900)  # the engine shares its cores with whatever else runs
def test_a_study_starts_its_engine_and_shows_its_progress(database: Engine) -> None:
    load = ("--batches", "1", "--max-tokens", "2", "--repeats", "1", "--warmup", "0")
    engine = ("--engine", "llamacpp", "--parallel", "1")
    result, shown = in_terminal("study", *engine, *load, seconds=600)
    assert result.code == 0, result
    assert result.out.startswith("Study 1 · llama.cpp (embedded) · tensor parallel\n1 of 1 cell")
    assert "Starting llama.cpp (embedded) · TP 1" in shown
    until(lambda: stored_engines.load(database, 1).status == "stopped", 60)


def test_any_field_or_flag_of_an_engine_can_be_varied(run_cli: RunCli) -> None:
    varied = ("--axis", "max_seqs=1,2", "--axis", "flag:--x=on,off", "--axis", "max_tokens=8,16")
    result = run_cli(
        *("study", "--preset", "custom", "--engine", "vllm", "--batches", "1"),
        *(*varied, "--plan", "--json"),
    )
    planned = json.loads(result.out)["cells"]
    assert {(c["engine"]["max_seqs"], c["engine"]["extra"]) for c in planned} == {
        *((1, "--x"), (1, ""), (2, "--x"), (2, ""))
    }
    assert [cell["run"]["max_tokens"] for cell in planned[:2]] == [8, 16]
    refused = run_cli("study", "--engine", "vllm", "--axis", "tp=1,2", "--plan")
    assert refused.code == 2 and "cannot vary tp" in refused.err


def test_objectives_make_a_study_search_for_capacities(run_cli: RunCli) -> None:
    varied = ("--engine", "vllm", "--parallel", "TP=2 DP=2; TP=4", "--starts", "2")
    planned = run_cli("study", *varied, "--slo", "ttft:p95<0.5", "--plan", "--json")
    assert json.loads(planned.out)["starts"] in (0, 6), "none can run on this machine, or both"
    refused = run_cli("study", *varied, "--plan")
    assert refused.code == 2 and "--starts requires --slo" in refused.err
