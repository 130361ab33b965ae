"""`python -m bench.opening FILE`: how soon the result of a long run is seen in Chromium.

FILE is a database whose first run is long, as `python -m bench.endurance --keep FILE` leaves it.
Its result is opened by a new visitor, who has nothing cached; in a new tab by one who has seen the
app; by a reload; and from another page of the app. Timed is how long it takes until both the first
numbers and the first chart are visible. The same of a small run shows what is due to the number of
requests. A cell is the median, and in brackets the slowest.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bench import report
from bench.pages import REPEATS, store
from bench.viewers import app
from db.database import connect, opened
from db.request_columns import count_of
from services.base.units import seconds
from tests.browser.conftest import FLAGS, executable

TIMES = 5  # how often each way is taken
GOAL_S = 2.0
FEW = 100  # requests of the small run
RESULT = "/result?run=1"
SOON: dict[str, Any] = {"wait_until": "commit"}  # what is seen is waited for

Act = Callable[[Page], Any]


def seen(page: Page, began: float) -> float:
    """Wait for the first number and the first chart; return the seconds since `began`."""
    page.get_by_test_id("stMetric").first.wait_for()
    page.locator("svg.marks").first.wait_for()
    return monotonic() - began


def opened_in(context: BrowserContext, url: str) -> float:
    page = context.new_page()
    began = monotonic()
    page.goto(url, **SOON)
    took = seen(page, began)
    settle(page)
    page.close()
    return took


def settle(page: Page) -> None:
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def as_a_new_visitor(browser: Browser, url: str) -> Iterator[float]:
    for _ in range(TIMES):
        context = browser.new_context()
        yield opened_in(context, url)
        context.close()


def in_a_new_tab(browser: Browser, url: str) -> Iterator[float]:
    context = browser.new_context()
    opened_in(context, url)
    for _ in range(TIMES):
        yield opened_in(context, url)
    context.close()


def by_a_reload(browser: Browser, url: str) -> Iterator[float]:
    return on_one_page(browser, url, lambda page: None, lambda page: page.reload(**SOON))


def from_another_page(browser: Browser, url: str) -> Iterator[float]:
    return on_one_page(browser, url, to_the_glossary, lambda page: page.go_back(**SOON))


def to_the_glossary(page: Page) -> None:
    page.get_by_role("link", name="Glossary").first.click()
    page.get_by_role("heading", name="Glossary", exact=True).wait_for()
    settle(page)


def on_one_page(browser: Browser, url: str, leave: Act, come: Act) -> Iterator[float]:
    """Leave the result, which is not timed, and come to it again."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    seen(page, monotonic())
    for _ in range(TIMES):
        settle(page)
        leave(page)
        began = monotonic()
        come(page)
        yield seen(page, began)
    context.close()


def line(browser: Browser, database_url: str) -> tuple[str, ...]:
    """Open the result of a database's first run in each way; return its row of the table."""
    database = connect(database_url)
    count = count_of(database, 1)
    database.dispose()
    row = [f"{count:,} requests", seconds(GOAL_S)]
    with app("", PACELINE_DATABASE_URL=database_url) as (port, _):
        url = f"http://127.0.0.1:{port}{RESULT}"
        for way in WAYS.values():
            times = list(way(browser, url))
            row.append(f"{seconds(median(times))} ({seconds(max(times))})")
    return tuple(row)


WAYS: dict[str, Callable[[Browser, str], Iterator[float]]] = {
    "nothing cached": as_a_new_visitor,
    "new tab": in_a_new_tab,
    "reload": by_a_reload,
    "from another page": from_another_page,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.opening", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="a database with a long run")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        small = f"sqlite:///{folder}/paceline.db"
        os.environ["PACELINE_DATABASE_URL"] = small
        store(opened(), 0, FEW // REPEATS)
        opened().dispose()
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        long = f"sqlite:///{options.file.absolute()}"
        head = ("result of", "goal", *WAYS)
        rows = [head, ("---",) * len(head), *(line(browser, url) for url in (long, small))]
        browser.close()
    report.publish("opening", rows, options.write)


if __name__ == "__main__":
    main()
