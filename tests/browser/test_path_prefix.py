"""The app below a path of another host name, behind a proxy that cuts the path."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import App, no_trouble, open_popover, settled
from tests.browser.prefix_proxy import served_below_a_path
from tests.stored import store

pytestmark = pytest.mark.browser


@pytest.mark.long
def test_pages_links_reloads_and_shares_work_below_a_path(chromium: Browser, app: App) -> None:
    with app.database() as database:
        store(database)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    missing: list[str] = []
    context.on("response", lambda r: missing.append(r.url) if r.status >= 400 else None)
    with served_below_a_path(app.port) as url:
        page = context.new_page()
        page.goto(f"{url}/")
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
        page.get_by_test_id("stSidebarNavLink").filter(has_text="History").click()
        page.wait_for_url(f"{url}/history")
        page.reload()
        expect(page.get_by_role("heading", name="History")).to_be_visible()
        page.goto(f"{url}/result?run=1")
        settled(page)
        open_popover(page, "Share", page.get_by_role("button", name="Create link"))
        page.get_by_role("button", name="Create link").click()
        link = page.get_by_test_id("stCode").filter(has_text=f"{url}/share/")
        expect(link).to_have_count(1)
        no_trouble(page)
        page.goto(link.inner_text().strip())
        assert page.title().endswith("· Paceline")
        context.close()
    assert missing == []
