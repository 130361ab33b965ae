"""`baseline set|remove|list`: the run that later ones are compared with."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine

from tests.cli.conftest import RunCli
from tests.stored import store


def test_a_baseline_is_set_and_the_list_compares_other_runs_with_it(
    database: Engine, run_cli: RunCli
) -> None:
    def baseline(*arguments: str) -> str:
        return run_cli("baseline", *arguments).out

    for _ in range(2):
        store(database, tags=["nightly"])
    assert "vs baseline" not in run_cli("list").out
    assert baseline("set", "1") == "Run 1 is now the baseline of model tiny.\n"
    assert baseline("set", "1", "--tag", "nightly") == "Run 1 is now the baseline of tag nightly.\n"
    title, _, *rows = baseline("list").splitlines()
    assert title.split("  ")[0] == "baseline of"
    assert [row.split()[:3] for row in rows] == [["tag", "nightly", "1"], ["model", "tiny", "1"]]
    listed = json.loads(baseline("list", "--json"))
    assert [(row["kind"], row["run_id"]) for row in listed] == [("tag", 1), ("model", 1)]
    lines = run_cli("list").out.splitlines()
    assert "vs baseline" in lines[0]
    assert "no verdict" in lines[2] and "baseline" in lines[3]
    later, first = json.loads(run_cli("list", "--json").out)
    assert (later["against"]["baseline"], later["against"]["kind"]) == (1, "tag")
    assert first["against"]["word"] == "baseline"
    assert baseline("remove", "1", "--model") == "Run 1 is no longer the baseline of model tiny.\n"
    assert baseline("remove", "1") == "Run 1 is no longer the baseline of tag nightly.\n"
    assert "vs baseline" not in run_cli("list").out
    assert baseline("list").startswith("There is no baseline. Set one with")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["baseline", "set", "9"], "There is no run 9."),
        (["baseline", "set", "1", "--tag", "a,b"], "The tag 'a,b' contains a comma."),
        (["baseline", "set", "1", "--model", "--tag", "a"], "not allowed with argument --model"),
        (["baseline", "remove", "1"], "Run 1 is not the baseline of that model or tag."),
        (["baseline", "remove", "9"], "There is no run 9."),
    ],
)
def test_a_run_that_cannot_be_a_baseline_is_refused(
    database: Engine, run_cli: RunCli, arguments: list[str], message: str
) -> None:
    store(database)
    result = run_cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
