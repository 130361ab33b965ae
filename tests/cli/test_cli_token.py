"""`token`: made, listed without its text, revoked."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine

from db import tokens
from tests.cli.conftest import RunCli


def test_a_token_is_printed_once(run_cli: RunCli, database: Engine) -> None:
    assert run_cli("token", "list").out == "There are no tokens.\n"
    secret = run_cli("token", "create", "ci", "--role", "runner", "--days", "7").out.strip()
    assert tokens.find(database, secret)
    shown = run_cli("token", "list").out
    assert "ci" in shown and "runner" in shown and secret not in shown
    assert json.loads(run_cli("token", "list", "--json").out)[0]["name"] == "ci"
    assert run_cli("token", "revoke", "1").out == "Revoked token 1.\n"
    assert run_cli("token", "revoke", "1").code == 2


@pytest.mark.parametrize("days", ["0", "367"])
def test_a_token_that_would_not_expire_in_a_year_is_refused(
    run_cli: RunCli, database: Engine, days: str
) -> None:
    refused = run_cli("token", "create", "ci", "--days", days)
    assert (refused.code, refused.err) == (2, "A token expires after 1 to 366 days.\n")


def test_a_token_says_who_made_it_where_people_sign_in(
    run_cli: RunCli, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACELINE_SIGN_IN", "on")
    monkeypatch.setenv("PACELINE_ADMINS", "ada@example.org")
    secret = run_cli("token", "create", "ci").out.strip()
    made = tokens.find(database, secret)
    assert made is not None and made.made_by is not None and made.made_by.endswith(" (terminal)")
