"""Every page in both themes, checked by axe-core against WCAG 2 A and AA; and used by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests import capacities
from tests.browser import made_up, signed_in, stored_states
from tests.browser.conftest import App, settled
from tests.browser.signed_in import ADMIN, RUNNER, VIEWER
from tests.stored import store
from tests.values import failed, measured

pytestmark = pytest.mark.browser

PAGES = (
    "",
    "?vs=mode%3Dbatch",
    "history",
    "history?trend=tokens_per_s_median",
    "compare?runs=1,2",
    "leaderboard?runs=1,2,3",
    "live?run=1",
    "result?run=1",
    "study?preset=tensor",
    "capacity",
    "capacity?search=1",
    "capacity?search=2",
    "study?preset=capacity&engine=llamacpp",
    "study?study=1",
    "engines",
    "backends",
    "batches",
    "glossary",
)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MAX_TABS = 100
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


@pytest.fixture(scope="module", autouse=True)
def stored(app: App) -> None:
    with app.database() as engine:
        for n in range(3):
            rows = [*(measured(i) for i in range(6)), failed(6, error="timed out")]
            store(engine, rows, name=f"run {n}", note="a note", tags=["nightly"])
        capacities.stored(engine, capacities.searched(capacities.config_of_servers()))
        two = capacities.searched(
            capacities.config_of_servers(2), (capacities.FIRST, capacities.SECOND)
        )
        capacities.stored(engine, two)
        stored_states.a_study_of_capacities(engine)


@pytest.mark.long
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_serious_violation(app: App, person: BrowserContext, path: str) -> None:
    page = person.new_page()
    found: list[str] = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.goto(f"{app.url}/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        settled(page)
        found += _found(page, theme)
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app where people sign in."""
    folder = tmp_path_factory.mktemp("asking")
    app = App(folder)
    signed_in.required(app, folder)
    with app.database() as engine:  # before its supervisor looks at it
        stored_states.some_servers(engine)
        stored_states.some_tokens(engine)
        made_up.some_engines(engine)
    app.start()
    yield app
    app.stop()


WHERE_PEOPLE_SIGN_IN = (
    (None, "", "Sign in"),
    ("eve@example.org", "", "You cannot open this page."),
    (VIEWER, "", "History"),
    (VIEWER, "tokens", "You cannot open this page."),
    (RUNNER, "", "Server A"),
    (RUNNER, "tokens", "API tokens"),
    (ADMIN, "tokens", "API tokens"),
    (ADMIN, "engines", "Engines"),
)


@pytest.mark.long
@pytest.mark.parametrize(("who", "path", "title"), WHERE_PEOPLE_SIGN_IN)
def test_axe_finds_no_serious_violation_where_people_sign_in(
    chromium: Browser, asking: App, who: str | None, path: str, title: str
) -> None:
    page = _page_of(chromium, asking, who)
    found: list[str] = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.goto(f"{asking.url}/{path}")
        expect(page.get_by_text(title).first).to_be_visible()
        if page.get_by_test_id("stApp").count():
            settled(page)
        found += _found(page, theme)
    page.context.close()
    assert not found, "\n".join(found)


@pytest.mark.long
def test_the_keyboard_alone_creates_a_token(chromium: Browser, asking: App) -> None:
    page = _page_of(chromium, asking, RUNNER)
    page.goto(f"{asking.url}/tokens")
    name = page.get_by_label("Name")
    expect(name).to_be_visible()
    settled(page)
    _tab_to(page, name)
    page.keyboard.insert_text("typed")
    _tab_to(page, page.get_by_role("button", name="Create token"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Token typed created")).to_be_visible()
    page.context.close()


def test_a_viewer_finds_history_by_its_address(chromium: Browser, asking: App) -> None:
    page = _page_of(chromium, asking, VIEWER)
    page.goto(f"{asking.url}/history?tag=nightly")
    expect(page.get_by_role("heading", name="History", level=1)).to_be_visible()
    settled(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.context.close()


def _page_of(chromium: Browser, app: App, who: str | None) -> Page:
    """A browser of a person who has signed in, or of an unknown person."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(90_000)
    if who is not None:
        signed_in.sign_in(context, app, who)
    return context.new_page()


def _found(page: Page, theme: str) -> list[str]:
    return [f"{theme}: {each}" for each in _serious(Axe().run(page, options=RULES).response)]


def _serious(response: dict[str, Any]) -> list[str]:
    return [
        f"{violation['id']}: {node['target']} {node['html'][:200]} | {node['failureSummary'][:300]}"
        for violation in response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.long
def test_the_keyboard_alone_starts_a_run_and_finds_it(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/?requests=1&warmup=0&pause_s=0&max_tokens=4")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    settled(page)
    _tab_to(page, page.get_by_role("button", name="Start"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/result\?run=\d+"))
    number = page.url.rpartition("=")[2]
    settled(page)
    page.goto(f"{app.url}/history")
    link = page.locator(f'a[href$="result?run={number}"]').first
    expect(link).to_be_visible()
    settled(page)
    _tab_to(page, link)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/result\?run={number}$"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("capacity", "Start search"),
        ("study", "Start study"),
        ("engines?engine=llamacpp", "Start engine"),
        ("batches", "Queue tasks"),
    ],
)
def test_the_keyboard_reaches_the_submit_button_of_a_form(
    app: App, person: BrowserContext, path: str, label: str
) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/{path}")
    button = page.get_by_role("button", name=label, exact=True)
    expect(button).to_be_enabled()
    settled(page)
    _tab_to(page, button)


def _tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus; each press moves it."""
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{MAX_TABS} presses of Tab do not reach {wanted}")
