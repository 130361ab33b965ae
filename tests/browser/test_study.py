"""A study from its form to its report, its files and its link, on a server with known times."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import App, no_trouble, settled
from tests.conftest import ReferenceServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def over(page: Page) -> None:
    """Wait until every cell is measured."""
    page.get_by_text(re.compile(r"(\d+) of \1 cells measured")).first.wait_for(timeout=300_000)
    page.get_by_role("button", name="Share", exact=True).wait_for(timeout=60_000)
    settled(page)
    no_trouble(page)


@pytest.mark.long
def test_a_sweep_says_where_throughput_stops_growing(
    app: App, person: BrowserContext, reference: ReferenceServer
) -> None:
    page = person.new_page()
    model = quote("ref ttft=0.02 gap=0.005 tokens=20")
    link = f"engine=&backend=url&base_url={quote(reference.base_url)}&model={model}"
    page.goto(f"{app.url}/study?preset=concurrency&{link}&concurrencies=1,4&requests=4&warmup=0")
    settled(page)
    expect(page.get_by_text("2 cells. It takes")).to_be_visible()
    page.get_by_role("button", name="Start study").click()
    page.wait_for_url(re.compile(r"/study\?study=\d+"))
    over(page)
    text = page.get_by_test_id("stMain").inner_text()
    assert "at concurrency 4" in text and "batch" not in text.lower()
    assert "How does throughput change with concurrency?" in text
    with page.expect_download() as download:
        page.get_by_role("button", name="Share", exact=True).click()
        page.get_by_role("button", name="Cells (CSV)").click()
    assert download.value.path().read_text().count("\n") == 3
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_role("button", name="Create link").click()
    shared = page.get_by_text(re.compile(r"/share/\S+")).first.inner_text()
    page.goto(shared.strip())
    expect(page.get_by_text("Throughput against concurrency").first).to_be_visible()


@pytest.mark.long
def test_an_engine_is_started_watched_and_stopped(app: App, person: BrowserContext) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/engines?engine=llamacpp&max_seqs=1&max_model_len=512")
    settled(page)
    page.get_by_role("button", name="Start engine").click()
    expect(page.get_by_role("link", name="Start a run")).to_be_visible(timeout=240_000)
    page.get_by_role("link", name="Start a run").click()
    page.wait_for_url(re.compile("backend=url"))
    settled(page)
    model = page.get_by_role("combobox", name=re.compile("Model"))
    expect(model).to_have_value("smollm2-135m-instruct")
    page.goto(f"{app.url}/engines")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("heading", name="Earlier")).to_be_visible(timeout=60_000)
    no_trouble(page)
