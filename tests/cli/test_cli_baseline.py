"""`pin` and `unpin`: the run that later ones are compared with."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine

from tests.cli.conftest import RunCli
from tests.stored import store


def test_a_run_is_pinned_and_the_list_says_how_the_others_stand(
    database: Engine, run_cli: RunCli
) -> None:
    for _ in range(2):
        store(database, tags=["nightly"])
    assert "vs baseline" not in run_cli("list").out
    assert run_cli("pin", "1").out == "Run 1 is now the baseline of model tiny.\n"
    assert (
        run_cli("pin", "1", "--tag", "nightly").out == "Run 1 is now the baseline of tag nightly.\n"
    )
    lines = run_cli("list").out.splitlines()
    assert "vs baseline" in lines[0]
    assert "no verdict" in lines[2] and "baseline" in lines[3]
    later, first = json.loads(run_cli("list", "--json").out)
    assert (later["against"]["baseline"], later["against"]["kind"]) == (1, "tag")
    assert first["against"]["word"] == "baseline"
    assert (
        run_cli("unpin", "1", "--model").out == "Run 1 is no longer the baseline of model tiny.\n"
    )
    assert run_cli("unpin", "1").out == "Run 1 is no longer the baseline of tag nightly.\n"
    assert "vs baseline" not in run_cli("list").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pin", "9"], "There is no run 9."),
        (["pin", "1", "--tag", "a,b"], "The tag 'a,b' holds a comma."),
        (["pin", "1", "--model", "--tag", "a"], "not allowed with argument --model"),
        (["unpin", "1"], "Run 1 is not the baseline of that."),
        (["unpin", "9"], "There is no run 9."),
    ],
)
def test_what_cannot_be_pinned_is_said(
    database: Engine, run_cli: RunCli, arguments: list[str], message: str
) -> None:
    store(database)
    result = run_cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
