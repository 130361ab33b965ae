"""A real app on a free port and a real Chromium, which may load nothing from elsewhere."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    expect,
    sync_playwright,
)
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from sqlalchemy import Engine, text

from db.database import connect, upgrade, writing
from db.schema import metadata
from tests.conftest import ROOT, started_engines_end, until

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DRIVEN = [  # over a port of its own choice; what only a person's Chromium needs is left out
    "--headless",
    "--remote-debugging-port=0",
    "--hide-scrollbars",
    "--mute-audio",
    "--in-process-gpu",
    "--num-raster-threads=1",
    "--disable-features=SpareRendererForSitePerProcess,Translate,OptimizationHints,MediaRouter",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

MISSING = (
    "These tests need Chromium, and this machine has none. Install it with `apt-get install "
    "chromium` or `.venv/bin/playwright install chromium`, or leave them out: -m 'not browser'."
)


class App:
    """The app as a person meets it: a process that listens."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **os.environ,
            "PACELINE_DATABASE_URL": f"sqlite:///{folder / 'paceline.db'}",
            "HOME": str(folder),
        }
        self._log = folder / "app.log"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "streamlit",
                    "run",
                    "app.py",
                    "--server.port",
                    str(self.port),
                ],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
            )
        until(self._answers, 60)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    @contextmanager
    def database(self) -> Iterator[Engine]:
        """The app's database, as another process sees it."""
        engine = connect(self.env["PACELINE_DATABASE_URL"])
        upgrade(engine)
        yield engine
        engine.dispose()

    def log(self) -> str:
        return self._log.read_text()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                return True
        except OSError:
            return False


@pytest.fixture(scope="session")
def shared_app(browser_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for all tests of this process: to start one takes seconds."""
    server = App(tmp_path_factory.mktemp("home"))
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log()


@pytest.fixture(scope="module")
def app(shared_app: App) -> Iterator[App]:
    """The app with an empty database, in which the first run is run 1."""
    yield shared_app
    with shared_app.database() as engine:
        started_engines_end(engine)
        empty(engine)
    assert "Traceback" not in shared_app.log()


def empty(engine: Engine) -> None:
    """Delete every row, and let every table count from 1 again."""
    with writing(engine) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("DELETE FROM sqlite_sequence"))


def executable() -> str | None:
    """Where this machine's Chromium is; None: Playwright's own, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def installed_chromium() -> str:
    """Where Chromium is. Where there is none the tests fail: skipped, they would look as passed."""
    if found := executable():
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if not Path(own).exists():
        pytest.fail(MISSING, pytrace=False)
    return own


@pytest.fixture(scope="session")
def browser_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One Chromium for all tests of this process; the port that it is controlled by."""
    profile = tmp_path_factory.mktemp("chromium")
    command = [installed_chromium(), *FLAGS, *DRIVEN, f"--user-data-dir={profile}"]
    with (profile / "log").open("wb") as log:
        process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=log)
    written = profile / "DevToolsActivePort"
    until(lambda: written.exists() and "\n" in written.read_text(), 60)
    yield int(written.read_text().splitlines()[0])
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")  # its event loop would be in the way of other tests' own
def chromium(browser_port: int) -> Iterator[Browser]:
    expect.set_options(timeout=90_000)
    with sync_playwright() as playwright:
        yield playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{browser_port}")


@pytest.fixture
def person(chromium: Browser, app: App) -> Iterator[BrowserContext]:
    """Somebody at a browser. What their pages ask of any other place fails the test, and so does
    an error in the browser's console."""
    context = chromium.new_context(
        accept_downloads=True, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    troubles = watched(context, app)
    yield context
    context.close()
    assert troubles == []


def watched(context: BrowserContext, app: App) -> list[str]:
    """Collect what a context asks of other places, and the errors in its console."""
    troubles: list[str] = []
    context.set_default_timeout(90_000)

    def ours(url: str) -> bool:
        return url.startswith((app.url, "data:", "blob:"))

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            troubles.append(message.text)

    context.on("request", lambda r: None if ours(r.url) else troubles.append(r.url))
    context.on("console", heard)
    return troubles


def settled(page: Page) -> None:
    """Wait until the script of the page has run to its end."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


FITS = """() => {
    const main = document.querySelector("[data-testid=stMain]")
    return main !== null && main.scrollWidth <= main.clientWidth
}"""


def fits(page: Page) -> None:
    """Nothing of a page lies beside the screen, once its charts are drawn for this width."""
    try:
        page.wait_for_function(FITS)
    except PlaywrightTimeout:
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        pytest.fail(f"{page.url} is {wide} px wide")


def takes_clicks(page: Page, chart: str) -> None:
    """Wait until the chart of this name takes clicks; its marks are there before that."""
    page.get_by_role("button", name=f"Download as PNG: {chart}").wait_for(state="attached")


def no_trouble(page: Page) -> None:
    """No exception box stands on the page."""
    expect(page.get_by_test_id("stException")).to_have_count(0)


def open_popover(page: Page, name: str, item: Locator) -> None:
    """Open a popover, and wait for an item of it. A page that is still being drawn may close it."""
    button = page.get_by_role("button", name=name, exact=True)
    for _ in range(9):
        button.click()
        try:
            item.wait_for(timeout=10_000)
            return
        except PlaywrightTimeout:
            settled(page)
    pytest.fail(f"{name} does not stay open")
