"""Tables of several columns on a phone: a row takes several lines, and nothing is cut off."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import App, no_trouble, settled
from tests.stored import store
from tests.values import repeats

pytestmark = pytest.mark.browser

CUT = """cells => cells.filter(cell => cell.getBoundingClientRect().right > innerWidth
  || cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent)"""


@pytest.mark.parametrize("path", ["compare", "leaderboard"])
def test_a_phone_shows_every_cell(app: App, person: BrowserContext, path: str) -> None:
    with app.database() as database:
        ids = [
            store(
                database,
                repeats(slower),
                repeats=3,
                requests=4,
                model="Qwen/Qwen3-8B",
                name=f"the server of the {place} floor",
            )
            for slower, place in ((1.0, "first"), (1.5, "second"), (2.0, "third"))
        ]
    page = person.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/{path}?runs={','.join(map(str, ids))}")
    cells = page.locator("[class*=st-key-folded-] :is(th, td)")
    expect(cells.first).to_be_attached()
    settled(page)
    assert cells.evaluate_all(CUT) == []
    assert len({cell.strip() for cell in cells.all_inner_texts()}) > 9
    no_trouble(page)
