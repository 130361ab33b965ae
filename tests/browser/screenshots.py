"""Pictures of every page: `python -m tests.browser.screenshots OUTDIR`.

They are of real runs, made for them with the embedded model in a database of their own; only
engines, which need GPUs, are made up. With widths, `OUTDIR 390 1280 1920`, they are of every page
and state at each of them.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from sqlalchemy import Engine, text

from db import counts, queue, runs, shares, studies, task_batches, tasks
from db.tasks import TaskFilter
from services.ask.backends import BACKENDS
from services.ask.measurement import ACTIVE
from services.studies.study import Study
from tests.browser import made_up, pictures, signed_in, stored_states
from tests.browser.conftest import FLAGS, App, executable, settled
from tests.browser.pictures import Picture
from tests.conftest import ROOT, until
from tests.stored import task_counts

LOWEST = 500
EMPTY = 120  # at the end of every page
LARGEST = 150_000  # bytes
COLOURS = (256, 128, 64, 32)  # as many as leave the file small enough
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
TALL = 12_000  # pixels: pages that are looked at are not cut off

SHORT = ("--max-tokens", "48")
RUNS = (
    ("run", "One at a time", ("--requests", "8", "--pause", "0", *SHORT)),
    (
        "run",
        "Every 0.2 s",
        ("--mode", "staggered", "--requests", "16", "--interval", "0.2", "--repeats", "3", *SHORT),
    ),
    (
        "compare",
        "Eight requests",
        ("--requests", "8", "--pause", "0", *SHORT, "--with", "mode=batch,concurrency=8"),
    ),
)
BEGUN = {"run": 20, "compare": 10}  # answers, after which it is worth a picture
LONG = ("--mode", "staggered", "--requests", "400", "--interval", "0.5", *SHORT)  # 200 s
WARM = ("--mode", "batch", "--requests", "8", "--warmup", "100", *SHORT)
TASKS = 24
SWEEP = ("--preset", "concurrency", "--backend", "embedded", "--concurrencies", "1,2,4,8", *SHORT)
# A command on *Engines* names variables of the environment, which are nobody's concern.
KEPT = ("PATH", "HOME", "LANG", "PACELINE_DATABASE_URL")
TURNS = ("--requests", "8", "--pause", "0.5", *SHORT, "--with", "mode=batch,concurrency=8")


@dataclass(frozen=True)
class Studio:
    """Where pictures are taken, and into which folder. `widths`: every page at each of them, whole;
    none: those that are kept, as wide as they are there."""

    browser: Browser
    folder: Path
    widths: tuple[int, ...] = ()
    who: str | None = None  # has signed in

    def take(self, app: App, pictures: Sequence[Picture]) -> None:
        for picture in self._wanted(pictures):
            for scheme in SCHEMES:
                self._photograph(app, picture, scheme)

    def _wanted(self, pictures: Sequence[Picture]) -> list[Picture]:
        if not self.widths:
            return [picture for picture in pictures if picture.kept]
        return [
            replace(picture, name=f"{picture.name}-{width}", width=width, highest=TALL)
            for picture in pictures
            if not picture.name.endswith(("-phone", "-wide"))
            for width in self.widths
        ]

    def _photograph(self, app: App, picture: Picture, scheme: Scheme) -> None:
        window: ViewportSize = {"width": picture.width, "height": picture.highest}
        context = self.browser.new_context(color_scheme=scheme, viewport=window)
        if self.who is not None:
            signed_in.sign_in(context, app, self.who)
        page = context.new_page()
        page.goto(app.url + picture.path)
        page.get_by_text(re.compile(picture.ready)).first.wait_for(timeout=60_000)
        if picture.name.startswith("backends"):
            settled(page)
            tests = page.get_by_role("button", name="Test")
            expect(tests).to_have_count(len(BACKENDS))  # until then another one is the first
            tests.first.click()
            page.get_by_text("round trip").wait_for(timeout=120_000)
        height = min(drawn(page), picture.highest)
        image = page.screenshot(clip={"x": 0, "y": 0, "width": picture.width, "height": height})
        save(image, self.folder / f"{picture.name}-{scheme}.png")
        context.close()


def measure(
    app: App, command: str, name: str, arguments: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    arguments_ = [sys.executable, "cli.py", command, "--name", name, "--tag", "example", *arguments]
    return subprocess.Popen(arguments_, cwd=ROOT, env=app.env, stdout=subprocess.DEVNULL)


def drawn(page: Page) -> int:
    """Wait until everything on a page is drawn, and return its height in pixels."""
    if not page.get_by_test_id("stApp").count():
        return shared_page(page)
    settled(page)
    page.wait_for_load_state("networkidle")
    page.wait_for_function(
        "() => !document.querySelector('[data-testid$=Skeleton]')"
        " && [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]"
        ".every(chart => chart.querySelector('svg.marks, canvas.marks'))"
    )
    content = page.get_by_test_id("stMainBlockContainer")
    height = content.evaluate("part => part.getBoundingClientRect().height")
    return max(LOWEST, int(height) - EMPTY)


def shared_page(page: Page) -> int:
    """The same of a page without an app behind it."""
    if count := page.locator("figure > [id^=chart-]").count():
        page.locator(f"svg.marks >> nth={count - 1}").wait_for()
    return int(page.evaluate("document.body.getBoundingClientRect().bottom"))


def save(image: bytes, file: Path) -> None:
    """Write a picture with as many colours as leave it small."""
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    for colours in COLOURS:
        few = picture.quantize(colours, dither=Image.Dither.NONE)
        few.save(file, optimize=True)
        if file.stat().st_size <= LARGEST:
            break
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB, {picture.width}×{picture.height}")


def answered(database: Engine) -> int:
    """How many answers the runs that are being measured have."""
    running = [row.id for row in runs.search(database) if row.status == "running"]
    return sum(sum(counts.request_counts(database, run_id).values()) for run_id in running)


@contextmanager
def measuring(app: App, command: str, name: str, arguments: tuple[str, ...]) -> Iterator[None]:
    """Something is measured, which is cancelled in the end."""
    with measure(app, command, name, arguments), app.database() as database:
        try:
            until(lambda: answered(database) >= BEGUN[command], 400)
            yield
        finally:
            for row in runs.search(database):
                if row.status in ACTIVE:
                    queue.request_cancel(database, row.id)


@contextmanager
def waiting(app: App, status: str, name: str, arguments: tuple[str, ...]) -> Iterator[None]:
    """A run that has got as far as this status, which is cancelled in the end."""
    with measure(app, "run", name, arguments), app.database() as database:

        def its_id() -> int:
            rows = (row for row in runs.search(database) if row.name == name)
            return next((row.id for row in rows if row.status == status), 0)

        try:
            until(lambda: its_id() > 0, 60)
            yield
        finally:
            queue.request_cancel(database, its_id())


def measured(app: App, studio: Studio, folder: Path) -> None:
    """Pages of what the embedded model has answered."""
    studio.take(app, pictures.FIRST)
    for command, name, arguments in RUNS:
        print(f"measuring: {name}")
        assert measure(app, command, name, arguments).wait() == 0, name
    studio.take(app, pictures.PICTURES)
    studio.take(app, [shared("run", app, [2]), shared("comparison", app, [3, 4])])
    answered_tasks(app, studio, folder)
    with measuring(app, "run", "A long one", LONG):
        studio.take(app, pictures.LIVE)
        with waiting(app, "queued", "The next one", SHORT):
            studio.take(app, pictures.QUEUED)
    with waiting(app, "running", "Warming up", WARM):
        studio.take(app, pictures.WARMING)
    with measuring(app, "compare", "Turns", TURNS):
        studio.take(app, pictures.COMPARING)
    print("measuring: a sweep")
    with measure(app, "study", "Concurrency 1 to 8", SWEEP), app.database() as database:
        until(lambda: studies.list_all(database), 60)
        until(lambda: [run.status for run in study(database).runs].count("done") >= 2, 300)
        studio.take(app, pictures.SWEEPING)
    studio.take(app, pictures.SWEPT)
    with app.database() as database:
        share = shares.publish_study(database, study(database))
    studio.take(app, [pictures.looked_at("shared-study", share.path, "Throughput")])


def answered_tasks(app: App, studio: Studio, folder: Path) -> None:
    """Pages of tasks that the embedded model answers, some of them on the way."""
    file = folder / "prompts.jsonl"
    count = TASKS * max(1, 2 * len(studio.widths))  # so that some are open for every picture
    file.write_text("".join(map(_line, range(count))))
    command = [sys.executable, "cli.py", "batch", "run", str(file), "--output"]
    print("answering tasks")
    with subprocess.Popen([*command, str(folder / "answers.jsonl")], cwd=ROOT, env=app.env):
        with app.database() as database:
            until(lambda: task_counts(database).get("completed", 0) >= TASKS // 3, 300)
        studio.take(app, pictures.TASKS_GOING)
    studio.take(app, pictures.TASKS)
    with app.database() as database:
        (batch,) = task_batches.list_all(database)
        first, *_ = tasks.find(database, TaskFilter(batch.batch_id))
    batch_path, task_path = f"/batches?batch={batch.batch_id}", f"/batches?task={first.task_id}"
    studio.take(app, [Picture("batch", batch_path, "Select a row")])
    studio.take(app, [pictures.looked_at("task", task_path, "Answer")])


def _line(number: int) -> str:
    messages = [{"role": "user", "content": f"Name {number + 2} animals of the sea."}]
    body = {"messages": messages, "max_tokens": 32}
    return json.dumps({"custom_id": f"animals-{number + 1}", "body": body}) + "\n"


def study(database: Engine) -> Study:
    return studies.load(database, 1)


def shared(name: str, app: App, run_ids: Sequence[int]) -> Picture:
    """A page for others, of these runs."""
    with app.database() as database:
        path = shares.publish(database, run_ids).path
    return pictures.looked_at(f"shared-{name}", path, "Paceline")


@contextmanager
def started(
    folder: Path,
    fill: Callable[[Engine], None] | None = None,
    asks: bool = False,
    **env: str,
) -> Iterator[App]:
    """The app with a database of its own. `fill`: what is stored before a supervisor looks at it.
    `asks`: people sign in there."""
    folder.mkdir(parents=True)
    app = App(folder)
    app.env = {name: app.env[name] for name in KEPT if name in app.env} | env
    if asks:
        signed_in.required(app, folder)
    if fill is not None:
        with app.database() as database:
            fill(database)
    app.start()
    try:
        yield app
    finally:
        app.stop()


def stored(app: App, studio: Studio) -> None:
    """Pages of what ended in every way, and where people sign in."""
    studio.take(app, pictures.SIGNED_OUT)
    for who, seen in (
        (signed_in.ADMIN, (*pictures.SIGNED_IN, *pictures.ENDED)),
        (signed_in.VIEWER, pictures.TO_LOOK_AT),
        (signed_in.RUNNER, pictures.TO_START),
        ("somebody@example.org", pictures.REFUSED),
    ):
        replace(studio, who=who).take(app, seen)


def main(folder: Path, widths: tuple[int, ...] = ()) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="paceline-") as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        studio = Studio(browser, folder, widths)
        with started(Path(home) / "measured") as app:
            measured(app, studio, Path(home))
        with started(Path(home) / "stored", stored_states.everything, asks=True) as app:
            stored(app, studio)
        with started(Path(home) / "broken") as app:
            with app.database() as database, database.begin() as connection:
                connection.execute(text("ALTER TABLE runs RENAME TO elsewhere"))
            studio.take(app, pictures.BROKEN)
        python = made_up.interpreter(Path(home))
        place = Path(home) / "made-up"
        with started(place, made_up.everything, PACELINE_VLLM_PYTHON=str(python)) as app:
            studio.take(app, pictures.MADE_UP)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(map(int, sys.argv[2:])))
