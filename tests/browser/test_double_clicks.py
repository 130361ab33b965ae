"""A button that creates something is clicked twice in quick succession: it creates one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from db import engines, runs, shares, task_batches, tokens
from tests.browser.conftest import App, no_trouble, settled, watched
from tests.browser.signed_in import ADMIN, required, sign_in
from tests.conftest import started_engines_end, until
from tests.stored import store

pytestmark = pytest.mark.browser

CLICK_TWICE = "(button, ms) => { button.click(); setTimeout(() => button.click(), ms) }"
SOON, LATER = 10, 150  # ms, before and after the first click was handled


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def click_twice(page: Page, name: str, pause_ms: int) -> None:
    there = button(page, name)
    expect(there).to_be_enabled()
    there.evaluate(CLICK_TWICE, pause_ms)
    page.wait_for_timeout(pause_ms)  # the second click has been made
    settled(page)
    no_trouble(page)


@pytest.mark.long
@pytest.mark.parametrize("pause_ms", [SOON, LATER])
def test_a_double_click_starts_one_engine(app: App, person: BrowserContext, pause_ms: int) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/engines?engine=llamacpp")
    settled(page)
    with app.database() as engine:
        before = len(engines.list_all(engine))
        click_twice(page, "Start engine", pause_ms)
        expect(button(page, "Stop").first).to_be_visible()
        assert len(engines.list_all(engine)) == before + 1
        button(page, "Stop").first.click()
        started_engines_end(engine)
        until(lambda: not engines.list_running(engine), 60)


@pytest.mark.long
def test_a_double_click_creates_one_share_link(app: App, person: BrowserContext) -> None:
    with app.database() as engine:
        run_id = store(engine)
    page = person.new_page()
    page.goto(f"{app.url}/result?run={run_id}")
    settled(page)
    button(page, "Share").click()
    click_twice(page, "Create link", LATER)
    expect(page.get_by_test_id("stCode").filter(has_text="/share/").first).to_be_visible()
    with app.database() as engine:
        assert len(shares.list_all(engine, [run_id])) == 1


@pytest.mark.long
def test_a_double_click_queues_one_batch(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/batches")
    settled(page)
    with app.database() as engine:
        before = task_batches.count(engine, None)
    box = page.get_by_role("textbox", name="Prompt", exact=True)
    if before:  # otherwise it is open
        page.get_by_text("Submit prompts").click()
    box.fill("Say hello.")
    box.blur()
    settled(page)
    click_twice(page, "Queue tasks", LATER)
    page.wait_for_url(re.compile(r"/batches\?batch="))
    settled(page)
    no_trouble(page)
    expect(page).to_have_url(re.compile(r"/batches\?batch="))
    with app.database() as engine:
        assert task_batches.count(engine, None) == before + 1


@pytest.mark.long
@pytest.mark.parametrize("pause_ms", [SOON, LATER])
def test_a_double_click_saves_one_filter(app: App, person: BrowserContext, pause_ms: int) -> None:
    with app.database() as engine:
        store(engine, name=f"nightly {pause_ms}")
    page = person.new_page()
    page.goto(f"{app.url}/history?text=nightly")
    settled(page)
    button(page, "Save filter").click()
    page.get_by_role("textbox", name="Name", exact=True).fill(f"mine {pause_ms}")
    click_twice(page, "Save", pause_ms)
    expect(page.get_by_role("link", name=f"mine {pause_ms}")).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


@pytest.mark.long
def test_a_double_click_saves_one_server(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/backends")
    settled(page)
    page.get_by_text("Save a server", exact=True).click()
    page.get_by_role("textbox", name="Name", exact=True).fill("prod")
    page.get_by_role("textbox", name=re.compile("^Address|^Base URL")).first.fill(
        "http://127.0.0.1:9/v1"
    )
    click_twice(page, "Save", SOON)
    expect(page.get_by_text("prod", exact=True)).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


@pytest.mark.long
@pytest.mark.parametrize("pause_ms", [SOON, LATER])
def test_a_double_click_imports_a_file_once(
    app: App, person: BrowserContext, pause_ms: int, tmp_path: Path
) -> None:
    with app.database() as engine:
        run_id = store(engine, name="to import")
    page = person.new_page()
    page.goto(f"{app.url}/result?run={run_id}")
    settled(page)
    button(page, "Share").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("JSON")).first.click()
    file = tmp_path / f"{pause_ms}-{download.value.suggested_filename}"
    download.value.save_as(file)
    with app.database() as engine:
        runs.delete(engine, run_id)
        before = runs.count(engine)
    page.goto(f"{app.url}/history")
    settled(page)
    button(page, "Import").first.click()
    page.locator("input[type=file]").set_input_files(file)
    settled(page)
    there = page.get_by_test_id("stFormSubmitButton").get_by_role("button")
    there.evaluate(CLICK_TWICE, pause_ms)
    page.wait_for_timeout(pause_ms + 500)
    settled(page)
    no_trouble(page)
    expect(page.get_by_text("No file is selected.")).to_have_count(0)
    expect(page.get_by_test_id("stAlert").filter(has_text="import")).to_be_visible()
    with app.database() as engine:
        assert runs.count(engine) == before + 1


@pytest.fixture(scope="module")
def shared_server(browser_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app with sign-in."""
    folder = tmp_path_factory.mktemp("home")
    server = App(folder)
    required(server, folder)
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log()


@pytest.mark.long
@pytest.mark.parametrize("pause_ms", [SOON, LATER])
def test_a_double_click_creates_one_token_and_shows_it(
    chromium: Browser, shared_server: App, pause_ms: int
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    sign_in(context, shared_server, ADMIN)
    troubles = watched(context, shared_server)
    page = context.new_page()
    page.goto(f"{shared_server.url}/tokens")
    settled(page)
    page.get_by_role("textbox", name="Name", exact=True).fill(f"nightly {pause_ms}")
    click_twice(page, "Create token", pause_ms)
    expect(page.get_by_test_id("stCode").filter(has_text="paceline-")).to_be_visible()
    with shared_server.database() as engine:
        names = [token.name for token in tokens.list_all(engine)]
    assert names.count(f"nightly {pause_ms}") == 1
    context.close()
    assert troubles == []
