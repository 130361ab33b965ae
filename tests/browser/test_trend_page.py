"""From a baseline to the trend of those that came after it."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import update

from db import baselines
from db.database import writing
from db.schema import runs as table
from tests.browser.conftest import App, fits, no_trouble, settled
from tests.stored import store
from tests.values import NOON, measured

pytestmark = pytest.mark.browser

NIGHTS = (3.0, 2.0, 4.0, 3.01)  # seconds an answer


@pytest.fixture(scope="module", autouse=True)
def nights(app: App) -> None:
    with app.database() as engine:
        for night, seconds in enumerate(NIGHTS, 1):
            times = enumerate((seconds, seconds * 1.01, seconds * 0.99))
            answers = [measured(repeat=r, e2e=s) for r, s in times]
            store(engine, answers, name=f"night {night}", repeats=3, tags=["nightly"])
            with writing(engine) as connection:
                statement = update(table).where(table.c.id == night)
                connection.execute(statement.values(started_at=NOON + timedelta(days=night)))


def marks(page: Page) -> dict[str, str]:
    """The runs of the chart, each with what a screen reader says of its mark."""
    chart = page.get_by_test_id("stVegaLiteChart")
    expect(chart.locator("svg, canvas").first).to_be_visible()
    points = chart.locator("[aria-roledescription=point]")
    expect(points).to_have_count(len(NIGHTS))
    labels = [mark.get_attribute("aria-label") or "" for mark in points.all()]
    return {re.findall(r"Run: (\d+)", text)[0]: text for text in labels}


def test_a_baseline_is_set_and_later_runs_are_compared_with_it(
    app: App, person: BrowserContext
) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/result?run=1")
    page.get_by_role("button", name="…", exact=True).click()
    page.get_by_role("menuitem", name="Baseline").click()
    page.get_by_role("button", name="Set as baseline", exact=True).click()
    expect(page.get_by_text("baseline for model tiny")).to_be_visible()
    with app.database() as engine:
        assert [(each.kind, each.value, each.run_id) for each in baselines.list_all(engine)] == [
            ("model", "tiny", 1)
        ]

    page.goto(f"{app.url}/history")
    for text in ("baseline", "faster, 50 % higher", "slower, 25 % lower", "≈ within ±5 %"):
        expect(page.locator(".run .against", has_text=f"vs baseline{text}")).to_have_count(1)
    page.get_by_role("radio", name="Output throughput").click()
    expect(page).to_have_url(re.compile(r"trend=output_tokens_per_s$"))
    expect(page.get_by_role("heading", name="Is it getting faster?")).to_be_visible()
    expect(page.get_by_text("one is slower: run 3.")).to_be_visible()
    settled(page)
    no_trouble(page)


def test_each_run_is_drawn_at_its_time(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/history?trend=tokens_per_s_median")
    settled(page)
    assert len(marks(page)) == len(NIGHTS)
    chart = page.get_by_test_id("stVegaLiteChart")
    points = chart.locator("[aria-roledescription=point]").all()
    drawn = (re.findall(r"[\d.]+", mark.get_attribute("transform") or "") for mark in points)
    places = [float(x) for x, _ in drawn]
    steps = [round(after - before) for before, after in pairwise(places)]
    assert places[0] > 0 and len(set(steps)) == 1 and steps[0] > 100  # a night between any two
    assert "Started: Mar 02" in (points[0].get_attribute("aria-label") or "")


@pytest.mark.long
def test_a_trend_fits_on_a_phone(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{app.url}/history?trend=tokens_per_s_median")
    settled(page)
    assert len(marks(page)) == len(NIGHTS)
    fits(page)


@pytest.mark.long
def test_a_mark_of_the_trend_leads_to_its_run(app: App, person: BrowserContext) -> None:
    with app.database() as engine:
        baselines.save(engine, "model", "tiny", 1)
    page = person.new_page()
    page.goto(f"{app.url}/history?model=tiny&trend=e2e_s_median")
    settled(page)
    points = marks(page)
    assert "Verdict: slower" in points["3"] and "Verdict: faster" in points["2"]
    page.locator("[aria-roledescription=point]").nth(2).click()
    expect(page.get_by_text("Run 3 · night 3 · slower")).to_be_visible()
    page.get_by_role("link", name="Compare with baseline").click()
    page.wait_for_url(re.compile(r"/compare\?runs=1(,|%2C)3$"))
    no_trouble(page)


@pytest.mark.long
def test_a_change_of_the_server_is_marked_and_reported(app: App, person: BrowserContext) -> None:
    with app.database() as engine, writing(engine) as connection:
        moved = update(table).where(table.c.id > 2).values(lane="gpu-2:8000")
        connection.execute(moved)
    page = person.new_page()
    page.goto(f"{app.url}/history?model=tiny&trend=e2e_s_median")
    settled(page)
    warning = page.get_by_test_id("stAlertContentWarning")
    expect(warning).to_contain_text("from run 3 on, address gpu-1:8000 → gpu-2:8000")
    mark = page.locator("[aria-label*='From run 3 on']")
    expect(mark.first).to_be_attached()
    no_trouble(page)
