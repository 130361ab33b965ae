"""Scenario files: started as they are, overridden by flags, and written of what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db import comparisons, results, runs, servers, studies
from services.ask.saved_server import saved_server
from services.report.export import content_hash
from tests.cli.conftest import RunCli, refused
from tests.conftest import ReferenceServer
from tests.stored import store


@pytest.fixture
def saved(tmp_path: Path, reference: ReferenceServer, database: Engine) -> Path:
    """A folder for scenarios, and the reference server saved as `lab`."""
    fields = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    servers.save(database, saved_server("lab", fields))
    return tmp_path


def file(folder: Path, text: str, name: str = "a.yaml") -> str:
    (folder / name).write_text(f"version: 1\n{text}\n")
    return str(folder / name)


RUN = "backend: lab\nrequests: 3\nwarmup: 0\npause_s: 0\n"


@pytest.mark.long
def test_a_run_is_started_and_its_scenario_starts_the_same(
    saved: Path, database: Engine, run_cli: RunCli
) -> None:
    (saved / "more").mkdir()
    (saved / "more" / "own.txt").write_text("Who?\nWhere?\n")
    called = "name: Nightly\ntags: [a, b]\nnote: |\n  One\n  two\nslo: ['ttft:median<5']\n"
    text = f"{RUN}{called}prompts_file: more/own.txt\nheaders: {{X-Route: a}}\n"
    result = run_cli("run", file(saved, text))
    assert (result.code, result.err) == (0, "")
    first = runs.load(database, 1)
    assert (first.name, first.tags, first.note) == ("Nightly", ("a", "b"), "One\ntwo\n")
    assert first.config.prompts == ("Who?", "Where?")
    again = saved / "again.yaml"
    assert run_cli("scenario", "run", "1", "--own-prompts", "--output", str(again)).code == 0
    assert run_cli("run", str(again)).code == 0
    second = runs.load(database, 2)
    assert (second.config, second.name, second.tags) == (first.config, first.name, first.tags)
    of_first = results.candidate(database, 1)
    same = replace(of_first, run=replace(of_first.run, config=second.config))
    assert content_hash(same) == content_hash(of_first)


@pytest.mark.long
def test_own_prompts_are_left_out_of_a_scenario_and_needed_to_run_it(
    saved: Path, database: Engine, run_cli: RunCli
) -> None:
    run_id = store(database, prompts=["Who?"], name="", warmup=0)
    result = run_cli("scenario", "run", str(run_id))
    assert "Who?" not in result.out and "# Left out: 1 prompt of your own." in result.out
    assert "name:" not in result.out, "nobody named it"
    (saved / "left.yaml").write_text(result.out)
    refusal = run_cli("run", str(saved / "left.yaml"))
    assert refusal.code == 2 and "left.yaml: prompts are missing." in refusal.err
    (saved / "own.txt").write_text("Where?\n")
    other = ("--backend", "lab", "--prompts", str(saved / "own.txt"))
    assert run_cli("run", str(saved / "left.yaml"), *other).code == 0
    assert runs.load(database, 2).config.prompts == ("Where?",)


@pytest.mark.long
def test_flags_override_the_file(saved: Path, database: Engine, run_cli: RunCli) -> None:
    called = "name: A\ntags: [a]\nslo: ['ttft:median<0.000001']\n"
    path = file(saved, f"{RUN}input_tokens: 64\n{called}")
    result = run_cli("run", path, "--requests", "2", "--name", "B", "--tag", "b", "--prompt", "Hi")
    assert result.code == 1
    assert result.err.startswith("✗ failed: TTFT, median < 1.00 µs: measured ")
    run = runs.load(database, 1)
    assert (run.name, run.tags, run.config.requests) == ("B", ("b",), 2)
    assert (run.config.workload, run.config.prompt) == ("text", "Hi")
    assert run_cli("run", path, "--slo", "error_rate<0.5", "--requests", "2").code == 0


@pytest.mark.long
def test_thresholds_can_be_given_as_flags(saved: Path, run_cli: RunCli) -> None:
    flags = ("--backend", "lab", "--requests", "2", "--pause", "0", "--warmup", "0", "--json")
    result = run_cli("run", *flags, "--slo", "ttft:median<5", "--slo", "throughput>1000000")
    assert result.code == 1 and json.loads(result.out)["summary"]["ok"] == 2
    assert "throughput" in result.err and result.err.count("✗ failed") == 1


@pytest.mark.long
def test_a_comparison_is_started_and_its_scenario_has_its_design(
    saved: Path, database: Engine, run_cli: RunCli
) -> None:
    design = "repeats: 1\nmargin: 0.1\norder_seed: 7\nfail_if: [slower, inconclusive]\n"
    changes = "compare:\n  - {mode: batch, concurrency: 2}\n  - {}\n"
    path = file(saved, f"{RUN}{design}{changes}")
    result = run_cli("compare", path)
    assert result.code == 1 and "no verdict" in result.err
    assert run_cli("compare", path, "--fail-if", "slower", "--allow-no-verdict").code == 0
    stored = [comparisons.load(database, number) for number in (1, 2)]
    assert stored[0].design == stored[1].design
    assert (stored[0].design.seed, stored[0].design.margin) == (7, 0.1)
    written = run_cli("scenario", "comparison", "1", "2", "3")
    assert "order_seed: 7\n" in written.out and "  - mode: batch\n    concurrency: 2" in written.out
    (saved / "b.yaml").write_text(written.out)
    more = ("--with", "max_tokens=2", "--repeats", "2", "--within", "20", "--order-seed", "8")
    assert run_cli("compare", str(saved / "b.yaml"), *more).code == 0
    third = comparisons.load(database, 3)
    assert (third.design.repeats, third.design.margin, third.design.seed) == (2, 0.2, 8)
    assert [runs.load(database, n).config.max_tokens for n in third.run_ids] == [128, 2]


def test_runs_that_were_not_measured_together_become_a_comparison(
    database: Engine, run_cli: RunCli
) -> None:
    store(database, requests=3)
    store(database, requests=3, backend="vllm", repeats=2)
    out = run_cli("scenario", "comparison", "1", "2").out
    assert "repeats: 2\n" in out and "compare:\n  - backend: vllm\n" in out


@pytest.mark.long
def test_a_study_is_started_and_its_scenario_starts_the_same(
    saved: Path, database: Engine, run_cli: RunCli
) -> None:
    run = "run:\n  backend: lab\n  requests: 2\n  repeats: 1\n  warmup: 0\n"
    path = file(saved, f"name: Sweep\npreset: concurrency\nconcurrencies: [1, 2]\n{run}")
    assert "2 cells" in run_cli("study", path, "--plan").out
    result = run_cli("study", path, "--concurrencies", "2", "--tag", "b", "--max-tokens", "5")
    assert (result.code, result.err) == (0, "")
    first = studies.load(database, 1)
    assert (first.name, first.runs[0].tags, first.config.concurrencies) == ("Sweep", ("b",), (2,))
    assert first.config.run.max_tokens == 5
    (saved / "again.yaml").write_text(run_cli("scenario", "study", "1").out)
    assert run_cli("study", str(saved / "again.yaml")).code == 0
    assert studies.load(database, 2).config == first.config


def test_a_flag_that_the_scenario_of_a_study_decides_is_refused(
    saved: Path, database: Engine, run_cli: RunCli
) -> None:
    path = file(saved, "preset: concurrency\nrun: {backend: lab}")
    refusal = refused(run_cli("study", path, "--preset", "tensor"), database)
    assert refusal.startswith("--preset: the scenario has the preset concurrency.")
    refusal = refused(run_cli("study", path, "--engine", "vllm"), database)
    assert refusal.startswith("--engine: the scenario measures an existing server.")
    engine = file(saved, "preset: tensor\nengine: {engine: vllm, model: m}", "b.yaml")
    planned = run_cli("study", engine, "--engine", "sglang", "--max-seqs", "4", "--plan", "--json")
    assert planned.code == 0, planned.err


@pytest.mark.parametrize(
    ("command", "text", "sentence"),
    [
        (
            "run",
            "compare:\n  - {}",
            "a.yaml is the scenario of a comparison: python cli.py",
        ),
        ("compare", "mode: batch", "a.yaml is the scenario of a run: python cli.py run"),
        ("study", "mode: batch", "a.yaml is the scenario of a run: python cli.py run"),
        ("run", "backend: nope", "a.yaml, line 2: There is no backend 'nope'."),
        ("run", "max_tokens: 0", "a.yaml, line 2: max_tokens must be at least 1 (got 0)."),
        ("run", "prompts_file: b.txt", "a.yaml, line 2: prompts_file cannot be read: No such file"),
    ],
)
def test_an_error_says_what_is_wrong_with_a_file(
    saved: Path, database: Engine, run_cli: RunCli, command: str, text: str, sentence: str
) -> None:
    assert refused(run_cli(command, file(saved, text)), database).startswith(sentence)


def test_an_error_in_a_flag_names_the_flag(saved: Path, database: Engine, run_cli: RunCli) -> None:
    path = file(saved, RUN)
    refusal = refused(run_cli("run", path, "--max-tokens", "0"), database)
    assert refusal == "--max-tokens must be at least 1 (got 0).\n".replace("0).", "'0').")
    comparison = file(saved, f"{RUN}compare: [{{}}]", "b.yaml")
    refusal = refused(run_cli("compare", comparison, "--with", "requests=0"), database)
    assert refusal.startswith("--requests must be at least 1")
    assert refused(run_cli("compare", comparison, "3"), database).endswith("or runs.\n")
    assert refused(run_cli("run", str(saved / "none.yaml")), database).startswith("Cannot read")


def test_an_imported_run_has_no_scenario(run_cli: RunCli, tmp_path: Path) -> None:
    source = Path(__file__).parent.parent / "data" / "imports" / "vllm" / "result.json"
    assert run_cli("import", str(source)).code == 0
    refusal = run_cli("scenario", "run", "1")
    assert refusal.code == 2 and refusal.err.startswith("Run 1 was imported:")


def test_a_flag_without_effect_is_refused_and_a_key_is_noted(
    saved: Path, database: Engine, run_cli: RunCli
) -> None:
    keys = file(saved, f"{RUN}think_s: 3\n")
    refusal = refused(run_cli("run", keys, "--rate", "3"), database)
    assert refusal.startswith("--rate has no effect with mode sequential. It requires mode const")
    result = run_cli("run", keys)
    assert (result.code, result.err) == (
        0,
        "a.yaml: think_s has no effect with mode sequential. It requires mode users.\n",
    )


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        (["compare", "--rate", "3", "--with", "mode=batch"], "--rate has no effect with mode seq"),
        (["compare", "--with", "users=3"], "--users has no effect with mode sequential."),
        (["compare", "--mode", "users", "--with", "mode=batch,users=3"], "--users has no effect"),
        (["capacity", "--pause", "3", "--plan"], "--pause has no effect with mode poisson."),
        (["capacity", "--with", "think_s=3", "--plan"], "--think has no effect with mode poisson"),
        (["study", "--preset", "clients", "--think", "3", "--plan"], "--think has no effect with"),
    ],
)
def test_a_flag_that_none_of_several_runs_reads_is_refused(
    database: Engine, run_cli: RunCli, typed: list[str], begins: str
) -> None:
    assert refused(run_cli(*typed), database).startswith(begins)
