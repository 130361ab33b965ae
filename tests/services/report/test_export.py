"""Files that leave the house: right, complete, safe to open, and without anybody's prompts."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.analysis import fingerprint
from services.analysis.compare import Candidate
from services.analysis.compare.labels import labelled
from services.analysis.metrics import FIELDS, METRICS
from services.analysis.summary import summary_row
from services.report import imports
from services.report.export import (
    EXPORTS,
    content_hash,
    export,
    page_html,
    policy_of,
    run_document,
    tables,
)
from services.report.export.contents import contents
from services.report.export.document import REQUEST_FIELDS
from services.report.export.tables import requests_csv
from tests.conftest import ROOT
from tests.offline import CHROMIUM, opened_offline
from tests.values import NOON, candidate, failed, imported_candidate, measured

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


def private(run_id: int = 12, **of_run: Any) -> Candidate:
    """Return a run with an own prompt, answers and one failure; three repeats."""
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


@pytest.mark.slow
@pytest.mark.parametrize("entry", EXPORTS, ids=lambda entry: entry.name)
def test_no_file_contains_a_prompt_or_an_answer(entry: Any) -> None:
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
    accepted = {entry.name: [n for n in (1, 2, 8, 9) if entry.takes(n)] for entry in EXPORTS}
    assert accepted == {
        "requests.csv": [1],
        "slices.csv": [1],
        "samples.csv": [1],
        "summary.csv": [1, 2, 8, 9],
        "comparison.csv": [2, 8],
        "requests.parquet": [1],
        "run.json": [1],
        "comparison.json": [2, 8],
        "markdown.md": [1, 2, 8],
        "page.html": [1, 2, 8],
    }


def test_every_file_is_described() -> None:
    text = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE) == [e.name for e in EXPORTS]


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
    run = candidate([failed(error=f"{start}HYPERLINK(1)")], name=f"{start}cmd")
    header, row = read(export("requests.csv").write([run]))
    assert row[header.index("error")] == f"'{start}HYPERLINK(1)"
    header, row = read(export("summary.csv").write([run]))
    assert row[header.index("name")] == f"'{start}cmd"


def test_a_column_named_by_a_server_is_not_a_formula() -> None:
    header, _ = read(
        export("summary.csv").write([candidate([failed(error_class="x")], calibration={"=1+1": 2})])
    )
    assert "client_=1+1" in header
    text = tables.to_csv(["=cmd|' /C calc'!A0", "ok"], [["@SUM(1)", -1.0]]).decode()
    assert text == "'=cmd|' /C calc'!A0,ok\r\n'@SUM(1),-1.0\r\n"


def test_a_negative_number_stays_a_number() -> None:
    header, row = read(export("requests.csv").write([candidate([measured(send=-1.5)])]))
    assert row[header.index("sent_s")] == "-1.5"


def test_quotes_commas_and_lines_survive() -> None:
    text = 'a "quoted", comma\nand a line · ü'
    header, row = read(export("requests.csv").write([candidate([failed(error=text)])]))
    assert row[header.index("error")] == text


def test_the_summary_csv_has_a_line_for_each_run() -> None:
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
    run = private()
    document = orjson.loads(export("run.json").write([run]))
    assert document["schema"] == "paceline/run/3"
    assert all(tuple(row) == REQUEST_FIELDS for row in document["requests"])
    assert len(document["requests"]) == 7
    assert document["summary"] == summary_row(run.summary)
    assert document["run"]["config"]["own_prompts"] == 1
    assert document["run"]["started_at"] == "2026-03-01T12:00:00+00:00"
    assert [repeat["index"] for repeat in document["run"]["repeats"]] == [0, 1, 2]


def test_prompts_and_answers_are_included_only_on_request() -> None:
    document = run_document(private(), prompts=True)
    assert document["run"]["config"]["prompt"] == PROMPT
    assert document["answers"][0] == {"repeat": 0, "index": 0, "answer": ANSWER}
    assert all(tuple(row) == REQUEST_FIELDS for row in document["requests"])
    assert "answers" not in run_document(private())


# Markdown


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of every row of every table, split as GitHub does."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]


def test_the_markdown_of_a_comparison_starts_with_the_verdicts() -> None:
    text = export("markdown.md").write(several(3)).decode()
    title, overview, verdicts, diagnostics, first, second, reference, *_ = text.split("\n\n")
    assert "requests failed.**" in diagnostics
    assert overview == (
        "**No run is measurably faster than Run 1; both compared runs are equivalent by output "
        "throughput, at 1.00× to 1.00×**"
    )
    assert "| Run 2 | = equivalent, 1.00× (0.96–1.04) |" in verdicts
    assert (title, reference) == ("### 3 runs compared", "Baseline: Run 1")
    assert first.startswith("Run 2 is as fast as Run 1, within ±5 %, by output throughput: 1.00")
    assert second.startswith("Run 3 is as fast as Run 1")
    header, ruler, *rows = rows_of(text.partition("Baseline: Run 1")[2])
    assert header == [" Comparison ", " Run 1 (baseline) ", " Run 2 ", " Run 3 "]
    assert ruler == [":--", "--:", "--:", "--:"]
    by_name = {row[0].strip(): row for row in rows if len(row) == 4}
    assert by_name["E2E latency, mean"][2].strip().startswith("3.")
    assert "<br>1.00× (" in by_name["E2E latency, mean"][2]
    assert "requests failed.**" in text


def test_a_single_run_has_a_markdown_table() -> None:
    text = export("markdown.md").write([private()]).decode()
    assert re.match(
        r"### A\n\n\*\*[\d.]+ output tokens/s, first token after a median of 1.00 s; 1 of 7 "
        r"requests failed\*\*\n\n- \*\*1 of 7",
        text,
    )
    assert "\n\nRun 12" in text
    assert "| E2E latency, sum of all requests |" in text


@pytest.mark.parametrize("count", [1, 2, 8])
def test_names_are_not_markup_in_a_pull_request(count: int) -> None:
    name = "# a|b\n**c** <img src=x> @somebody #12 `d` [e](http://f) ~~g~~ $h$ &amp; _i_ \\|"
    name += " GH-12 ftp://h"
    words = [*name.split(), "&amp;"]
    named = [
        private(n, name=name if count == 1 else f"{n} {words[n]} {words[-n]} {n}")
        for n in range(1, count + 1)
    ]
    text = export("markdown.md").write(named).decode()
    assert "&amp;amp;" in text
    for markup in ("<img", "@somebody", "#12 ", "http://", "**c**", "`d`", "[e]", "~~g", " _i_"):
        assert markup not in text
    assert "GH-12" not in text and "ftp://" not in text
    for line, row in zip(
        [line for line in text.splitlines() if line.startswith("|")], rows_of(text), strict=True
    ):
        assert len(row) in (2, 4, count + 1, 10), line
    assert not re.search(r"<(?!br>)", text)


# the page


class Page(HTMLParser):
    """What a browser sees: links, scripts, policy, and the text between the tags."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.references: list[str] = []
        self.contents: list[str] = []
        self.ids: list[str] = []
        self.handlers: list[str] = []
        self.tags: set[str] = set()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = self.policy = self.style = ""
        self.meta: dict[str, str] = {}
        self._inside: str | None = None
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self._inside = tag
        self.tags.add(tag)
        found = [v or "" for k, v in attributes if k in ("src", "href", "srcset")]
        self.references += [each for each in found if not each.startswith("#")]
        self.contents += [each[1:] for each in found if each.startswith("#")]
        self.ids += filter(None, [values.get("id")])
        self.handlers += [k for k, _ in attributes if k.startswith("on")]
        if tag == "script":
            self.scripts.append((values, ""))
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        elif tag == "meta" and (name := values.get("name") or values.get("property")):
            self.meta[name] = values["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, before = self.scripts[-1]
            self.scripts[-1] = (attributes, before + data)
        elif self._inside == "style":
            self.style += data
        else:
            self.text += data


def hostile() -> list[Candidate]:
    """Return runs in which every text of a person or a server tries to inject markup."""
    run = {"environment": {HOSTILE: HOSTILE}}
    runs = [private(n, name=f"</script><img src=x>{n}", **run) for n in (1, 2)]
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
        for one in runs
    ]


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_page_refers_to_nothing_outside_and_allows_only_its_own_scripts(count: int) -> None:
    data = export("page.html").write(several(count))
    page = Page(data)
    assert page.references == ["data:,"]  # no icon, which a browser would ask for
    assert page.handlers == []
    assert not re.search(rb"url\(|@import", data.split(b"</style>")[0])
    assert b" style=" not in data.split(b"<script")[0]
    code = [text for attributes, text in page.scripts if "type" not in attributes]
    assert len(code) == 2
    vega, drawer, style = (hashed(text) for text in (*code, page.style))
    assert page.policy == (
        f"default-src 'none'; script-src {vega} {drawer}; style-src {style}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert policy_of(data[:4096]) == page.policy
    assert len(data) < 3_000_000


def test_the_specs_hold_the_data_once_and_no_address() -> None:
    (specs,) = (t for a, t in Page(export("page.html").write(several())).scripts if "type" in a)
    assert "http" not in specs
    for chart in orjson.loads(specs):
        assert set(chart) == {"name", "light", "dark", "datasets"}
        assert "datasets" not in chart["light"]
        for look in ("light", "dark"):
            assert _named_data(chart[look]) <= set(chart["datasets"]), chart["name"]


def _named_data(part: Any) -> set[str]:
    """The names of the data that a chart, or a part of it, refers to."""
    if isinstance(part, list):
        return set().union(*map(_named_data, part))
    if not isinstance(part, dict):
        return set()
    data = part.get("data")
    own = {data["name"]} if isinstance(data, dict) and "name" in data else set()
    return own.union(*map(_named_data, part.values()))


def test_user_text_on_the_page_is_escaped() -> None:
    data = export("page.html").write(hostile())
    page = Page(data)
    assert len(page.scripts) == 3
    assert page.references == ["data:,"]
    assert "img" not in page.tags
    assert page.text.count(HOSTILE) >= 5


def test_the_page_contains_the_comparison() -> None:
    text = Page(export("page.html").write(several(3))).text
    for part in ("3 runs compared", "Baseline: Run 1", "requests failed", "What differs"):
        assert (part in text) == (part != "What differs"), part
    assert "Run 1 (baseline)" in text
    assert "Own prompt characters" in text


@pytest.mark.parametrize("count", [1, 2, 3])
def test_diagnostics_are_right_below_the_headline(count: int) -> None:
    """Below the findings and their row, above every figure and chart; notes are folded up."""
    runs = several(count) if count > 1 else [private()]
    page_text = contents(runs)
    assert page_text.warnings and page_text.remarks
    page = export("page.html").write(runs).decode()
    first = page.index('class="diagnostics"')
    assert page.index('class="finding"') < first < page.index('class="tiles"')
    assert first < page.index(" notes</summary>") < page.index('aria-label="Charts"')
    text = export("markdown.md").write(runs).decode()
    assert text.index("failed.**") < text.rindex("| Comparison" if count > 1 else "| Metrics")
    assert ("| Verdicts |" in text[: text.index("failed.**")]) == (count > 1)
    assert text.index("failed.**") < text.index("\n\nRun 12" if count == 1 else "Baseline: ")


@pytest.mark.slow
def test_many_warnings_are_folded_to_their_titles() -> None:
    shown = Page(export("page.html").write([private(health={"cpu_share": 0.97})]))
    many = [
        private(1, health={"cpu_share": 0.97, "loop_lag_p99_s": 1.0, "clock": "loop"}),
        private(2, client="litellm", status="interrupted", environment={"cpu": "y"}),
    ]
    assert not contents([private()]).folded and contents(many).folded
    assert "A client near its CPU limit adds" in shown.text
    page = export("page.html").write(many).decode()
    assert '<details class="diagnostic warning"><summary><strong>' in page
    assert "Measured through LiteLLM.</strong></summary>" in page


@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_contents_lead_to_every_part_of_the_page(count: int) -> None:
    runs = several(count) if count > 1 else [private()]
    page = Page(export("page.html").write(runs))
    assert set(page.contents) <= set(page.ids) and len(set(page.ids)) == len(page.ids)
    assert {"configuration", "environment", "tokens_per_s"} <= set(page.contents)
    assert ("comparison" in page.contents) == (count > 1)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_the_first_screen_has_every_runs_figures(count: int) -> None:
    text = Page(export("page.html").write(several(count))).text.replace("\N{WORD JOINER}", "")
    assert text.count("1.00×") > 2 * count
    assert "= equivalent" in text and "1.00× (0.96–1.04)" in " ".join(text.split())
    once = [candidate([measured(0, e2e=3.0 * n)], run_id=n) for n in range(1, count + 1)]
    text = Page(export("page.html").write(once)).text
    assert "3.00 s" in text and "6.00 s ? 2.00×" in " ".join(text.split())
    assert "–2.00)" not in text


@pytest.mark.slow
def test_the_meta_tags_of_the_page_state_the_result() -> None:
    page = Page(export("page.html").write(several()))
    assert page.meta["og:title"] == "Run 2 against Run 1"
    assert page.meta["description"].startswith("Run 2 is as fast as Run 1, within ±5 %")
    assert page.meta["og:description"] == page.meta["description"]
    assert "<title>Run 2 against Run 1 · Paceline</title>".encode() in export("page.html").write(
        several()
    )
    alone = Page(export("page.html").write([private()]))
    assert alone.meta["description"].endswith(
        " output tokens/s, first token after a median of 1.00 s; 1 of 7 requests failed"
    )
    longest = Page(export("page.html").write(hostile()))
    assert len(longest.meta["description"]) <= 300


@pytest.mark.slow
def test_the_page_names_what_was_measured_and_where() -> None:
    first, second = several()
    text = Page(export("page.html").write([first, second])).text
    assert content_hash(first) in text and content_hash(second) in text
    known = private(environment={"cpu": "x", "python": "3.11"})
    same = private(environment={"cpu": "x", "python": "3.11", "observed_at": "later"})
    mark = fingerprint.of_environment(known.run.environment)
    assert re.fullmatch("[0-9a-f]{12}", mark)
    assert mark in Page(export("page.html").write([known])).text
    assert mark in Page(export("page.html").write([same])).text
    assert fingerprint.of_environment({}) == ""


def test_prompts_and_answers_are_on_the_page_only_on_request() -> None:
    many = [replace(measured(i), answer=f"<b>{ANSWER}</b> {i}.") for i in range(150)]
    run = candidate(many, workload="text", prompt=f"<i>{PROMPT}</i>", requests=150)
    page = Page(page_html([run], texts=True))
    assert page.text.count(f"<i>{PROMPT}</i>") == page.text.count(f"<b>{ANSWER}</b>") == 100
    assert "shared this page: the first 100 requests" in page.text
    without = page_html([run]).decode()
    assert "heron" not in without
    assert "It contains no prompts or answers." in without


def test_no_prompt_is_invented_for_an_imported_run() -> None:
    run = private()
    page = Page(page_html([replace(run, run=replace(run.run, source={"tool": "x"}))], texts=True))
    assert PROMPT not in page.text
    assert "The prompt is not known." in page.text


def test_the_page_of_an_imported_summary_shows_the_numbers_of_its_tool() -> None:
    data = (ROOT / "tests/data/imports/vllm/serve_summary.json").read_bytes()
    page = page_html([imported_candidate(imports.read(data, "f")[0])]).decode()
    assert "79.5 tokens/s, according to vLLM bench" in page
    assert "No request was measured" not in page
    assert '<span class="large">212 ms</span>' in page


def test_the_page_of_answers_without_times_says_how_many_there_are() -> None:
    page = page_html([candidate([measured(t_first=None, t_last=None, output_tokens=None)])])
    assert '<p class="finding">1 request answered</p>' in page.decode()


def test_a_page_without_a_success_says_so() -> None:
    assert "No request succeeded" in Page(page_html([candidate([failed()])])).text
    assert "No request was measured" in Page(page_html([candidate([])])).text


def test_the_page_of_one_run_has_system_as_numbers() -> None:
    text = Page(export("page.html").write([private()])).text
    for part in ("E2E latency, sum of all requests", "Requests/s", "Mean", "Median", "Std dev"):
        assert part in text
    waits = ("cap_wait_s", "retry_wait_s")  # which these requests had none of
    unreported = ("server_queue_s", "load_s", "prefill_s", "network_s")
    without = (*waits, *unreported)
    assert all(metric.label in text for metric in METRICS if metric.name not in without)
    assert "Failed: http_5xx" in text


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_offline_without_errors(tmp_path: Path, scheme: Any, width: int) -> None:
    file = tmp_path / "page.html"
    file.write_bytes(export("page.html").write(hostile()))
    with opened_offline(file, scheme, width) as page:
        assert page.locator("svg.marks").count() >= 9
        page.locator("#chart-tokens_per_s .mark-rect path").first.hover()
        tooltip = page.locator("#vg-tooltip-element").inner_text()
    assert "<img" in tooltip or "</scr" in tooltip


def test_every_column_of_the_requests_csv_is_documented() -> None:
    documented = (ROOT / "docs" / "exports.md").read_text() + (
        ROOT / "docs" / "metrics.md"
    ).read_text()
    readme = (ROOT / "README.md").read_text().replace("\n", " ")
    header = next(requests_csv([candidate([measured()])])).decode().splitlines()[0].split(",")
    for name in header:
        assert f"`{name}`" in documented or f"{name}," in readme or f"{name}`" in readme, name


def test_what_tools_report_is_shown_with_the_run_that_it_is_of() -> None:
    data = (ROOT / "tests" / "data" / "imports" / "vllm" / "result.json").read_bytes()
    [run] = imports.read(data, "f")
    both = [imported_candidate(run, number) for number in (1, 2)]
    names = [each.label for each in labelled(both)]
    page, text = page_html(both).decode(), export("markdown.md").write(both).decode()
    for name in names:
        assert page.count(f"<h2>Reported by the tool: {name}</h2>") == 1
        assert f"| Reported by the tool: {name} |" in text
    places = re.findall(r'<section id="([^"]*)"', page)
    assert len(set(places)) == len(places)
