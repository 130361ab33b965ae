"""`list`, `show`, `export` and `check`: runs that are stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db import request_columns
from services.report.export import EXPORTS
from tests.cli.conftest import RunCli
from tests.stored import store
from tests.values import measured


def test_runs_are_listed_newest_first_and_filtered(database: Engine, run_cli: RunCli) -> None:
    assert run_cli("list").out == "There are no runs yet.\n"
    store(database, name="first", tags=["keep"])
    store(database, name="second", mode="staggered")
    assert [run["name"] for run in json.loads(run_cli("list", "--json").out)] == ["second", "first"]
    for narrowed in (["fir"], ["--tag", "keep"], ["--mode", "batch"], ["--limit", "1", "first"]):
        (run,) = json.loads(run_cli("list", *narrowed, "--json").out)
        assert run["name"] == "first"
    assert run_cli("list", "third").out == "No run matches.\n"
    assert json.loads(run_cli("list", "third", "--json").out) == []


@pytest.mark.parametrize("kind", [entry.name for entry in EXPORTS])
def test_every_export_is_written_to_a_file_as_to_standard_output(
    database: Engine, run_cli: RunCli, tmp_path: Path, kind: str
) -> None:
    ids = [str(store(database)), str(store(database))]
    (entry,) = [entry for entry in EXPORTS if entry.name == kind]
    chosen = ids[: entry.least]
    file = tmp_path / kind
    result = run_cli("export", *chosen, "--format", kind, "--output", str(file))
    assert result.out == f"{file}: {file.stat().st_size:,} bytes\n"
    printed = run_cli("export", *chosen, "--format", kind).out
    assert printed.encode(errors="surrogateescape") == file.read_bytes()


def test_a_large_run_is_printed_as_the_same_document(
    database: Engine, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store(database, [measured(i, send=float(i)) for i in range(9)])
    small = json.loads(run_cli("show", str(run_id), "--json").out)
    monkeypatch.setattr(request_columns, "LARGE", 5)
    assert json.loads(run_cli("show", str(run_id), "--json").out) == small


@pytest.mark.parametrize("output", ["{here}", "{here}/no/such/folder", "", "/dev/full"])
def test_a_file_that_cannot_be_written_is_reported(
    database: Engine, run_cli: RunCli, tmp_path: Path, output: str
) -> None:
    store(database)
    result = run_cli("export", "1", "--output", output.format(here=tmp_path))
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("--output: cannot write ")


def test_a_run_is_checked_against_thresholds(database: Engine, run_cli: RunCli) -> None:
    store(database, [measured(i) for i in range(80)], ttft_limit_s=2.0)
    passed = run_cli(
        "check", "1", "--slo", "ttft:p95<1.5", "--slo", "error_rate<=0", "--slo", "goodput>9"
    )
    assert (passed.code, passed.err) == (0, "")
    assert passed.out.splitlines() == [
        "✓ passed: TTFT, p95 < 1.50 s: measured 1.00 s",
        "✓ passed: Error rate ≤ 0 %: measured 0 %",
        "✓ passed: Goodput > 9.00 requests/s: measured 26.7 requests/s",
    ]
    missed = run_cli("check", "1", "--slo", "ttft:p95<1", "--slo", "ttft:p99<9", "--json")
    assert missed.code == 1
    first, second = json.loads(missed.out)
    assert (first["slo"], first["value"], first["passed"]) == ("ttft:p95<1", 1.0, False)
    assert second["value"] is None and not second["passed"]
    assert "needs 368 requests; there are 80" in second["sentence"]


def test_thresholds_on_goodput_need_objectives(database: Engine, run_cli: RunCli) -> None:
    store(database)
    without = run_cli("check", "1", "--slo", "attainment>0.5")
    assert without.code == 1 and "no objective is set. Set one: --ttft-limit 0.5" in without.out
    with_limit = run_cli(
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
    assert with_limit.code == 0, with_limit.out


def test_a_check_of_an_unfinished_run_fails(database: Engine, run_cli: RunCli) -> None:
    store(database, status="interrupted")
    result = run_cli("check", "1", "--slo", "ttft:median<9")
    assert result.code == 1
    assert result.out.startswith("✗ failed: Run 1 did not finish: it is interrupted.\n✓")
