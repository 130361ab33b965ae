"""Files that leave the house: right, complete, safe to open, and without anybody's prompts."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.charts import CHARTS
from services.compare import Candidate
from services.export import EXPORTS, export, run_document
from services.metrics import FIELDS, METRICS
from services.summary import summary_row
from tests.values import NOON, candidate, failed, measured

PROMPT = "My own unpublished poem about a heron"
ANSWER = "The heron stands, grey on grey"
HOSTILE = '</script><img src=x onerror="window.hacked = 1">{{ 7 * 7 }}'
SYSTEM_D = [
    "Request Number",
    "Total Time Taken",
    "Prompt Tokens",
    "Tokens Generated",
    "Tokens per Second",
]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def private(run_id: int = 12, **of_run: Any) -> Candidate:
    """A run with an own prompt, answers and one failure; three repeats."""
    requests = [
        replace(measured(i, repeat=r, e2e=3 + i / 10 + r / 20), answer=ANSWER)
        for r in range(3)
        for i in range(2)
    ]
    requests.append(failed(2, "http_5xx", repeat=2, error="the server said no", http_status=503))
    own = {"workload": "text", "prompt": PROMPT, "requests": 3, "repeats": 3}
    made = candidate(
        requests, run_id=run_id, **{"environment": {"engine": {"name": "x"}}, **of_run}
    )
    run = replace(
        made.run, config=made.run.config.model_copy(update=own), started_at=NOON, tags=("a", "b")
    )
    return replace(made, run=run)


def several(count: int = 2) -> list[Candidate]:
    return [private(n, name=f"Run {n}") for n in range(1, count + 1)]


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize("entry", EXPORTS, ids=lambda entry: entry.name)
def test_no_file_holds_a_prompt_or_an_answer(entry: Any) -> None:
    data = entry.write(several(max(entry.least, min(entry.most, 2))))
    assert PROMPT.encode() not in data
    assert ANSWER.encode() not in data
    assert b"heron" not in data


@pytest.mark.parametrize("entry", EXPORTS, ids=lambda entry: entry.name)
def test_a_run_without_requests_can_be_saved(entry: Any) -> None:
    empty = [candidate([], run_id=n) for n in range(1, entry.least + 1)]
    assert entry.write(empty)


@pytest.mark.parametrize(
    ("name", "ids", "filename"),
    [
        ("requests.csv", [12], "paceline-run-12-requests.csv"),
        ("comparison.csv", [12, 15], "paceline-runs-12-15-comparison.csv"),
        ("summary.csv", list(range(50)), "paceline-50-runs-summary.csv"),
        ("page.html", [3], "paceline-run-3.html"),
    ],
)
def test_a_file_is_named_after_its_runs(name: str, ids: list[int], filename: str) -> None:
    assert export(name).filename_of(ids) == filename


def test_an_export_says_how_many_runs_it_takes() -> None:
    taken = {entry.name: [n for n in (1, 2, 8, 9) if entry.takes(n)] for entry in EXPORTS}
    assert taken == {
        "requests.csv": [1],
        "summary.csv": [1, 2, 8, 9],
        "comparison.csv": [2, 8],
        "run.json": [1],
        "page.html": [1, 2, 8],
    }


# CSV


def test_requests_have_our_fields_then_system_ds() -> None:
    header, *rows = read(export("requests.csv").write([private()]))
    assert header == [*FIELDS, *SYSTEM_D]
    assert len(rows) == 7
    second = dict(zip(header, rows[3], strict=True))
    assert second["repeat"] == "1"
    assert second["Request Number"] == "5"
    assert second["Total Time Taken"] == second["e2e_s"] == "3.15"
    assert second["Tokens Generated"] == second["output_tokens"] == "5"
    assert float(second["Tokens per Second"]) == pytest.approx(5 / 3.15)
    lost = dict(zip(header, rows[-1], strict=True))
    assert (lost["status"], lost["http_status"], lost["e2e_s"]) == ("failed", "503", "")
    assert [lost[name] for name in SYSTEM_D] == ["9", "", "", "", ""]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    one = candidate([failed(error=f"{start}HYPERLINK(1)")], name=f"{start}cmd")
    header, row = read(export("requests.csv").write([one]))
    assert row[header.index("error")] == f"'{start}HYPERLINK(1)"
    header, row = read(export("summary.csv").write([one]))
    assert row[header.index("name")] == f"'{start}cmd"


def test_a_negative_number_stays_a_number() -> None:
    header, row = read(export("requests.csv").write([candidate([measured(send=-1.5)])]))
    assert row[header.index("sent_s")] == "-1.5"


def test_quotes_commas_and_lines_survive() -> None:
    text = 'a "quoted", comma\nand a line · ü'
    header, row = read(export("requests.csv").write([candidate([failed(error=text)])]))
    assert row[header.index("error")] == text


def test_a_summary_is_a_line_a_run() -> None:
    odd = candidate([failed(error_class="odd")], run_id=3)
    candidates = [*several(), odd]
    header, *rows = read(export("summary.csv").write(candidates))
    assert len(rows) == 3
    assert header[:7] == ["run_id", "name", "status", "backend", "model", "mode", "started_at"]
    assert set(summary_row(odd.summary)) <= set(header)
    first = dict(zip(header, rows[0], strict=True))
    assert first["started_at"] == "2026-03-01T12:00:00+00:00"
    assert float(first["ttft_s_median"]) == 1
    assert [row[header.index("failed_odd")] for row in rows] == ["", "", "1"]


def test_a_comparison_has_every_value_and_every_ratio() -> None:
    header, *rows = read(export("comparison.csv").write(several(3)))
    assert header[:7] == ["metric", "label", "unit", "better", "run_1", "run_2", "run_3"]
    assert header[7:] == [
        f"run_{n}_{part}" for n in (2, 3) for part in ("ratio", "low", "high", "p")
    ]
    by_name = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert float(by_name["e2e_s_median"]["run_2_ratio"]) == pytest.approx(1)


# JSON


def test_a_run_is_one_document() -> None:
    one = private()
    document = orjson.loads(export("run.json").write([one]))
    assert list(document) == ["schema", "run", "summary", "doubts", "requests"]
    assert document["schema"] == "paceline/run/1"
    assert all(tuple(row) == FIELDS for row in document["requests"])
    assert len(document["requests"]) == 7
    assert document["summary"] == summary_row(one.summary)
    assert document["run"]["config"]["own_prompts"] == 1
    assert document["run"]["started_at"] == "2026-03-01T12:00:00+00:00"
    assert [repeat["index"] for repeat in document["run"]["repeats"]] == [0, 1, 2]


def test_prompts_and_answers_are_in_it_only_when_asked_for() -> None:
    document = run_document(private(), prompts=True)
    assert document["run"]["config"]["prompt"] == PROMPT
    assert document["answers"][0] == {"repeat": 0, "index": 0, "answer": ANSWER}
    assert all(tuple(row) == FIELDS for row in document["requests"])
    assert "answers" not in run_document(private())


# the page


class Page(HTMLParser):
    """What a browser would see: links, scripts, policy, and the text between the tags."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.tags: set[str] = set()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = self.policy = ""
        self._inside: str | None = None
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self._inside = tag
        self.tags.add(tag)
        self.references += [v or "" for k, v in attributes if k in ("src", "href", "srcset")]
        self.handlers += [k for k, _ in attributes if k.startswith("on")]
        if tag == "script":
            self.scripts.append((found, ""))
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, before = self.scripts[-1]
            self.scripts[-1] = (attributes, before + data)
        elif self._inside != "style":
            self.text += data


def hostile() -> list[Candidate]:
    """Runs in which everything that a person or a server writes tries to break out."""
    run = {"name": HOSTILE, "environment": {HOSTILE: HOSTILE}}
    made = [private(n, **run) for n in (1, 2)]
    return [
        replace(
            one,
            run=replace(
                one.run,
                note=HOSTILE,
                tags=(HOSTILE,),
                error=HOSTILE,
                config=one.run.config.model_copy(update={"model": HOSTILE}),
            ),
        )
        for one in made
    ]


@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_page_refers_to_nothing_outside_and_allows_only_its_own_scripts(count: int) -> None:
    data = export("page.html").write(several(count))
    page = Page(data)
    assert page.references == []
    assert page.handlers == []
    assert not re.search(rb"url\(|@import", data.split(b"</style>")[0])
    code = [text for attributes, text in page.scripts if "type" not in attributes]
    hashes = [base64.b64encode(hashlib.sha256(c.encode()).digest()).decode() for c in code]
    assert len(code) == 2
    assert page.policy == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}'; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert len(data) < 3_000_000


def test_the_specs_hold_the_data_once_and_no_address() -> None:
    (specs,) = (t for a, t in Page(export("page.html").write(several())).scripts if "type" in a)
    assert "http" not in specs
    for chart in orjson.loads(specs):
        assert set(chart) == {"name", "light", "dark", "datasets"}
        assert "datasets" not in chart["light"]


def test_whatever_a_person_writes_stays_text() -> None:
    data = export("page.html").write(hostile())
    page = Page(data)
    assert len(page.scripts) == 3
    assert page.references == []
    assert "img" not in page.tags
    assert page.text.count(HOSTILE) >= 5


def test_the_page_says_what_the_comparison_says() -> None:
    text = Page(export("page.html").write(several(3))).text
    for part in ("3 runs compared", "Reference: Run 1", "Reasons for doubt", "What differs"):
        assert (part in text) == (part != "What differs"), part
    assert "1 · Run 1 (reference)" in text
    assert "own_prompt_characters" in text


def test_the_page_of_one_run_has_system_as_numbers() -> None:
    text = Page(export("page.html").write([private()])).text
    for part in ("E2E latency, total", "Queries/s", "Mean", "Median", "Std dev"):
        assert part in text
    assert all(metric.label in text for metric in METRICS)
    assert "Failed: http_5xx" in text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_offline_without_a_word_of_complaint(
    tmp_path: Path, scheme: Any, width: int
) -> None:
    from playwright.sync_api import sync_playwright

    file = tmp_path / "page.html"
    file.write_bytes(export("page.html").write(hostile()))
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(
            offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}
        )
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_function("document.querySelectorAll('svg.marks').length === charts.length")
        drawn = page.locator("svg.marks").count()
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        page.locator("#chart-tokens_per_s .mark-rect path").first.hover()
        tooltip = page.locator("#vg-tooltip-element").inner_text()
        hacked = page.evaluate("window.hacked")
        browser.close()
    assert said == []
    assert asked == [file.as_uri()]
    assert drawn == sum(chart.draw(hostile()) is not None for chart in CHARTS) > 8
    assert overflow <= 0
    assert "<img" in tooltip or "</scr" in tooltip
    assert hacked is None
