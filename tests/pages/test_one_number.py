"""What has one label is one number, on whatever page, in whatever file and at whatever door."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from db import results, runs
from services.analysis.compare import compare
from services.ask.measurement import Measurement
from services.report import terminal
from services.report.export.comparison import comparison_document
from services.report.export.document import run_document
from services.report.export.markdown import markdown
from services.report.export.tables import comparison_csv, summary_csv
from tests.pages.conftest import Visit, listed_runs, sound
from tests.stored import store
from tests.values import failed, measured


def uneven(slower: float) -> list[Measurement]:
    """Three repeats of 1, 2 and 6 requests, all different, so that a mean of medians, a mean of
    sums and a mean of shares are none of the run's."""
    return [
        measured(
            i,
            repeat=r,
            send=0.1 * i,
            ttft=slower * (1 + r + 0.3 * i * i),
            e2e=slower * (3 + 2 * r + 0.7 * i * i),
            tokens=5 + r + i,
        )
        for r, count in enumerate((1, 2, 6))
        for i in range(count)
    ] + [failed(9, repeat=2)]


def plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text).replace("\xa0", " ").replace("\N{WORD JOINER}", "")


def number(text: str) -> str:
    """1.00 is 1; with its unit, so that 1.00 s is not 1.00 ms."""
    first, _, unit = text.partition(" ")
    try:
        return f"{float(first.replace(',', '')):.3g} {unit}".strip()
    except ValueError:
        return text


def tables(at: AppTest) -> Iterator[tuple[str, str, str]]:
    """Label, column, and the first line of the cell, of every table of a page."""
    for element in at.table:
        frame = element.value
        for row in frame.itertuples(index=False):
            for column, cell in zip(frame.columns[1:], row[1:], strict=True):
                yield plain(str(row[0])), plain(str(column)), plain(str(cell)).split("  \n")[0]


@pytest.fixture
def shown(visit: Visit, database: Engine) -> dict[str, dict[str, str]]:
    """What each place shows of run 1: label, place, number."""
    for number in (1.0, 1.5):
        store(database, uneven(number), name=f"R{number}", repeats=3)
    first, second = (results.candidate(database, run_id) for run_id in (1, 2))
    numbers: dict[str, dict[str, str]] = defaultdict(dict)
    result = sound(visit("result", run="1"))
    for metric in result.metric:
        below = metric.delta.partition(",")[0]  # where its unit is, if not in the label
        numbers[metric.label]["tile"] = f"{metric.value} {below}" if "/s" in below else metric.value
    for label, column, cell in tables(sound(visit("result", run="1", tab="numbers"))):
        if column in ("Mean", "Median", "Std dev"):
            numbers[f"{label}, {column.lower()}"]["distributions"] = cell
        elif column == "This run":
            numbers[label]["result"] = cell
    for label, column, cell in tables(sound(visit("compare", runs="1,2", tab="Numbers"))):
        if column.endswith("(baseline)"):
            numbers[label]["compare"] = cell
    for label, cell in listed_runs(visit("history"))[-1].items():
        if label not in ("Page", "Name", "Started"):
            numbers[label]["history"] = cell
    for line in terminal.run_text(first).splitlines():
        if match := re.fullmatch(r"  (\S.*?)  +(\S.*)", line):
            numbers[match[1]]["cli show"] = match[2]
    for line in terminal.comparison_text(compare([first, second])).splitlines():
        if match := re.fullmatch(r"(\S.*?)  +(\S.*?)  +\S.*", line):
            numbers[match[1]]["cli compare"] = match[2]
    for of, text in (("run.md", markdown([first])), ("compare.md", markdown([first, second]))):
        for line in text.decode().splitlines():
            cells = [cell.strip() for cell in line.split("|")[1:-1]]
            if len(cells) in (2, 3) and not cells[0].startswith(":"):
                numbers[cells[0]][of] = cells[1].split("<br>")[0]
    return numbers


SURROUNDINGS = {"Comparison", "Metrics", "What differs", "", "run"}


def test_a_label_shows_the_same_number_everywhere(shown: dict[str, dict[str, str]]) -> None:
    several = {
        label: places
        for label, places in shown.items()
        if label not in SURROUNDINGS
        and len({number(shown_value) for shown_value in places.values()}) > 1
    }
    assert several == {}
    for label in ("TTFT, median", "E2E latency, median", "E2E latency, mean"):
        assert {"compare", "cli show", "cli compare", "compare.md"} <= {*shown[label]}, label
    assert {"tile", "history", "compare"} <= {*shown["TTFT, median"]}
    assert {"tile", "compare"} <= {*shown["Error rate"]}


def test_a_metric_name_has_the_same_number_in_every_file(database: Engine) -> None:
    for number in (1.0, 1.5):
        store(database, uneven(number), repeats=3)
    pair = [results.candidate(database, run_id) for run_id in (1, 2)]
    (row,) = csv.DictReader(io.StringIO(summary_csv(pair[:1]).decode()))
    summary = run_document(pair[0])["summary"]
    stored = runs.headlines(database, [1])[1]
    compared = {one["metric"]: one["values"][0] for one in comparison_document(pair)["rows"]}
    lines = csv.DictReader(io.StringIO(comparison_csv(pair).decode()))
    in_csv = {line["metric"]: line["run_1"] for line in lines}
    assert in_csv.keys() == compared.keys()
    own = compared.keys() - summary.keys()
    assert own == {"e2e_s_sum_of_a_repeat"}, "that is no number of the run"
    for name in compared.keys() - own:
        assert summary[name] == pytest.approx(compared[name], rel=1e-12), name
        assert float(row[name]) == float(in_csv[name]) == pytest.approx(stored[name]), name
