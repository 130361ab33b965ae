"""A scenario is downloaded and opened in the form, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from services.report import scenario
from tests.browser.conftest import App, no_trouble, open_popover, settled
from tests.stored import store

pytestmark = pytest.mark.browser
DOWNLOAD, OPEN = "Download scenario", "Open scenario"
MODEL = "smollm2-135m-instruct"  # the only one of the embedded backend


def downloaded(page: Page, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=DOWNLOAD).click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file


@pytest.mark.long
def test_a_stored_run_is_downloaded_opened_and_downloaded_again(
    app: App, person: BrowserContext, tmp_path: Path
) -> None:
    with app.database() as engine:
        run_id = store(engine, name="one", model=MODEL, requests=3, tags=["a"])
    page = person.new_page()
    page.goto(f"{app.url}/result?run={run_id}")
    settled(page)
    open_popover(page, "Run again", page.get_by_role("button", name=DOWNLOAD))
    file = downloaded(page, tmp_path)
    assert file.name == f"paceline-run-{run_id}.yaml"
    page.goto(app.url)
    settled(page)
    upload = page.get_by_test_id("stFileUploader").filter(has_text="Scenario (YAML)")
    open_popover(page, OPEN, upload)
    upload.locator("input[type=file]").set_input_files(file)
    expect(page).to_have_url(f"{app.url}/?model={MODEL}&mode=batch&requests=3", timeout=30_000)
    expect(page.get_by_label("Requests", exact=True)).to_have_value("3")
    settled(page)
    again = downloaded(page, tmp_path)
    values = [scenario.read(each.read_bytes(), each.name).values for each in (file, again)]
    assert values[1] == values[0]
    no_trouble(page)
