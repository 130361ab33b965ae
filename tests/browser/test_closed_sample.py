"""The sample comparison of an empty database, closed by one of two people."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import App, settled

pytestmark = pytest.mark.browser


@pytest.mark.long
def test_a_sample_that_was_closed_stays_closed_for_whoever_closed_it(
    person: BrowserContext, chromium: Browser, app: App
) -> None:
    page = person.new_page()
    page.goto(app.url)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("It took")).to_have_count(0)
    page.reload()
    settled(page)
    expect(page.get_by_role("heading", name="Plan")).to_be_visible()
    expect(page.get_by_text("It took")).to_have_count(0)
    somebody_else = chromium.new_context()
    page = somebody_else.new_page()
    page.goto(app.url)
    expect(page.get_by_text("It took")).to_be_visible()
    somebody_else.close()
