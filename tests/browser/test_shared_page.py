"""A page for others: made by one person, opened by another who has nothing but its link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from db import shares
from services.report.export import export
from tests.browser.conftest import App, no_trouble, open_popover, settled
from tests.browser.test_first_visit import download
from tests.stored import store
from tests.values import candidate, measured, repeats

pytestmark = pytest.mark.browser

HOSTILE = '</script><img src=x onerror="window.hacked = 1">'
SECOND = 1000.0  # milliseconds


@pytest.fixture(scope="module", autouse=True)
def stored(app: App) -> None:
    """Two runs of three repeats, the second slower, named by somebody who means no good."""
    with app.database() as engine:
        for run_id in (1, 2):
            times = [(r, i) for r in range(3) for i in range(40)]
            runs = [
                measured(i, repeat=r, send=i * 0.1, e2e=2 + run_id + r / 50 + i / 100, tokens=30)
                for r, i in times
            ]
            store(
                engine,
                [replace(m, answer="an answer") for m in runs],
                repeats=3,
                requests=40,
                name=f"{HOSTILE} {run_id}",
                workload="text",
                prompt="a heron poem",
            )


@contextmanager
def stranger(chromium: Browser, allowed: str, **options: Any) -> Iterator[Page]:
    """Somebody without a network, but for what begins with `allowed`: that the page asks for
    anything else, or that the browser has anything to complain of, fails the test."""
    context = chromium.new_context(**options)
    troubles: list[str] = []
    context.on("console", lambda message: troubles.append(message.text))
    context.on("weberror", lambda error: troubles.append(str(error.error)))
    context.on("request", lambda r: None if r.url.startswith(allowed) else troubles.append(r.url))
    page = context.new_page()
    page.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.log(e.violatedDirective))"
    )
    yield page
    context.close()
    assert troubles == []


CUT = """() => [...document.querySelectorAll('svg.marks')].flatMap(chart => {
  const top = chart.getBoundingClientRect().top;
  return [...chart.querySelectorAll('text')]
    .filter(text => text.getBoundingClientRect().top < top - 1).map(text => text.textContent);
})"""


WIDER = """() => [...document.querySelectorAll('p')].map(p => [p, p.getBoundingClientRect()])
  .filter(([p, box]) => box.right > innerWidth).map(([p]) => p.textContent)"""


def drawn(page: Page, runs: int) -> float:
    """Wait for every chart; return when the last was there, in milliseconds from the start."""
    count = page.locator("figure > [id^=chart-]").count()  # the others say why they are empty
    assert count >= (7 if runs == 1 else 9)
    page.locator(f"svg.marks >> nth={count - 1}").wait_for()
    page.wait_for_load_state()
    assert page.locator("svg.marks").count() == count
    assert page.evaluate("window.hacked") is None
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(WIDER) == []
    marks: float = page.evaluate("performance.getEntriesByName('drawn')[0].startTime")
    return marks


def link(page: Page) -> str:
    create = page.get_by_role("button", name="Create link")
    open_popover(page, "Share", create)
    create.click()
    address = page.get_by_test_id("stCode").filter(has_text="/share/")
    expect(address).to_be_visible()
    return address.inner_text().strip()


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "runs", "look", "width"),
    [("result?run=1", 1, "light", 1280), ("compare?runs=1,2", 2, "dark", 390)],
)
def test_a_share_link_opens_in_another_browser_until_it_is_revoked(
    app: App, person: BrowserContext, chromium: Browser, path: str, runs: int, look: Any, width: int
) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/{path}")
    settled(page)
    address = link(page)
    assert address.startswith(f"{app.url}/share/")

    screen: Any = {"color_scheme": look, "viewport": {"width": width, "height": 900}}
    with stranger(chromium, address, **screen) as other:
        answer = other.goto(address)
        assert answer is not None and answer.status == 200
        took = drawn(other, runs)
        print(f"{path}: drawn after {took:.0f} ms")
        assert took < 5 * SECOND  # a machine that does other things, too
        expect(other.locator(".finding").first).to_be_visible()
        expect(other.get_by_text(HOSTILE).first).to_be_visible()
        assert other.get_by_role("button").count() == 0
        assert other.locator("a:not([href^='#'])").count() == 0  # its contents lead within it
        assert "heron" not in other.content() and "an answer" not in other.content()

    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    settled(page)
    no_trouble(page)
    gone = chromium.new_context().new_page()
    answer = gone.goto(address)
    assert answer is not None and answer.status == 404
    expect(gone.get_by_text("This link does not work.")).to_be_visible()


@pytest.mark.long
def test_prompts_and_answers_are_shared_after_a_warning(
    app: App, person: BrowserContext, chromium: Browser
) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/result?run=1")
    settled(page)
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_text("Include prompts and answers").click()
    expect(page.get_by_text("Make sure they contain nothing private.")).to_be_visible()
    page.get_by_role("button", name="Create link").click()
    address = page.get_by_test_id("stCode").filter(has_text="/share/").inner_text().strip()
    with stranger(chromium, address) as other:
        other.goto(address)
        drawn(other, 1)
        other.get_by_text("Request 3 of repeat 1").click()
        expect(other.get_by_label("Prompt").nth(2)).to_contain_text("a heron poem")
        expect(other.get_by_label("Answer").nth(2)).to_have_text("an answer")


@pytest.mark.long
def test_the_exported_page_has_the_same_text_offline(
    app: App, person: BrowserContext, chromium: Browser, tmp_path: Path
) -> None:
    page = person.new_page()
    page.goto(f"{app.url}/compare?runs=1,2")
    settled(page)
    file = download(page, export("page.html").label, tmp_path)
    with app.database() as engine:
        share = shares.publish(engine, [1, 2])
    address = f"{app.url}{share.path}"
    with stranger(chromium, file.as_uri(), offline=True) as offline:
        offline.goto(file.as_uri())
        drawn(offline, 2)
        text = offline.locator("body").inner_text()
    with stranger(chromium, address) as online:
        online.goto(address)
        drawn(online, 2)
        assert online.locator("body").inner_text() == text


BEYOND = """() => [...document.querySelectorAll('th, td')]
  .filter(cell => cell.getBoundingClientRect().right > innerWidth).map(cell => cell.textContent)"""


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_phone_shows_every_cell_of_a_page(chromium: Browser, tmp_path: Path, count: int) -> None:
    vary = (1.0, 1.3, 0.8, 1.1, 0.9)
    written = export("page.html").write(
        [
            candidate(repeats(number, vary), run_id=number, name=f"SGLang 0.{number}", repeats=5)
            for number in range(1, count + 1)
        ]
    )
    file = tmp_path / "page.html"
    file.write_bytes(written)
    with stranger(chromium, "file:", viewport={"width": 390, "height": 844}) as page:
        page.goto(file.as_uri())
        drawn(page, count)
        assert page.evaluate(BEYOND) == []
