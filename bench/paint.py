"""`python -m bench.paint`: how soon a shared page is seen in Chromium, against its goal.

The pages of two small runs and of eight large ones, from the app as a process of its own, each in
turn with an almost empty page from the same server. A new visitor each time: nothing is cached.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from bench import report
from bench.pages import FEW, REQUESTS, RUNS, store
from bench.viewers import app
from db import shares
from db.database import opened
from services.base.units import seconds, significant
from tests.browser.conftest import FLAGS, executable

TIMES = 7  # how often each page is opened
GOAL_S = 0.5
HEAD = ("shared page", "goal", "first paint, median", "slowest", "of an empty page", "size")
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
EMPTY = "/share/nothing"  # a sentence that there is no page


def painted(browser: Browser, url: str) -> float:
    """Return the seconds from the request for a page to its first paint."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, wait_until="commit")
    page.wait_for_function(PAINT)
    at: float = page.evaluate(PAINT)
    context.close()
    return at / 1000


def line(browser: Browser, server: str, title: str, ids: Sequence[int]) -> tuple[str, ...]:
    """Share a page of these runs and open it; return its row of the table."""
    share = shares.publish(opened(), ids)
    size = len(shares.load(opened(), share.token) or b"")
    pairs = [
        (painted(browser, server + share.path), painted(browser, server + EMPTY))
        for _ in range(TIMES)
    ]
    page, empty = (list(column) for column in zip(*pairs, strict=True))
    relative = f"{significant(median(page) / median(empty), 2)}×"
    shown = (GOAL_S, median(page), max(page))
    return title, *map(seconds, shown), relative, f"{size / 1e6:.2f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.paint", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PACELINE_DATABASE_URL"] = f"sqlite:///{folder}/paceline.db"
        for number in range(RUNS + FEW):
            store(opened(), number, REQUESTS if number < RUNS else 20)
        few, large = range(RUNS + 1, RUNS + FEW + 1), range(1, RUNS + 1)
        with app(folder) as (port, _), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
            server = f"http://127.0.0.1:{port}"
            painted(browser, server + EMPTY)  # so that the browser has started
            rows = [
                HEAD,
                ("---",) * len(HEAD),
                line(browser, server, "2 runs of 100 requests", few),
                line(browser, server, f"{RUNS} runs of 5,000 requests", large),
            ]
            browser.close()
        opened().dispose()
    report.publish("paint", rows, options.write)


if __name__ == "__main__":
    main()
