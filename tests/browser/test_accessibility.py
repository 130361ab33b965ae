"""Every page in both themes, checked by axe-core against WCAG 2 A and AA; and used by keyboard."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests import capacities
from tests.browser.conftest import App, settled
from tests.stored import store
from tests.values import failed, measured

pytestmark = pytest.mark.browser

PAGES = (
    "",
    "history",
    "history?trend=tokens_per_s_median",
    "compare?runs=1,2",
    "leaderboard?runs=1,2,3",
    "live?run=1",
    "result?run=1",
    "study?preset=tensor",
    "capacity",
    "capacity?search=1",
    "engines",
    "backends",
    "batches",
    "glossary",
)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MOST_TABS = 100
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


@pytest.fixture(scope="module", autouse=True)
def stored(app: App) -> None:
    with app.database() as engine:
        for n in range(3):
            rows = [*(measured(i) for i in range(6)), failed(6, error="timed out")]
            store(engine, rows, name=f"run {n}", note="a note", tags=["nightly"])
        capacities.stored(engine, capacities.searched(capacities.config_of_servers()))


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_serious_violation(app: App, person: BrowserContext, path: str) -> None:
    page = person.new_page()
    found: list[str] = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.goto(f"{app.url}/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        settled(page)
        found += [f"{theme}: {each}" for each in _serious(Axe().run(page, options=RULES).response)]
    assert not found, "\n".join(found)


def _serious(response: dict[str, Any]) -> list[str]:
    return [
        f"{violation['id']}: {node['target']} {node['html'][:200]} | {node['failureSummary'][:300]}"
        for violation in response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def test_the_keyboard_alone_starts_a_run_and_finds_it(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/?requests=1&warmup=0&pause_s=0&max_tokens=4")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    settled(page)
    _tab_to(page, page.get_by_role("button", name="Start"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/result\?run=\d+"))
    settled(page)
    page.goto(f"{app.url}/history")
    link = page.get_by_role("link", name=re.compile("run 0")).first
    expect(link).to_be_visible()
    settled(page)
    _tab_to(page, link)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/result\?run=1$"))


def _tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus; each press moves it."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{MOST_TABS} presses of Tab do not reach {wanted}")
