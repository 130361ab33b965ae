"""What a person sees who may only look: no control that changes anything."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.pages.conftest import Visit, text_of
from tests.stored import store

LOOKING = {"Compare", "Clear selection", "Sign out"}


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
def test_who_may_only_look_has_no_button_that_changes_anything(
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
