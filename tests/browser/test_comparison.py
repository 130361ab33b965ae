"""A comparison from the form to its verdict: interleaved runs, judged in words."""

from __future__ import annotations

import re
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from scipy import stats

from db import results, runs
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


def throughputs(app: App, run_id: int) -> list[float]:
    """Output tokens/s of each repeat of a stored run, from its requests."""
    with app.database() as database:
        table = results.requests_of(database, runs.load(database, run_id))
    found = []
    for index in range(5):
        repeat = [m for m in table if m.repeat == index and m.t_send is not None and m.t_last]
        assert len(repeat) == 8
        seconds = max(m.t_last for m in repeat) - min(m.t_send for m in repeat)
        found.append(sum(m.output_tokens for m in repeat) / seconds)
    return found


def expected_headline(ratio: float, p: float, p_equivalent: float) -> str:
    """What a page must say, by its throughput, where each request is surely slower. The other three
    measures differ many times more, so that Holm leaves `p` as it is."""
    lower = r"but median tokens/s per request \d+ % lower"
    if 4 * p_equivalent < 0.05:  # and no other measure is equivalent
        return rf"has the same output throughput as sequential, within ±5 %, {lower}"
    if p >= 0.05:
        return rf"output throughput inconclusive, {lower}"
    if ratio < 1:
        return r"has [\d.]+ % lower output throughput than sequential"
    more = r"([\d.]+× the throughput of|[\d.]+ % more throughput than)"
    return rf"gives {more} sequential, but [\d.]+ % fewer tokens/s per request"


@pytest.mark.timed  # beside others, the embedded model takes minutes
def test_the_verdict_on_a_batch_follows_from_the_requests_of_the_embedded_model(
    app: App, person: BrowserContext
) -> None:
    """Whether a batch has more throughput is up to the processor: one thread may gain 1.1× or
    1.5×. What the page says of it is computed again, from the stored requests, with SciPy."""
    page = person.new_page()
    page.goto(app.url)
    settled(page)
    page.get_by_role("radio", name="Modes").click()
    page.wait_for_url(re.compile("vs=mode"))  # what is chosen is in the link
    measured(page, app, f"requests=8&pause_s=0&max_tokens=24&vs={BATCH}")
    text = verdict(page)
    first, second = re.findall(r"\d+", page.url.partition("runs=")[2].replace("%2C", ","))[:2]
    logs = np.log(throughputs(app, int(second))) - np.log(throughputs(app, int(first)))
    test, margin = stats.ttest_1samp(logs, 0), np.log(1.05)
    p_equivalent = max(
        stats.ttest_1samp(logs, -margin, alternative="greater").pvalue,
        stats.ttest_1samp(logs, margin, alternative="less").pvalue,
    )
    ratio = float(np.exp(logs.mean()))
    wanted = expected_headline(ratio, test.pvalue, p_equivalent)
    assert re.search(wanted, text), (ratio, test.pvalue, p_equivalent, text[:800])
    low, high = np.exp(test.confidence_interval(0.95))
    shown = re.search(r"([\d.]+)× \(95 % (?:interval )?([\d.]+)–([\d.]+)\)", text)
    assert shown, text[:1500]
    assert [float(shown[i]) for i in (1, 2, 3)] == pytest.approx(
        [ratio, low, high], abs=0.0051, rel=0.006
    )
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
    assert re.search(r"95 % interval [\d.]+–[\d.]+", text), text[:800]
    assert "5 repeats each, interleaved" in text


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
