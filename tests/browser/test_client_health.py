"""How the client was, as a person sees it: calibrated, and marked on an overloaded machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import App, no_trouble, settled
from tests.conftest import ReferenceServer

pytestmark = [pytest.mark.timed, pytest.mark.browser, pytest.mark.timeout(300)]

BUSY = "while True: pass"
BEHIND = re.compile(r"Requests were sent .+ late|This client was .+ behind")


@contextmanager
def overloaded(processes: int) -> Iterator[None]:
    """Keep every core busy several times over, by sessions of their own: Linux may share the cores
    among sessions first."""
    command = [sys.executable, "-c", BUSY]
    busy = [subprocess.Popen(command, start_new_session=True) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def start(page: Page, app: App, reference: ReferenceServer, **choices: str) -> None:
    """Open the form as a link has it, and press Start."""
    values = {"backend": "url", "base_url": reference.base_url, **choices}
    page.goto(f"{app.url}/?{urlencode(values)}")
    settled(page)
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"/live\?run=\d+"))


def ended(page: Page, timeout_ms: int) -> str:
    """Wait for the result; return the run's number."""
    page.wait_for_url(re.compile(r"/result\?run=\d+"), timeout=timeout_ms)
    settled(page)
    no_trouble(page)
    return page.url.rpartition("=")[2]


def test_a_run_shows_its_clients_health_and_calibration(
    app: App, person: BrowserContext, reference: ReferenceServer
) -> None:
    page = person.new_page()
    model = "ref ttft=0.3 gap=0.02 tokens=30"
    start(page, app, reference, mode="batch", requests="70", model=model)
    expect(page.get_by_text("Calibrating this client at the same load")).to_be_visible()
    ended(page, 60_000)
    expect(page.get_by_text(re.compile("client (healthy|overloaded)$"))).to_be_visible()
    adds = r"At this load the client adds [\d.]+ .?s to TTFT at the median and [\d.]+ .?s at p99"
    expect(page.get_by_text(re.compile(adds))).to_be_visible()
    page.get_by_role("tab", name="Numbers", exact=True).click()
    expect(page.get_by_role("heading", name="Was the client healthy?")).to_be_visible()


def test_a_run_on_an_overloaded_machine_is_marked_while_it_runs_and_afterwards(
    app: App, person: BrowserContext, reference: ReferenceServer
) -> None:
    page = person.new_page()
    model = "ref ttft=0.2 gap=0.02 tokens=20"
    quiet = {"mode": "staggered", "requests": "20", "interval_s": "0.05", "model": model}
    start(page, app, reference, **quiet)
    reference_run = ended(page, 60_000)
    with overloaded(4 * (os.cpu_count() or 1)):
        start(page, app, reference, **{**quiet, "requests": "1000", "interval_s": "0.01"})
        expect(page.get_by_text(BEHIND).first).to_be_visible(timeout=60_000)
        busy_run = ended(page, 120_000)
    page.goto(f"{app.url}/result?run={busy_run}")  # not what Chromium drew without a core
    settled(page)
    expect(page.get_by_text("client overloaded")).to_be_visible()
    expect(page.get_by_text(BEHIND).first).to_be_visible()

    page.goto(f"{app.url}/compare?runs={reference_run},{busy_run}")
    settled(page)
    no_trouble(page)
    expect(page.get_by_text("A client exceeded its limits").first).to_be_visible()
