"""What a stranger does with a browser alone, on the embedded model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import App, no_trouble, open_popover, settled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("spinbutton", name=label, exact=True)
    field.fill(value)
    field.press("Enter")
    settled(page)


def start(page: Page) -> int:
    """Press Start, watch the run, and return its number once the result is shown."""
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"/live\?run=\d+"))
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.get_by_text("Tokens/s so far")).to_be_visible()
    page.wait_for_url(re.compile(r"/result\?run=\d+"), timeout=120_000)
    settled(page)
    no_trouble(page)
    return int(page.url.rpartition("=")[2])


@pytest.mark.long
def test_from_the_first_page_to_a_comparison_in_another_browser(
    app: App, person: BrowserContext, chromium: Browser, tmp_path: Path
) -> None:
    page = person.new_page()

    # a sequential run of 5 requests, with nothing chosen but a shorter answer
    page.goto(app.url)
    settled(page)
    fill(page, "Max tokens", "8")
    fill(page, "Pause (s)", "0")
    expect(page.get_by_text("Sends 5 requests plus 1 warm-up request")).to_be_visible()
    sequential = start(page)
    expect(page.get_by_text("done", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="How fast did each request run?")).to_be_visible()
    expect(
        page.get_by_test_id("stVegaLiteChart").first.locator("canvas, svg").first
    ).to_be_visible()

    # a staggered run of 16
    page.goto(app.url)
    settled(page)
    page.get_by_role("radio", name="Staggered concurrent").click()
    settled(page)
    fill(page, "Requests", "16")
    fill(page, "Max tokens", "8")
    staggered = start(page)
    assert staggered != sequential

    # the history has both; compare them
    page.get_by_role("link", name="History").click()
    page.wait_for_url(re.compile("/history"))
    settled(page)
    choose_rows(page, 2)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(re.compile(r"/compare\?runs="))
    settled(page)
    no_trouble(page)
    expect(page.get_by_text("in these repeats").first).to_be_visible()
    page.get_by_role("tab", name="Setup").click()
    expect(page.get_by_role("heading", name="What differs between the runs?")).to_be_visible()

    # take the files
    page.goto(f"{app.url}/result?run={staggered}")
    settled(page)
    csv = download(page, "Requests (CSV)", tmp_path)
    lines = csv.read_text().splitlines()
    assert len(lines) == 17
    assert lines[0].startswith("index,repeat,status") and "Tokens per Second" in lines[0]
    page.goto(f"{app.url}/compare?runs={sequential},{staggered}")
    settled(page)
    html = download(page, "Page that opens offline (HTML)", tmp_path)

    # the link in another browser, right after a restart of the server, shows the same
    text = page.get_by_text("in these repeats").first.inner_text()
    page.close()  # it would ask for the server while that is away
    app.stop()
    app.start()
    other = chromium.new_context().new_page()
    other.goto(f"{app.url}/compare?runs={sequential},{staggered}&view=share")
    settled(other)
    expect(other.get_by_text(text)).to_be_visible()
    expect(other).to_have_title("Compare · Paceline")
    expect(other.get_by_test_id("stSidebar")).to_have_count(0)
    expect(other.get_by_role("button", name="Share", exact=True)).to_have_count(0)

    # the file opens with the network off
    offline = chromium.new_context(offline=True).new_page()
    problems: list[str] = []
    offline.on("console", lambda message: problems.append(message.text))
    offline.on("pageerror", lambda error: problems.append(str(error)))
    offline.goto(html.as_uri())
    expect(offline.locator("svg.marks").first).to_be_visible()
    assert problems == []


def choose_rows(page: Page, count: int) -> None:
    """Tick the first rows of the history. While a rerun moves the list, it is there twice."""
    labels = page.locator(".st-key-runs .stCheckbox label")
    expect(labels.first).to_be_visible()
    settled(page)
    rows = labels.count()
    for row in range(count):
        expect(labels).to_have_count(rows)
        labels.nth(row).click()
        settled(page)


def download(page: Page, label: str, folder: Path) -> Path:
    file_button = page.get_by_role("button", name=label)
    open_popover(page, "Share", file_button)
    with page.expect_download() as waiting:
        file_button.click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file
