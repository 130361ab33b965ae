"""A server is saved on *Backends*, and replaced by another under the same name."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import App, no_trouble, settled

pytestmark = pytest.mark.browser


def fill(page: Page, name: str, address: str) -> None:
    """Fill in the form, which is open."""
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("textbox", name="Address").fill(address)


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    settled(page)


@pytest.mark.long
def test_a_server_is_replaced_only_on_request(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/backends")
    settled(page)
    page.get_by_text("Save a server", exact=True).click()
    fill(page, "prod", "http://127.0.0.1:8001/v1")
    press(page, "Save")
    expect(page.get_by_text("http://127.0.0.1:8001/v1")).to_be_visible()

    fill(page, "prod", "http://127.0.0.1:8002/v1")
    press(page, "Save")
    expect(page.get_by_text("Choose another name, or replace it.")).to_be_visible()
    expect(page.get_by_text("http://127.0.0.1:8001/v1")).to_be_visible()

    press(page, "Replace")
    expect(page.get_by_text("http://127.0.0.1:8002/v1")).to_be_visible()
    expect(page.get_by_text("http://127.0.0.1:8001/v1")).to_have_count(0)
    expect(page.get_by_role("button", name="Replace", exact=True)).to_have_count(0)
    no_trouble(page)

    page.reload()
    settled(page)
    expect(page.get_by_text("http://127.0.0.1:8002/v1")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(1)
