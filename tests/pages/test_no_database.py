"""A database that cannot be opened, or breaks while a page is shown: a sentence, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import Engine, text

from tests.pages.conftest import Visit, complaints, deletion, sound
from tests.stored import store

PAGES: list[tuple[str, dict[str, str]]] = [
    ("run", {}),
    ("history", {}),
    ("compare", {"runs": "1,2"}),
    ("live", {"run": "1"}),
    ("result", {"run": "1"}),
    ("study", {}),
    ("engines", {}),
    ("batches", {}),
]
TABLES = {
    "run": "runs",
    "history": "runs",
    "study": "studies",
    "engines": "engines",
    "batches": "task_batches",
}


def drop(database: Engine, table: str) -> None:
    with database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_away"))


@pytest.mark.parametrize(("page", "parameters"), PAGES)
def test_a_database_that_cannot_be_opened_is_reported(
    visit: Visit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    page: str,
    parameters: dict[str, str],
) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"not a database" * 1000)
    monkeypatch.setenv("PACELINE_DATABASE_URL", f"sqlite:///{broken}")
    messages = complaints(visit(page, **parameters))
    assert f"The database {broken} cannot be used: file is not a database. Check" in messages
    assert messages.endswith("Then reload this page.")


@pytest.mark.parametrize(("page", "parameters"), PAGES)
def test_a_database_that_breaks_in_mid_page_is_reported(
    visit: Visit, database: Engine, page: str, parameters: dict[str, str]
) -> None:
    store(database), store(database)
    table = TABLES.get(page, "requests")
    drop(database, table)
    messages = complaints(visit(page, **parameters))
    assert f"The database cannot be used: no such table: {table}. Check" in messages


def test_a_database_failure_while_watching_a_run_is_reported(
    visit: Visit, database: Engine
) -> None:
    store(database, [], status="running")
    at = visit("live", run="1")
    drop(database, "progress")
    st.cache_resource.clear()  # as after a second, for which a moment of a run is kept
    assert "no such table: progress" in complaints(sound(at.run()))
    drop(database, "runs")
    assert "no such table: runs" in complaints(sound(at.run()))


def test_buttons_report_a_broken_database(visit: Visit, database: Engine) -> None:
    store(database, [], status="running")
    at = visit("live", run="1")
    drop(database, "runs")
    assert "no such table: runs" in complaints(sound(at.button[0].click().run()))


def test_a_deletion_that_cannot_be_done_says_why(database: Engine) -> None:
    store(database)
    at = deletion(1)
    drop(database, "runs")
    assert "no such table: runs" in complaints(sound(at.button[0].click().run()))
