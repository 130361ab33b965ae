"""From the first page to the verdict between two servers, counted in clicks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import App, no_trouble, settled
from tests.conftest import ReferenceServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


class Person:
    """Somebody who clicks, counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def click(self, role: str, name: str, nth: int = 0) -> None:
        self.clicks += 1
        self.page.get_by_role(role, name=name).nth(nth).click()  # type: ignore[arg-type]
        settled(self.page)

    def type_server(self, nth: int, address: str) -> None:
        """Click into the field of a server and type its address."""
        self.clicks += 1
        self.page.get_by_role("combobox", name="Server").nth(nth).click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(address)
        self.page.keyboard.press("Enter")
        settled(self.page)


@pytest.fixture
def first_page(person: BrowserContext, app: App) -> Iterator[Page]:
    page = person.new_page()
    page.goto(f"{app.url}/?pause_s=0")  # else most of the time would be pauses
    page.get_by_role("heading", level=1).wait_for()
    settled(page)
    yield page
    page.close()


@pytest.mark.long
def test_two_servers_are_compared_in_four_clicks(
    first_page: Page, reference: ReferenceServer
) -> None:
    person = Person(first_page)
    person.type_server(0, reference.base_url)
    expect(first_page.get_by_text("reachable")).to_have_count(1)
    person.click("button", "Add server B")
    expect(first_page.get_by_role("combobox", name="Server")).to_have_count(2)
    person.type_server(1, reference.base_url.replace("127.0.0.1", "localhost"))
    expect(first_page.get_by_text("reachable")).to_have_count(2)
    person.click("button", "Start")
    assert person.clicks == 4
    first_page.wait_for_url(re.compile(r"/compare\?runs=\d+(,|%2C)\d+"), timeout=180_000)
    settled(first_page)
    no_trouble(first_page)
    verdict = re.compile("5 repeats each, interleaved")  # whatever it is: both are one server
    expect(first_page.get_by_text(verdict).first).to_be_visible()


def test_an_invalid_address_is_reported_and_nothing_starts(first_page: Page) -> None:
    Person(first_page).type_server(0, "gpu-7 over there")
    expect(first_page.get_by_text("must start with http").first).to_be_visible()
    expect(first_page.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    no_trouble(first_page)


@pytest.mark.long
def test_a_first_chart_takes_one_click(first_page: Page) -> None:
    person = Person(first_page)
    person.click("button", "Start")
    first_page.wait_for_url(re.compile(r"/live\?run=\d+"))
    chart = first_page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first
    expect(chart).to_be_visible(timeout=60_000)
    assert person.clicks == 1
    first_page.get_by_role("button", name="Cancel").click()
    expect(first_page.get_by_text("cancelled").first).to_be_visible(timeout=60_000)
