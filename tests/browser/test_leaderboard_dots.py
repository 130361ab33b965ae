"""From History to a leaderboard, and from a dot of its chart to the run."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import App, no_trouble, settled, takes_clicks
from tests.stored import store
from tests.values import measured

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.mark.long
def test_a_dot_of_the_leaderboard_leads_to_its_run(app: App, person: BrowserContext) -> None:
    with app.database() as database:
        ids = [
            store(database, [measured(i, e2e=e2e) for i in range(3)], name=name, tags=["ranked"])
            for name, e2e in (("slow one", 4.0), ("fast one", 2.0))
        ]
    page = person.new_page()
    page.goto(f"{app.url}/history?tag=ranked")
    settled(page)
    page.get_by_role("main").get_by_role("link", name="Leaderboard").click()
    page.wait_for_url(re.compile(r"/leaderboard\?tag=ranked"))
    settled(page)
    no_trouble(page)
    expect(page.get_by_role("link", name="fast one")).to_be_visible()
    takes_clicks(page, "Speed of each run")
    page.locator("[data-testid=stVegaLiteChart] path[aria-label*='fast one']").first.click()
    page.wait_for_url(re.compile(rf"/result\?run={ids[1]}$"))
