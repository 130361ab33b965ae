"""The capacity of real vLLM from the browser, TP 1 against TP 2: killed half-way, resumed, told. No
speed is asserted, nor that a busy machine can offer a load in time."""

from __future__ import annotations

import os
import re
import signal
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import Engine

from db import capacities, runs
from services.studies.capacity import Capacity
from tests.browser.conftest import App, no_trouble, settled
from tests.conftest import until
from tests.engines.conftest import READY_S, Start, supervisor

PART_S = 900.0  # of the search; two minutes on a quiet machine
pytestmark = [pytest.mark.engines, pytest.mark.timeout(2 * READY_S + 3 * PART_S)]

SEARCH = {
    "objectives": "ttft:p90<2",
    "lowest": "0.5",
    "highest": "64",
    "window_s": "5",
    "probes": "5",
    "precision": "0.2",
    "max_tokens": "4",
    "ignore_eos": "true",
}


def started(page: Page, app: App, **servers: Any) -> int:
    """Start a search from its form; return its number."""
    page.goto(f"{app.url}/capacity?{urlencode({'backend': 'vllm', **SEARCH, **servers})}")
    settled(page)
    expect(page.get_by_text("Up to 5 probes of each server, each a run")).to_be_visible()
    page.get_by_role("button", name="Start search").click()
    page.wait_for_url(re.compile(r"/capacity\?search=\d+"))
    return int(page.url.rpartition("=")[2])


def measured(found: Capacity) -> int:
    return sum(probe.observation is not None for probe in found.probes)


def is_over(page: Page, app_database: Engine, number: int) -> bool:
    """Whether the search has ended; press Resume if it was cut short."""
    found = capacities.load(app_database, number)
    if found.status == "interrupted":
        page.reload()
        settled(page)
        page.get_by_role("button", name="Resume").click()
        until(lambda: capacities.load(app_database, number).status != "interrupted", 60)
    return found.status not in ("running", "interrupted")


def test_capacities_of_two_degrees_killed_half_way_are_resumed_and_compared(
    app: App, person: BrowserContext, start: Start
) -> None:
    """The engines belong to another supervisor than the search, so that they survive its end."""
    one, two = start("vllm"), start("vllm", tp=2)
    page = person.new_page()
    with app.database() as searches:
        number = started(page, app, base_url=one.base_url, **{"b.base_url": two.base_url})
        until(lambda: measured(capacities.load(searches, number)) >= 3, PART_S)
        before = [probe for probe in capacities.load(searches, number).probes if probe.observation]
        killed = supervisor(app)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(30)
        page.reload()  # the page sees to it that somebody goes on
        until(lambda: is_over(page, searches, number), PART_S)
        found = capacities.load(searches, number)
        assert (found.status, found.error) == ("done", None)
        assert list(found.probes[: len(before)]) == before, "what was measured is kept"
        probes = runs.load_many(searches, [probe.run_id for probe in found.probes])
        degrees = [run.environment["tensor_parallel"] for run in probes]
        assert degrees == [probe.server + 1 for probe in found.probes] and set(degrees) == {1, 2}
    page.reload()
    settled(page)
    no_trouble(page)
    text = page.get_by_test_id("stMain").inner_text().replace("\xa0", " ")
    said = r"(sustains?|no capacity is claimed).* at TTFT p90 ≤ 2\.00 s"
    assert re.search(said, text), text
    assert "Operating points" in text
