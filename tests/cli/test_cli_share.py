"""`share`: a page of runs is shared, listed and revoked."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine

from tests.cli.conftest import RunCli
from tests.stored import store


@pytest.mark.long
def test_a_page_is_shared_listed_and_revoked(database: Engine, run_cli: RunCli) -> None:
    assert run_cli("share", "--list").out == "There are no shared pages.\n"
    store(database, name="A"), store(database, name="B")
    path, about = run_cli("share", "1", "2").out.splitlines()
    assert path.startswith("/share/")
    assert f"http://127.0.0.1:8501{path}, until 20" in about
    for_ever = run_cli("share", "1", "--days", "0", "--texts").out
    assert "until it is revoked. It includes prompts and answers." in for_ever
    listed = json.loads(run_cli("share", "--list", "--json").out)
    assert [(share["title"], share["run_ids"]) for share in listed] == [
        ("A", [1]),
        ("B against A", [1, 2]),
    ]
    assert path in run_cli("share", "--list", "1", "2").out
    assert path not in run_cli("share", "--list", "1").out
    assert run_cli("share", "--revoke", path).code == 0
    assert path not in run_cli("share", "--list").out
    result = run_cli("share", "--revoke", path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("No page is shared under this token.")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], "A shared page shows one to 8 runs, each only once."),
        (["1", "1"], "A shared page shows one to 8 runs, each only once."),
        (["1", "--days", "3651"], "A link expires after 1 to 3,650 days, or when it is revoked."),
        (["1", "--days", "-1"], "--days: "),
        (["7"], "There is no run 7."),
        (["--list", "--revoke", "x"], "--revoke: not allowed with"),
    ],
)
def test_an_error_says_why_nothing_is_shared(
    database: Engine, run_cli: RunCli, typed: list[str], message: str
) -> None:
    store(database)
    result = run_cli("share", *typed)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)
