"""The history: search as one types, tick, compare, edit, delete."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from db import baselines, filters, runs
from tests.browser.conftest import App, no_trouble, settled
from tests.stored import store

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def stored(app: App) -> None:
    with app.database() as engine:
        for name in ("one", "two", "three", "four"):
            store(engine, name=name)


def history(app: App, person: BrowserContext) -> Page:
    page = person.new_page()
    page.goto(f"{app.url}/history")
    expect(page.get_by_role("link", name="one", exact=True)).to_be_visible()
    settled(page)
    return page


def tick(page: Page, run_id: int) -> None:
    """Tick a run, at its number: the box itself is drawn over. While a rerun moves the list, it
    is there twice."""
    label = page.locator(f".st-key-tick-{run_id} label")
    expect(label).to_have_count(1)
    label.click()
    expect(
        page.get_by_text(re.compile(rf"(Selected|Baseline|Compared with it) {run_id} · "))
    ).to_be_visible()
    settled(page)


def button(page: Page, name: str) -> None:
    wanted = page.get_by_role("button", name=name, exact=True)
    expect(wanted).to_be_enabled()
    wanted.click()


@pytest.mark.long
def test_the_run_selected_first_is_the_baseline(app: App, person: BrowserContext) -> None:
    page = history(app, person)
    tick(page, 2)
    expect(page.get_by_role("button", name="Compare", exact=True)).to_be_disabled()
    tick(page, 4)
    button(page, "Compare")
    page.wait_for_url(re.compile(r"/compare\?runs=2(,|%2C)4$"))
    expect(page.get_by_text("in these repeats")).to_be_visible()
    no_trouble(page)


def test_the_back_button_leads_from_a_result_to_the_filtered_history(
    app: App, person: BrowserContext
) -> None:
    page = history(app, person)
    page.get_by_role("searchbox", name="Search").press_sequentially("two")  # and no Enter
    expect(page.get_by_text("One run.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/history\?text=two$"))
    page.get_by_role("link", name="two", exact=True).click()
    expect(page.get_by_role("heading", name="two", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_text("One run.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/history\?text=two$"))


@pytest.mark.long
def test_the_selection_outlives_a_reload_and_a_visit_to_a_result(
    app: App, person: BrowserContext
) -> None:
    page = history(app, person)
    tick(page, 3)
    tick(page, 1)
    expect(page).to_have_url(re.compile(r"/history\?selected=3(,|%2C)1$"))
    page.reload()
    expect(page.get_by_text("Compared with it 1 · one")).to_be_visible()
    settled(page)
    page.get_by_role("link", name="two", exact=True).click()
    expect(page.get_by_role("heading", name="two", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Baseline 3 · three")).to_be_visible()
    settled(page)
    button(page, "Compare")
    page.wait_for_url(re.compile(r"/compare\?runs=3(,|%2C)1$"))
    expect(page.get_by_text("in these repeats")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Baseline 3 · three")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/history\?selected=3(,|%2C)1$"))
    no_trouble(page)


@pytest.mark.long
def test_a_run_is_edited(app: App, person: BrowserContext) -> None:
    page = history(app, person)
    tick(page, 4)
    button(page, "…")
    page.get_by_role("menuitem", name="Edit").click()
    page.get_by_role("textbox", name="Name").fill("renamed")
    page.get_by_label("Tags (comma-separated)").fill("a, b")
    page.get_by_label("Note").fill("why")
    button(page, "Save")
    page.get_by_role("searchbox", name="Search").fill("renamed")
    expect(page.get_by_text("One run.")).to_be_visible()
    with app.database() as engine:
        run = runs.load(engine, 4)
    assert (run.name, run.tags, run.note) == ("renamed", ("a", "b"), "why")


@pytest.mark.long
def test_a_run_is_deleted_after_a_confirmation(app: App, person: BrowserContext) -> None:
    with app.database() as engine:
        unwanted = store(engine, name="unwanted")
        others = runs.count(engine) - 1
    page = history(app, person)
    tick(page, unwanted)
    button(page, "…")
    page.get_by_role("menuitem", name="Delete").click()
    warning = f"Run {unwanted} and all its requests will be deleted."
    expect(page.get_by_text(warning)).to_be_visible()
    with app.database() as engine:
        assert runs.count(engine) == others + 1
    button(page, "Delete permanently")
    expect(page.get_by_text(f"{others} runs.")).to_be_visible()
    expect(page.get_by_role("button", name="Delete permanently")).to_have_count(0)
    expect(page.get_by_role("button", name="…", exact=True)).to_have_count(0)
    with app.database() as engine:
        assert unwanted not in {row.id for row in runs.search(engine)}
        assert runs.count(engine) == others


CUT = """parts => parts.filter(part => part.scrollWidth > part.clientWidth + 1
  || part.getBoundingClientRect().right > innerWidth).map(part => part.textContent)"""


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_no_text_of_a_row_is_cut_off_at_any_width(
    app: App, person: BrowserContext, width: int
) -> None:
    long = "gpu-7.cluster.example.org:8000 · Llama-3.1-70B-Instruct-AWQ · batch · 64 requests " * 2
    with app.database() as engine:
        run = store(engine, name=long[:200], tags=["a-tag-of-some-length"], note="a note " * 20)
        baselines.save(engine, "model", "tiny", run)
    page = person.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{app.url}/history")
    expect(page.locator(".run .against").first).to_be_visible()
    expect(page.get_by_role("link", name=long[:200].strip(), exact=True).first).to_be_visible()
    settled(page)
    shown = page.locator(".run:not(.head) > div, .about, .st-key-runs a p")
    assert shown.evaluate_all(CUT) == []


@pytest.mark.long
def test_a_saved_filter_is_in_the_url(app: App, person: BrowserContext) -> None:
    with app.database() as engine:
        filters.save(engine, "only two", {"text": "two"})
    page = history(app, person)
    page.goto(f"{app.url}/history?text=one")
    expect(page.get_by_text("One run.")).to_be_visible()
    settled(page)
    page.get_by_role("link", name="only two").click()
    page.wait_for_url(f"{app.url}/history?text=two")
    page.reload()
    expect(page.get_by_role("link", name="two", exact=True)).to_be_visible()
    page.go_back()
    page.wait_for_url(f"{app.url}/history?text=one")
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("one")
    no_trouble(page)


MARK = "item => [getComputedStyle(item).backgroundColor, getComputedStyle(item).fontWeight]"


@pytest.mark.long
def test_the_menu_marks_the_history_on_the_page_of_a_run(app: App, person: BrowserContext) -> None:
    page = history(app, person)
    item = page.get_by_test_id("stSidebarNavLink").filter(has_text="History")
    marked = item.evaluate(MARK)
    unmarked = page.get_by_test_id("stSidebarNavLink").filter(has_text="Study").evaluate(MARK)
    page.goto(f"{app.url}/result?run=1")
    expect(page.get_by_role("heading", name="one", exact=True)).to_be_visible()
    settled(page)
    assert item.evaluate(MARK)[0] == marked[0] != unmarked[0]
    page.goto(f"{app.url}/leaderboard")
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible()
    settled(page)
    assert item.evaluate(MARK) == unmarked
