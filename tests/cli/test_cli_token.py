"""`token`: made, listed without its text, revoked."""

from __future__ import annotations

import json

from sqlalchemy import Engine

from db import tokens
from tests.cli.conftest import RunCli


def test_a_token_is_printed_once(run_cli: RunCli, database: Engine) -> None:
    assert run_cli("token", "list").out == "There are no tokens.\n"
    written = run_cli("token", "make", "ci", "--role", "runner", "--days", "7").out.strip()
    assert tokens.find(database, written)
    shown = run_cli("token", "list").out
    assert "ci" in shown and "runner" in shown and written not in shown
    assert json.loads(run_cli("token", "list", "--json").out)[0]["name"] == "ci"
    assert run_cli("token", "revoke", "1").out == "Token 1 is revoked.\n"
    assert run_cli("token", "revoke", "1").code == 2
