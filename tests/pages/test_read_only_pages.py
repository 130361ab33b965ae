"""What a person sees who may only look: no control that changes anything."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db import engines
from jobs import studies as study_jobs
from services.servers.engines import EngineConfig
from services.studies.study_config import StudyConfig
from tests.pages.conftest import Visit, text_of
from tests.pages.test_study_page import submitted
from tests.stored import store

LOOKING = {"Compare", "Clear selection", "Create link", "Sign out"}


@pytest.mark.parametrize("role", ["viewer", "runner"])
@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("history", {}),
        ("result", {"run": "1"}),
        ("compare", {"runs": "1,2"}),
        ("study", {}),
        ("leaderboard", {}),
    ],
)
def test_a_viewer_has_no_button_that_changes_anything(
    visit: Visit,
    database: Engine,
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    page: str,
    query: dict[str, str],
) -> None:
    store(database), store(database)
    monkeypatch.setattr("pages.widgets.view.role", lambda: role)
    at = visit(page, **query)
    assert {button.label for button in at.button} <= LOOKING
    assert not at.text_area and not at.get("file_uploader")
    assert page != "study" or "There are no studies yet." in text_of(at)


@pytest.mark.parametrize(("role", "shown"), [("", True), ("admin", True), ("viewer", False)])
def test_viewers_watch_studies_and_runs_without_the_engine_command(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch, role: str, shown: bool
) -> None:
    monkeypatch.setattr("pages.widgets.view.role", lambda: role)
    monkeypatch.setattr(study_jobs.jobs, "ensure", lambda engine: None)
    number = submitted(database, StudyConfig(engine=EngineConfig(engine="llamacpp")))
    server = engines.claim(database)
    assert server is not None
    engines.update_running(database, server.id, phase="Starting", command="python -m it")
    watched = visit("study", study=str(number))
    running = visit("live", run=str(store(database, status="running")))
    assert "Starting" in text_of(watched)
    assert ("python -m it" in [block.value for block in watched.code]) == shown
    changing = {button.label for at in (watched, running) for button in at.button} - LOOKING
    assert changing == ({"Cancel study", "Cancel"} if shown else set())
