"""A comparison from the form to its verdict: interleaved runs, judged in words."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import App, no_trouble, settled
from tests.conftest import ReferenceServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

BATCH = quote("mode=batch&concurrency=8")


def measured(page: Page, app: App, link: str) -> None:
    """Open the form by a link, start the comparison, and wait until it is judged."""
    page.goto(f"{app.url}/?{link}")
    settled(page)
    expect(page.get_by_text("2 candidates, 5 interleaved repeats each")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"/live\?comparison=\d+"))
    expect(page.get_by_role("button", name="Cancel all")).to_be_visible()
    page.wait_for_url(re.compile(r"/compare\?runs=\d+(,|%2C)\d+"), timeout=480_000)
    settled(page)
    no_trouble(page)


def verdict(page: Page) -> str:
    return page.get_by_test_id("stMain").inner_text().replace("\xa0", " ").replace("\u2060", "")


@pytest.mark.timed  # what it measures is judged
def test_a_batch_has_more_throughput_but_fewer_tokens_per_second_per_request(
    app: App, person: BrowserContext
) -> None:
    page = person.new_page()
    page.goto(app.url)
    settled(page)
    page.get_by_role("radio", name="Modes").click()
    page.wait_for_url(re.compile("vs=mode"))  # what is chosen is in the link
    # In shorter repeats, another program is the larger part of what differs.
    measured(page, app, f"requests=16&pause_s=0&max_tokens=24&vs={BATCH}")
    text = verdict(page)
    assert re.search(r"gives ([\d.]+× the|[\d.]+\s% more) throughput (of|than)", text), text[:800]
    assert re.search(r"but [\d.]+ % fewer tokens/s per request", text)
    assert re.search(r"95 % interval [\d.]+–[\d.]+", text), text[:800]
    assert "5 repeats each, interleaved" in text
    page.get_by_role("button", name="Run again").click()
    expect(
        page.get_by_text("interleaved: more repeats narrow the confidence intervals")
    ).to_be_visible()


@pytest.mark.long
def test_the_verdict_has_the_numbers_of_a_server_that_answers_four_at_a_time(
    app: App, person: BrowserContext, reference: ReferenceServer
) -> None:
    """Of a batch of eight, four wait: the median is between one that did and one that did not."""
    model = quote("ref ttft=0.05 gap=0.01 tokens=20 slots=4")
    link = f"backend=url&base_url={quote(reference.base_url)}&model={model}"
    page = person.new_page()
    measured(page, app, f"{link}&requests=8&pause_s=0&max_tokens=24&vs={BATCH}")
    text = verdict(page)
    more = re.search(r"gives ([\d.]+)× the throughput of", text)
    fewer = re.search(r"but ([\d.]+) % fewer tokens/s per request", text)
    assert more and fewer, text[:800]
    assert 3 < float(more[1]) < 4.1 and 20 < float(fewer[1]) < 30, text[:800]


@pytest.mark.long
def test_the_same_config_twice_is_neither_faster_nor_slower(
    app: App, person: BrowserContext, reference: ReferenceServer
) -> None:
    """On a server with fixed times, so that chance alone cannot be past the margin."""
    model = quote("ref ttft=0.05 gap=0.01 tokens=20")
    link = f"backend=url&base_url={quote(reference.base_url)}&model={model}&vs=same"
    page = person.new_page()
    measured(page, app, f"{link}&mode=batch&requests=4&max_tokens=24")
    text = page.get_by_test_id("stMain").inner_text().replace("\xa0", " ")
    assert re.search(r"equivalent within ±5 %|inconclusive", text), text[:800]
    assert not re.search(r": (faster|slower)", text)
