"""What can be done with a run from its page, counted in clicks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import App, no_trouble, settled
from tests.browser.test_a_or_b import Person
from tests.stored import store

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run_id(app: App) -> int:
    with app.database() as engine:
        return store(engine, name="one", requests=3)


@pytest.fixture
def result(app: App, person: BrowserContext, run_id: int) -> Iterator[Page]:
    page = person.new_page()
    page.goto(f"{app.url}/result?run={run_id}")
    expect(page.get_by_role("heading", name="one", exact=True)).to_be_visible()
    settled(page)
    yield page
    no_trouble(page)
    page.close()


@pytest.mark.long
def test_a_share_link_takes_two_clicks(result: Page) -> None:
    person = Person(result)
    person.click("button", "Share")
    person.click("button", "Create link")
    link = result.get_by_test_id("stCode").filter(has_text="/share/")
    expect(link).to_be_visible()
    expect(link.get_by_role("button", name="Copy to clipboard")).to_be_visible()
    assert person.clicks == 2


@pytest.mark.long
def test_a_csv_download_takes_two_clicks(result: Page) -> None:
    person = Person(result)
    person.click("button", "Share")
    with result.expect_download() as download:
        person.click("button", "Requests (CSV)")
    assert download.value.path().read_text().count("\n") == 4
    assert person.clicks == 2


@pytest.mark.long
def test_the_command_of_a_run_takes_one_click(result: Page) -> None:
    person = Person(result)
    person.click("button", "Run again")
    command = result.get_by_test_id("stCode").filter(has_text="python cli.py run")
    expect(command).to_contain_text("--model tiny --mode batch --requests 3")
    expect(command.get_by_role("button", name="Copy to clipboard")).to_be_visible()
    assert person.clicks == 1


@pytest.mark.long
def test_the_other_charts_are_drawn_when_they_are_opened(result: Page) -> None:
    drawn = result.get_by_role("button", name="Download as PNG: How evenly did tokens arrive?")
    expect(drawn).to_have_count(0)
    result.get_by_text("More charts", exact=True).click()
    expect(drawn).to_have_count(1)


@pytest.mark.long
def test_a_panel_opens_below_the_buttons_and_covers_nothing(result: Page) -> None:
    person = Person(result)
    tile = result.get_by_test_id("stMetric").first
    person.click("button", "…")
    person.click("menuitem", "Objectives and price")
    limit = result.get_by_role("spinbutton").first
    expect(limit).to_be_visible()
    tile.click(trial=True)  # fails where something is over it
    above, below = limit.bounding_box(), tile.bounding_box()
    assert above is not None and below is not None and above["y"] + above["height"] < below["y"]
    person.click("button", "Close")
    expect(limit).to_have_count(0)


@pytest.mark.long
def test_a_deleted_run_leads_to_the_history(app: App, person: BrowserContext) -> None:
    with app.database() as engine:
        gone = store(engine, name="two")
    page = person.new_page()
    page.goto(f"{app.url}/result?run={gone}")
    settled(page)
    page.get_by_role("button", name="…", exact=True).click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("button", name="Delete permanently").click()
    page.wait_for_url(re.compile("/history"))
    expect(page.get_by_role("link", name="two", exact=True)).to_have_count(0)
