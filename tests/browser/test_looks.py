"""Every page in light and dark, on a desk and on a phone: nothing is cut off, nothing is loaded
from elsewhere, and what people wrote is shown as they wrote it."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from pages.widgets import result_tabs
from tests.browser.conftest import App, fits, no_trouble, settled
from tests.stored import store
from tests.values import failed, measured

pytestmark = pytest.mark.browser

ODD = (
    "1. *a* _b_ **c** [d](e) `k` ~~l~~ # | x | $x^2$ \\(y\\) <b>h</b> <script>x</script> &amp;",
    ":red[x] :smile: :material/home: a -> b <- c -- d >= e ~= f https://example.org me@example.org",
    "שלום עולם 😀 漢字 " + "W" * 180,
)
PAGES = (
    "",
    "history",
    "compare?runs=1,2,3",
    "compare?runs=1,2,3&tab=Numbers",
    "leaderboard?runs=1,2,3",
    *(f"result?run=1&tab={tab}" for tab in result_tabs.LABELS),
    "live?run=1",
    "study?preset=tensor",
    "engines",
    "backends",
    "batches",
    "glossary",
)
CUT = (
    "parts => parts.filter(part => part.scrollWidth > part.clientWidth).map(part => part.innerText)"
)
LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1280), ("dark", 390))


@pytest.fixture(scope="module", autouse=True)
def stored(app: App) -> None:
    with app.database() as engine:
        for text in ODD:
            mixed = [*(measured(i) for i in range(6)), failed(6, error=text)]
            store(
                engine, mixed, name=text, note=text, tags=[text[:50]], status="failed", error=text
            )


def test_no_page_is_wider_than_the_screen_and_no_name_of_a_number_is_cut_off(
    app: App, person: BrowserContext
) -> None:
    page = person.new_page()
    for path in PAGES:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(f"{app.url}/{path}")
        for scheme, width in LOOKS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            settled(page)
            no_trouble(page)
            fits(page)
            assert page.get_by_test_id("stMetricLabel").locator("div").evaluate_all(CUT) == []


def shown(page: Page) -> list[str]:
    """Name, tag, note and error as they stand on a page."""
    icon = "sell"  # before a tag, by its name in the icon font
    places = [
        page.get_by_role("heading", level=1),
        page.locator(".stMarkdownBadge", has_text=icon),
        page.get_by_test_id("stText"),
        page.get_by_test_id("stAlertContentWarning").first.locator("p"),
    ]
    return [place.first.inner_text().removeprefix(icon).strip() for place in places]


@pytest.mark.long
def test_names_and_notes_are_shown_literally(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    for run_id, text in enumerate(ODD, 1):
        page.goto(f"{app.url}/result?run={run_id}")
        expect(page.get_by_test_id("stText")).to_be_visible()
        assert shown(page) == [text, text[:50].strip(), text, text]
        expect(page.locator("[data-testid=stMain] a[href*='example.org']")).to_have_count(0)


@pytest.mark.long
def test_the_title_of_every_page_is_at_the_same_height(app: App, person: BrowserContext) -> None:
    page, heights = person.new_page(), {}
    for path in ("", "history", "compare?runs=1,2,3", "leaderboard?runs=1,2,3", "glossary"):
        page.goto(f"{app.url}/{path}")
        title = page.get_by_role("heading", level=1)
        expect(title).to_be_visible()
        settled(page)
        heights[path] = title.evaluate(
            "title => title.getBoundingClientRect().top"
            " + parseFloat(getComputedStyle(title).paddingTop)"
        )
    assert max(heights.values()) - min(heights.values()) < 2, heights
