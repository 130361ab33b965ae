"""The files of a batch where people sign in: a link of the page, which the API answers."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from db import new_tasks, task_batches
from db.new_tasks import NewSettings
from services.ask.tasks import NewTask
from tests.browser import signed_in
from tests.browser.conftest import App
from tests.browser.signed_in import RUNNER

SETTINGS = NewSettings({"backend": "url"}, "127.0.0.1:9", "m", {"target": {}})


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app where people sign in. No log has its cookies."""
    folder = tmp_path_factory.mktemp("asking")
    app = App(folder)
    signed_in.required(app, folder)
    app.start()
    yield app
    app.stop()
    log = app.log()
    assert "Traceback" not in log and "_streamlit_user" not in log


@pytest.mark.long
def test_a_person_can_download_only_their_own_batches(chromium: Browser, asking: App) -> None:
    asked = [(NewTask("=1+1", {}, "first"), 0), (NewTask("Why?", {}, "second"), 0)]
    with asking.database() as database:
        mine, others = (
            new_tasks.create(database, caller, [SETTINGS], asked).batch_id
            for caller in (RUNNER, "uma@example.org")
        )
        for batch_id in (mine, others):
            task_batches.cancel(database, batch_id)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(90_000)
    signed_in.sign_in(context, asking, RUNNER)
    page = context.new_page()
    page.goto(f"{asking.url}/batches?batch={mine}")
    page.get_by_role("button", name="Download").click()
    link = page.get_by_role("link", name="Prompts and answers (CSV)")
    expect(link).to_be_visible()
    with page.expect_download() as waiting:  # in this tab: one of its own closes unheard
        link.evaluate("link => { link.target = '_self'; link.click() }")
    assert waiting.value.suggested_filename == f"paceline-{mine}.csv"
    rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
    assert [(row["custom_id"], row["prompt"]) for row in rows] == [
        ("first", "'=1+1"),
        ("second", "Why?"),
    ]
    theirs = context.request.get(f"{asking.url}/api/inference/batch/{others}/output.csv")
    assert theirs.status == 404
    context.close()
    alone = chromium.new_context()
    unknown = alone.request.get(f"{asking.url}/api/inference/batch/{mine}/output.csv")
    assert unknown.status == 401
    alone.close()
