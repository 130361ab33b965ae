"""A line of the timeline opens its request, and dragging over the chart zooms into it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import App, no_trouble, settled, takes_clicks
from tests.stored import store
from tests.values import measured

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def chart(page: Page) -> Locator:
    """The timeline, once it takes clicks. Until then, a chart below it may be the first one."""
    settled(page)
    takes_clicks(page, "What did each request wait for?")
    there = page.get_by_test_id("stVegaLiteChart").first
    there.scroll_into_view_if_needed()
    return there


def middle(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.long
def test_a_line_opens_its_request_and_a_drag_zooms(app: App, person: BrowserContext) -> None:
    with app.database() as engine:
        run_id = store(engine, [measured(i, send=4.0 * i) for i in range(8)], requests=8)
    page = person.new_page()
    page.goto(f"{app.url}/result?run={run_id}&tab=timeline")
    lines = chart(page).locator("[aria-roledescription='rule mark']")
    page.mouse.click(*middle(lines.nth(3)))
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name="Request 2")).to_be_visible()
    drawer.get_by_role("button", name="Next").click()
    expect(drawer.get_by_role("heading", name="Request 3")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)

    page.mouse.click(*middle(chart(page).locator("[aria-roledescription='rule mark']").nth(3)))
    expect(drawer.get_by_role("heading", name="Request 2")).to_be_visible()  # the same line again
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)

    x, y = middle(chart(page))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y, steps=6)
    page.mouse.up()
    page.wait_for_url(re.compile(r"window=\d+\.\d+-\d+\.\d+"))
    chart(page)
    page.get_by_role("button", name="Whole repeat").click()
    page.wait_for_url(re.compile(r"tab=timeline$"))
    no_trouble(page)

    page.get_by_role("tab", name="Requests").click()
    grid = page.get_by_test_id("stDataFrame").first
    grid.locator("canvas").first.wait_for()
    box = grid.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 12, box["y"] + 52)  # its first row
    expect(drawer.get_by_role("heading", name="Request 1")).to_be_visible()
