"""Each page's state is its URL: what a link shows in a fresh browser, what the back button does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from db import capacity_list, runs
from services.ask.config import parse
from tests.browser.conftest import App, no_trouble, settled, watched
from tests.conftest import ReferenceServer, until
from tests.picky import Picky, serving
from tests.stored import store
from tests.values import measured

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def stored(app: App) -> None:
    """Four runs, stored before any is started."""
    with app.database() as engine:
        for n, name in enumerate(("first", "second", "third", "fourth")):
            store(engine, [measured(i, e2e=2.0 + n) for i in range(4)], name=name, tags=[f"t{n}"])


def query_of(page: Page) -> dict[str, str]:
    """Return the query parameters of the URL."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def has(page: Page, **numbers: str) -> None:
    for label, value in numbers.items():
        field = page.get_by_role("spinbutton", name=LABELS[label], exact=True)
        expect(field).to_have_value(value)


LABELS = {"requests": "Requests", "interval": "Interval (s)", "tokens": "Max tokens"}


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("spinbutton", name=label, exact=True)
    field.fill(value)
    field.press("Enter")


def mode(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).click()


def is_chosen(page: Page, name: str) -> None:
    expect(page.get_by_role("radio", name=name)).to_have_attribute("aria-checked", "true")


@pytest.mark.long
def test_a_link_to_the_form_shows_the_same_form_in_another_browser(
    app: App, person: BrowserContext, chromium: Browser
) -> None:
    page = person.new_page()
    page.goto(app.url)
    settled(page)
    mode(page, "Staggered concurrent")
    fill(page, "Requests", "33")
    fill(page, "Interval (s)", "0.5")
    fill(page, "Max tokens", "17")
    mode(page, "Your own text")
    page.get_by_label("Prompt", exact=True).fill("my own secret words")
    page.get_by_label("Prompt", exact=True).press("Control+Enter")
    expect(page.get_by_text("Sends 33 requests plus 1 warm-up request")).to_be_visible()
    settled(page)
    expect(page).to_have_url(re.compile("max_tokens=17"))
    wanted = {
        "mode": "staggered",
        "requests": "33",
        "interval_s": "0.5",
        "max_tokens": "17",
        "workload": "text",
        "model": "smollm2-135m-instruct",
    }
    assert query_of(page) == wanted
    assert "secret" not in page.url

    other = chromium.new_context()
    troubles = watched(other, app)
    fresh = other.new_page()
    fresh.goto(page.url)
    settled(fresh)
    is_chosen(fresh, "Staggered concurrent")
    is_chosen(fresh, "Your own text")
    has(fresh, requests="33", interval="0.5", tokens="17")
    assert fresh.url == page.url
    assert troubles == []
    other.close()


@pytest.mark.long
def test_the_back_button_undoes_one_choice_on_the_form(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(app.url)
    settled(page)
    fill(page, "Requests", "7")
    expect(page).to_have_url(re.compile("requests=7"))
    mode(page, "Large batch")
    expect(page).to_have_url(re.compile("mode=batch"))
    page.go_back()
    is_chosen(page, "Sequential")
    settled(page)
    has(page, requests="7")
    page.go_forward()
    is_chosen(page, "Large batch")
    page.get_by_role("link", name="History").click()
    page.wait_for_url(re.compile("/history"))
    settled(page)
    page.go_back()
    is_chosen(page, "Large batch")
    has(page, requests="7")


PRESS_TWICE = "(button, ms) => { button.click(); setTimeout(() => button.click(), ms) }"


@pytest.fixture
def refusing() -> Iterator[str]:
    """Where a server answers every question with an error."""
    with serving(Picky(refuses=lambda body, headers: (400, {"error": {"message": "no"}}))) as there:
        yield there.url


@pytest.mark.long
@pytest.mark.parametrize("pause_ms", [10, 150])  # before and after the next page is opened
def test_a_double_click_on_start_starts_one_run(
    app: App, person: BrowserContext, refusing: str, pause_ms: int
) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/?backend=url&base_url={refusing}/v1&model=nothing&requests=1")
    settled(page)
    button = page.get_by_role("button", name="Start", exact=True)
    expect(button).to_be_enabled()
    with app.database() as engine:
        before = runs.count(engine)
    button.evaluate(PRESS_TWICE, pause_ms)
    page.wait_for_url(re.compile(r"/live\?run=\d+"))
    page.get_by_text("The run failed.").wait_for()
    settled(page)
    no_trouble(page)
    with app.database() as engine:
        assert runs.count(engine) == before + 1

    page.go_back()  # to the form, as it was
    expect(page).to_have_url(re.compile(r"/\?like=\d+$"))
    expect(page.get_by_role("textbox", name="Address")).to_have_value(f"{refusing}/v1")
    has(page, requests="1")


def verdict_on(page: Page, name: str) -> Locator:
    """The headline of what is said of a run against the reference."""
    headings = page.locator("h3")  # not by its role: an open list hides all else from it
    return headings.filter(has_text=re.compile(f"^{name} against"))


@pytest.mark.long
def test_a_choice_on_compare_is_in_the_url_and_undone_by_the_back_button(
    app: App, person: BrowserContext
) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/compare?runs=2,1")
    expect(verdict_on(page, "first")).to_be_visible()
    page.get_by_role("button", name="Runs and margin").click()
    page.get_by_role("combobox", name="Runs (baseline first)").click()
    page.get_by_role("option", name="4 · fourth").click()
    both = page.locator("h3").filter(has_text="2 runs against second: no verdict")
    expect(both).to_be_visible()
    assert query_of(page) == {"runs": "2,1,4"}
    page.go_back()
    expect(both).to_have_count(0)
    expect(verdict_on(page, "first")).to_be_visible()
    assert query_of(page) == {"runs": "2,1"}
    settled(page)
    no_trouble(page)


@pytest.mark.long
def test_filters_of_the_history_are_in_its_link(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/history")
    settled(page)
    page.get_by_role("searchbox", name="Search").fill("f")
    expect(page).to_have_url(re.compile("text=f"))
    page.get_by_role("combobox", name="Tag").click()
    page.get_by_role("option", name="t3").click()
    expect(page.get_by_text("One run.")).to_be_visible()
    assert query_of(page) == {"text": "f", "tag": "t3"}
    fresh = person.new_page()
    fresh.goto(page.url)
    expect(fresh.get_by_text("One run.")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("2 runs.")).to_be_visible()


@pytest.mark.long
def test_a_shared_run_that_ends_leads_to_its_shared_result(
    app: App, person: BrowserContext, reference: ReferenceServer
) -> None:
    values = {
        "backend": "url",
        "base_url": reference.base_url,
        "model": "ref gap=0.05 tokens=20",
        "requests": 1,
        "warmup": 0,
    }
    with app.database() as engine:
        run_id = runs.create(engine, parse(values), "another lane")
    page = person.new_page()
    page.goto(f"{app.url}/live?run={run_id}&view=share")
    page.wait_for_url(re.compile(rf"/result\?run={run_id}&view=share"))
    expect(page.get_by_text("done", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Requests", exact=True).click()
    expect(page.get_by_role("heading", name="Every request")).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_have_count(0)
    expect(page.get_by_role("button", name="Share", exact=True)).to_have_count(0)
    expect(page.get_by_text("Prompts and answers")).to_have_count(0)


@pytest.mark.long
def test_a_double_click_on_start_starts_one_search(
    app: App, person: BrowserContext, refusing: str
) -> None:
    """The last test: the run of its probe stays in the history."""
    page = person.new_page()
    query = {"backend": "url", "base_url": f"{refusing}/v1", "model": "nothing", "probes": "5"}
    page.goto(f"{app.url}/capacity?{urlencode(query | {'objectives': 'ttft:p90<2'})}")
    settled(page)
    button = page.get_by_role("button", name="Start search", exact=True)
    expect(button).to_be_enabled()
    button.evaluate(PRESS_TWICE, 150)
    page.wait_for_url(re.compile(r"/capacity\?search=\d+"))
    settled(page)
    no_trouble(page)
    with app.database() as engine:
        assert len(capacity_list.list_all(engine)) == 1
    expect(page).to_have_url(re.compile(r"/capacity\?search=\d+"))
    expect(button).to_have_count(0)
    page.get_by_role("button", name="Cancel search").click()
    with app.database() as engine:
        until(lambda: capacity_list.list_all(engine)[0].status == "cancelled", 60)


@pytest.mark.long
def test_the_menu_leads_from_one_form_to_another_with_its_defaults(
    app: App, person: BrowserContext
) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/study")
    settled(page)
    menu = page.get_by_test_id("stSidebar")
    for name, path in (
        ("Capacity", "capacity"),
        ("Study", "study"),
        ("Run", ""),
        ("Capacity", "capacity"),
        ("Run", ""),
        ("Study", "study"),
    ):
        menu.get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(f"{app.url}/{path}")
        expect(page.get_by_role("spinbutton", name="Max tokens", exact=True)).to_be_visible()
        settled(page)
        expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
        expect(page.get_by_role("spinbutton", name="Max tokens", exact=True)).not_to_have_value("0")
    no_trouble(page)
