"""`list`, `show`, `export` and `check`: runs that are stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.report.export import EXPORTS
from tests.cli.conftest import Ask
from tests.stored import store
from tests.values import measured


def test_runs_are_listed_newest_first_and_narrowed(database: Engine, ask: Ask) -> None:
    assert ask("list").out == "No run is stored.\n"
    store(database, name="first", tags=["keep"])
    store(database, name="second", mode="staggered")
    assert [run["name"] for run in json.loads(ask("list", "--json").out)] == ["second", "first"]
    for narrowed in (["fir"], ["--tag", "keep"], ["--mode", "batch"], ["--limit", "1", "first"]):
        (found,) = json.loads(ask("list", *narrowed, "--json").out)
        assert found["name"] == "first"
    assert ask("list", "third").out == "No run matches.\n"
    assert json.loads(ask("list", "third", "--json").out) == []


@pytest.mark.parametrize("kind", [entry.name for entry in EXPORTS])
def test_every_export_is_written_to_a_file_as_to_standard_output(
    database: Engine, ask: Ask, tmp_path: Path, kind: str
) -> None:
    ids = [str(store(database)), str(store(database))]
    (entry,) = [entry for entry in EXPORTS if entry.name == kind]
    chosen = ids[: entry.least]
    file = tmp_path / kind
    said = ask("export", *chosen, "--format", kind, "--output", str(file))
    assert said.out == f"{file}: {file.stat().st_size:,} bytes\n"
    printed = ask("export", *chosen, "--format", kind).out
    assert printed.encode(errors="surrogateescape") == file.read_bytes()


@pytest.mark.parametrize("output", ["{here}", "{here}/no/such/folder", "", "/dev/full"])
def test_a_file_that_cannot_be_written_is_said(
    database: Engine, ask: Ask, tmp_path: Path, output: str
) -> None:
    store(database)
    said = ask("export", "1", "--output", output.format(here=tmp_path))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("--output: cannot write ")


def test_a_run_is_held_to_conditions(database: Engine, ask: Ask) -> None:
    store(database, [measured(i) for i in range(80)], ttft_limit_s=2.0)
    kept = ask(
        "check", "1", "--slo", "ttft:p95<1.5", "--slo", "error_rate<=0", "--slo", "goodput>9"
    )
    assert (kept.code, kept.err) == (0, "")
    assert kept.out.splitlines() == [
        "✓ passed: TTFT, p95 < 1.50 s: measured 1.00 s",
        "✓ passed: Error rate ≤ 0 %: measured 0 %",
        "✓ passed: Goodput > 9.00 queries/s: measured 26.7 queries/s",
    ]
    missed = ask("check", "1", "--slo", "ttft:p95<1", "--slo", "ttft:p99<9", "--json")
    assert missed.code == 1
    first, second = json.loads(missed.out)
    assert (first["slo"], first["value"], first["passed"]) == ("ttft:p95<1", 1.0, False)
    assert second["value"] is None and not second["passed"]
    assert "needs 368 requests; there are 80" in second["sentence"]


def test_conditions_on_goodput_need_objectives(database: Engine, ask: Ask) -> None:
    store(database)
    without = ask("check", "1", "--slo", "attainment>0.5")
    assert without.code == 1 and "no objective is set. Set one: --ttft-limit 0.5" in without.out
    given = ask(
        "check",
        "1",
        "--slo",
        "attainment>0.5",
        "--slo",
        "cost<1",
        "--e2e-limit",
        "5",
        "--usd-per-hour",
        "2",
    )
    assert given.code == 0, given.out


def test_a_run_that_did_not_end_keeps_no_condition(database: Engine, ask: Ask) -> None:
    store(database, status="interrupted")
    found = ask("check", "1", "--slo", "ttft:median<9")
    assert found.code == 1
    assert found.out.startswith("✗ failed: Run 1 did not finish: it is interrupted.\n✓")
