"""An exported page in a browser that is offline."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def opened_offline(file: Path, scheme: Any, width: int) -> Iterator[Any]:
    """Open the page until all its charts are drawn. At the end it must have asked for nothing but
    itself, have logged nothing, run no script of another and be no wider than the window."""
    from playwright.sync_api import sync_playwright

    logged: list[str] = []
    requested: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(
            offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}
        )
        page = context.new_page()
        page.on("console", lambda message: logged.append(message.text))
        page.on("pageerror", lambda error: logged.append(str(error)))
        page.on("request", lambda request: requested.append(request.url))
        page.goto(file.as_uri())
        charts = page.locator("figure > [id^=chart-]").count()
        page.locator(f"svg.marks >> nth={charts - 1}").wait_for()
        assert page.locator("svg.marks").count() == charts
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        yield page
        assert page.evaluate("window.hacked") is None
        browser.close()
    assert logged == []
    assert requested == [file.as_uri()]
