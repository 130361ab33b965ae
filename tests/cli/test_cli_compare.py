"""`compare`: stored runs, verdicts as exit codes, and runs that it measures first."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from db import runs
from db.database import opened
from tests.cli.conftest import RunCli, finish, run_flags, start_cli
from tests.conftest import ReferenceServer
from tests.stored import store
from tests.values import measured


def test_runs_are_compared_with_the_first(database: Engine, run_cli: RunCli) -> None:
    ids = [str(store(database, name=name)) for name in ("A", "B")]
    document = json.loads(run_cli("compare", *ids, "--json").out)
    assert document["schema"] == "paceline/comparison/2"
    assert [run["id"] for run in document["runs"]] == [1, 2]
    assert {"verdicts", "rows", "differences", "warnings"} < set(document)
    result = run_cli("compare", *ids)
    assert result.code == 0
    assert re.search(r"^Comparison +A \(baseline\) +B$", result.out, re.MULTILINE)


SLOWER = [measured(0, repeat=r, e2e=6.0 * f) for r, f in enumerate((1.00, 1.01, 0.99))]


FASTER = [measured(0, repeat=r, e2e=3.0 * f) for r, f in enumerate((1.00, 1.01, 0.99))]


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        ([], 0, ""),
        (["--fail-if", "slower"], 1, "B against A: slower, by output throughput.\n"),
        (["--fail-if", "faster,inconclusive"], 0, ""),
        (["--fail-if", "faster", "--fail-if", "slower"], 1, "B against A: slower, by output thr"),
        (["--fail-if", "slower", "--measure", "ttft"], 0, ""),
        (
            ["--fail-if", "equivalent", "--measure", "ttft", "--within", "1"],
            1,
            "B against A: equivalent within ±1 %, by median TTFT.\n",
        ),
    ],
)
def test_the_exit_code_follows_the_conditions_on_the_verdict(
    database: Engine, run_cli: RunCli, flags: Sequence[str], code: int, sentence: str
) -> None:
    store(database, FASTER, name="A", repeats=3), store(database, SLOWER, name="B", repeats=3)
    result = run_cli("compare", "1", "2", *flags)
    assert result.code == code
    assert result.err.startswith(sentence) and bool(result.err) == bool(sentence)
    assert "B has 50 % lower output throughput than A" in result.out


@pytest.mark.long
def test_a_failed_condition_ends_the_process_with_1(database: Engine) -> None:
    store(database, FASTER, name="A", repeats=3), store(database, SLOWER, name="B", repeats=3)
    result = finish(start_cli("compare", "1", "2", "--fail-if", "slower"))
    assert (result.code, result.err) == (1, "B against A: slower, by output throughput.\n")


def test_no_verdict_fails_the_condition_unless_allowed(database: Engine, run_cli: RunCli) -> None:
    store(database, name="A"), store(database, name="B")
    result = run_cli("compare", "1", "2", "--fail-if", "slower", "--json")
    assert (result.code, result.err) == (1, "B against A: no verdict, by output throughput.\n")
    assert json.loads(result.out)["verdicts"][0]["word"] == "no verdict"
    assert run_cli("compare", "1", "2", "--fail-if", "slower", "--allow-no-verdict").code == 0


@pytest.mark.long
def test_a_comparison_without_runs_measures_them_first(
    reference: ReferenceServer, run_cli: RunCli
) -> None:
    flags = run_flags(reference, "ref tokens=3", "--requests", "2", "--pause", "0")[1:]
    result = run_cli("compare", *flags, "--with", "mode=batch", "--repeats", "3", "--json")
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    assert [run["id"] for run in document["runs"]] == [1, 2]
    assert [len(runs.load(opened(), run_id).repeats) for run_id in (1, 2)] == [3, 3]
    more = json.loads(run_cli("more", "1", "2", "--repeats", "1", "--json").out)
    assert [run["id"] for run in more["runs"]] == [1, 2]
    assert [len(runs.load(opened(), run_id).repeats) for run_id in (1, 2)] == [4, 4]
    result = run_cli("more", "1", "--repeats", "47")
    assert (result.code, "1 to 46 more" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--with", "mode"], "--with takes changes such as mode=batch,concurrency=8"),
        (["--with", "mode=none"], "--mode must be one of"),
        (["--with", "prompt=x"], "--prompt cannot be set by a link"),
        (["--with", "mode=batch", "--repeats", "60"], "must be at most 50"),
        (["--with", "mode=batch", "--most", "3"], "the maximum cannot be fewer"),
        (["--with", "mode=batch", "--target", "0"], "not a percentage from 0.1 to 100"),
        (["--with", "mode=batch"] * 9, "2 to 8 candidates"),
        ([], "Name the runs to compare, or use --with to add a candidate with other settings."),
        (
            ["1", "2", "--with", "mode=batch"],
            "--with is only for a comparison that is measured first",
        ),
        (["1", "2", "--mode", "batch"], "--mode is only for a comparison that is measured first"),
        (["--with", "mode=batch", "--measure", "ttft"], "require --fail-if"),
    ],
)
def test_an_invalid_comparison_is_refused(
    run_cli: RunCli, arguments: list[str], message: str
) -> None:
    result = run_cli("compare", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert not runs.count(opened())
