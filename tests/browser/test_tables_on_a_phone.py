"""Tables of several columns on a phone: a row takes several lines, and nothing is cut off."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from pages.widgets.terms import GLOSSARY
from tests.browser.conftest import App, fits, no_trouble, settled
from tests.capacities import FIRST, SECOND, config_of_servers, searched, stored
from tests.stored import store
from tests.values import repeats

pytestmark = pytest.mark.browser

STEADY = (1.0, 1.01, 0.99, 1.0, 1.0)
NAME = 'the server of the "{}" floor \\'
CUT = """cells => cells.filter(cell => cell.getBoundingClientRect().right > innerWidth
  || cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent)"""
ABOVE = "cells => cells.map(cell => getComputedStyle(cell, '::before').content)"


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("compare?runs={}", "Output throughput"),
        ("compare?tab=Numbers&runs={}", NAME.format("fourth")),
        ("leaderboard?runs={}", "Pareto front"),
        ("result?run=1&tab=numbers", "Repeat 5"),
    ],
)
def test_a_phone_shows_every_cell_below_the_name_of_its_column(
    app: App, person: BrowserContext, path: str, column: str
) -> None:
    with app.database() as database:
        ids = [
            store(
                database,
                repeats(slower, STEADY),
                repeats=5,
                requests=4,
                model="Qwen/Qwen3-8B",
                name=NAME.format(floor),
            )
            for slower, floor in ((1.0, "first"), (1.5, "second"), (2.0, "third"), (2.5, "fourth"))
        ]
    page = person.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/{path.format(','.join(map(str, ids)))}")
    cells = page.locator("[class*=st-key-folded-] td")
    expect(cells.first).to_be_attached()
    settled(page)
    assert page.locator("[data-testid=stTable] :is(th, td)").evaluate_all(CUT) == []
    assert len({cell.strip() for cell in cells.all_inner_texts()}) > 9
    assert all(cell.strip() for cell in cells.locator("visible=true").all_inner_texts())
    above = cells.evaluate_all(ABOVE)
    assert column in map(text_of, above)
    no_trouble(page)


def test_a_phone_shows_which_loads_were_sustained_without_scrolling(
    app: App, person: BrowserContext
) -> None:
    with app.database() as database:
        number = stored(database, searched(config_of_servers(2), (FIRST, SECOND)))
    page = person.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/capacity?search={number}")
    outcomes = page.get_by_role("table", name="Operating points")
    expect(outcomes.get_by_role("cell", name="no, queue grows").first).to_be_visible()
    page.get_by_text("Throughput and latency", exact=True).click()
    expect(page.get_by_role("table", name="Throughput and latency")).to_be_visible()
    assert page.locator("[data-testid=stTable] :is(th, td)").evaluate_all(CUT) == []
    no_trouble(page)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(file.stem for file in GLOSSARY.parent.glob("*.md")))
def test_a_phone_shows_a_document_without_scrolling_sideways(
    app: App, person: BrowserContext, name: str
) -> None:
    page = person.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/glossary?document={name}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settled(page)
    tables = re.findall(r"^\| *:?-", (GLOSSARY.parent / f"{name}.md").read_text(), re.MULTILINE)
    expect(page.locator("table")).to_have_count(len(tables))
    fits(page)
    assert page.locator("[data-testid=stTable] :is(th, td)").evaluate_all(CUT) == []
    no_trouble(page)


def text_of(content: str) -> str:
    """Return the text of a value of `content`."""
    return content.strip('"').replace('\\"', '"').replace("\\\\", "\\")
