"""A study's files: right, complete, safe to open, and without anybody's prompts, keys and paths."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from services.ask.config import RunConfig
from services.report.export.public_study import public_study, study_hash
from services.report.export.shape import schema_texts
from services.report.export.study_contents import study_contents
from services.report.export.study_files import STUDY_EXPORTS, StudyExport, study_export
from services.servers.engines import EngineConfig
from services.studies import MeasuredCell
from services.studies.report import report
from tests.conftest import ROOT
from tests.offline import CHROMIUM, opened_offline
from tests.services.report.test_export import HOSTILE, Page
from tests.values import cell

PROMPT = "My own unpublished poem about a heron"
ANSWER = "The heron stands, grey on grey"
HOME = "/home/somebody/models"
KEY = "sk-proj-abcdefghijklmnopqrstuvwx0123456789"


def study(**config: Any) -> list[MeasuredCell]:
    """Return TP 1, 2 and 4 at two batch sizes; TP 4 cannot run at the larger one."""
    shapes = [(tp, size) for size in (2, 8) for tp in (1, 2, 4)]
    cells = [
        cell(tp**0.5 * size**0.5, index=at, tp=tp, size=size, **config)
        for at, (tp, size) in enumerate(shapes)
    ]
    return [*cells[:-1], MeasuredCell(cells[-1].cell, None, "It needs 4 GPUs, and there are 2.")]


def private() -> list[MeasuredCell]:
    """Return a study with a prompt, answers, a key and paths wherever one could be."""
    engine = EngineConfig(model=f"{HOME}/tiny.gguf", extra=f"--chat-template {HOME}/a.jinja")
    ca_file = f"{HOME}/ca.pem"
    secret_cell = cell(1.0, engine=engine, workload="text", prompt=PROMPT, ca_file=ca_file)
    assert secret_cell.candidate is not None
    measurements = [replace(m, answer=ANSWER) for m in secret_cell.candidate.measurements]
    environment = {"engine": {"model_path": f"{HOME}/tiny.gguf"}}
    with_answers = replace(
        secret_cell.candidate,
        measurements=measurements,
        run=replace(secret_cell.candidate.run, environment=environment),
    )
    problem = f"{HOME}/big is not there, with {KEY}."
    lost = cell(None, index=1, tp=2, problem=problem, prompt=PROMPT, ca_file=ca_file)
    return [replace(secret_cell, candidate=with_answers), lost]


def hostile() -> list[MeasuredCell]:
    cells = study()
    engine = EngineConfig(tp=4, quantization=HOSTILE[:60])
    lost = replace(cells[-1], cell=replace(cells[-1].cell, engine=engine), problem=HOSTILE)
    return [*cells[:-1], lost]


@pytest.mark.parametrize("entry", STUDY_EXPORTS, ids=lambda entry: entry.name)
def test_no_file_of_a_study_contains_a_prompt_an_answer_a_key_or_a_path(entry: StudyExport) -> None:
    text = entry.write("A", private(), 2.0).decode()
    for secret in (PROMPT, "heron", KEY, "somebody"):
        assert secret not in text, secret


def test_engines_that_differ_in_a_folder_alone_stay_apart() -> None:
    engines = [EngineConfig(model=f"/home/{name}/tiny.gguf") for name in ("somebody", "nobody")]
    cells = [cell(1.0 + at, index=at, engine=engine) for at, engine in enumerate(engines)]
    rows = lines(study_export("study.csv").write("A", cells))
    assert {line["engine_model"] for line in rows} == {"…/tiny.gguf", "…/tiny.gguf (2)"}
    assert study_hash(cells) == study_hash(public_study(cells))


@pytest.mark.parametrize("entry", STUDY_EXPORTS, ids=lambda entry: entry.name)
@pytest.mark.parametrize(
    "cells",
    [[], [cell(None)], [cell(None, problem="Out of memory.")]],
    ids=["none", "waits", "lost"],
)
def test_a_study_without_a_number_can_be_saved(
    entry: StudyExport, cells: list[MeasuredCell]
) -> None:
    assert entry.write("A", cells)


def test_every_file_of_a_study_is_described() -> None:
    text = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    assert all(f"`{entry.name}`" in text for entry in STUDY_EXPORTS)


# CSV


def lines(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_a_row_is_a_cell_with_its_engine_its_numbers_and_its_problem() -> None:
    rows = lines(study_export("study.csv").write("Night", study(), 3.6))
    assert [(line["engine_tp"], line["batch_size"]) for line in rows] == [
        ("1", "2"),
        ("2", "2"),
        ("4", "2"),
        ("1", "8"),
        ("2", "8"),
        ("4", "8"),
    ]
    two, lost = rows[1], rows[-1]
    assert two["study"] == "Night" and two["positions"] == "1" and two["runs"] == "2"
    assert float(two["speedup"]) == pytest.approx(2**0.5)
    assert float(two["speedup_low"]) < 2**0.5 < float(two["speedup_high"])
    assert float(two["efficiency"]) == pytest.approx(2**-0.5)
    rate, price = float(two["output_tokens_per_s"]), float(two["usd_per_million_output"])
    assert price == pytest.approx(2 * 3.6 / 3600 / rate * 1e6)
    assert lost["problem"] == "It needs 4 GPUs, and there are 2."
    assert lost["output_tokens_per_s"] == lost["speedup"] == lost["status"] == ""


@pytest.mark.parametrize("start", "=+-@")
def test_no_text_in_a_study_is_a_formula(start: str) -> None:
    cells = [cell(1.0), cell(None, tp=2, problem=f"{start}SUM(A1)")]
    (_, lost) = lines(study_export("study.csv").write(f"{start}1", cells))
    assert (lost["study"], lost["problem"]) == (f"'{start}1", f"'{start}SUM(A1)")


# JSON


@pytest.mark.parametrize("cells", [study(), private(), [], [cell(None)]])
def test_the_document_of_a_study_is_what_its_schema_says(cells: list[MeasuredCell]) -> None:
    schema = orjson.loads(schema_texts()["study-3.json"])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(
        orjson.loads(study_export("study.json").write("A", cells, 1.0))
    )


def test_the_document_contains_the_report() -> None:
    document = orjson.loads(study_export("study.json").write("A", study(), 3.6, "GPU"))
    assert document["schema"] == "paceline/study/3" and document["device"] == "GPU"
    assert document["sentence"].startswith("TP 2 gives 1.41× the throughput of TP 1")
    assert [law["sizes"] for law in document["laws"]] == [[1, 2, 4], [1, 2]]
    assert [law["kappa"] is None for law in document["laws"]] == [False, True]
    ahead = {best["criterion"]: best["ratio"]["value"] > 1 for best in document["best"]}
    assert ahead == {"throughput": True, "latency": False, "cost": False}, "of the metric itself"
    assert [b["saturates"] for b in document["batches"] if b["knee"]] == [False, False]


def test_a_study_of_which_anything_is_changed_has_another_hash() -> None:
    cells = study()
    assert study_hash(cells) == study_hash(study())
    candidate = cells[0].candidate
    assert candidate is not None
    other = replace(cells[0], candidate=replace(candidate, run=replace(candidate.run, name="B")))
    named = [other, *cells[1:]]
    assert study_hash(named) == study_hash(cells)
    assert study_hash(cells[:-1]) != study_hash(cells)
    assert study_hash([cell(1.1), *cells[1:]]) != study_hash(cells)


# Markdown and HTML


def test_the_markdown_of_a_study_has_its_finding_before_every_cell() -> None:
    text = study_export("study.md").write("Night", study()).decode()
    assert text.index("### Night") < text.index("TP 2 gives 1.41×") < text.index("Every cell")
    assert "It needs 4 GPUs, and there are 2." in text
    assert re.search(r"cells measured. Measured for \d+ \w+ in total", text)


def test_the_page_of_a_study_has_every_section() -> None:
    page = Page(study_export("study.html").write("Night", study(), 3.6))
    for part in (
        "Night",
        "TP 2 gives 1.41× the throughput of TP 1",
        "Every cell",
        "Best configuration",
        "Contention and communication",
        "Batch sizes",
        "Engines",
        "Configuration",
        "It needs 4 GPUs, and there are 2.",
        study_hash(study()),
        "How does throughput scale with devices?",
        "Which cells give the most throughput?",
    ):
        assert part in page.text, part
    assert "not the same in all cells" in page.text  # how many requests


def test_settings_and_environment_are_called_as_those_of_a_run() -> None:
    cells = study()
    engine_cell, *_ = cells
    assert engine_cell.candidate is not None
    environment = {"memory_bytes": 25276502016, "prompt_mark": "a1b2"}
    run = replace(engine_cell.candidate.run, environment=environment)
    cells = [replace(engine_cell, candidate=replace(engine_cell.candidate, run=run))]
    facts = study_contents("Night", report(cells)).circumstances
    texts = {table.title: dict(row[:2] for row in table.rows) for table in facts}
    assert texts["Environment"] == {"Memory": "23.5 GiB", "Nonce": "a1b2"}
    assert texts["Configuration"]["API format"] and "dialect" not in texts["Configuration"]
    assert not {*RunConfig.model_fields, *EngineConfig.model_fields} & {*chain(*texts.values())}
    assert "Users" not in texts["Configuration"], "of another mode"


def test_the_page_of_a_study_loads_nothing_and_allows_only_its_own_scripts() -> None:
    page = Page(study_export("study.html").write("Night", study()))
    assert page.references == ["data:,"] and page.handlers == []
    assert re.match(
        r"default-src 'none'; script-src 'sha256-\S+ 'sha256-\S+; style-src", page.policy
    )


def test_user_text_on_a_studys_page_is_escaped() -> None:
    page = Page(study_export("study.html").write(HOSTILE, hostile()))
    assert len(page.scripts) == 3 and "img" not in page.tags
    assert HOSTILE in page.text


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_studys_page_opens_offline_without_errors(
    tmp_path: Path, scheme: Any, width: int
) -> None:
    file = tmp_path / "study.html"
    file.write_bytes(study_export("study.html").write(HOSTILE, hostile(), 2.0))
    with opened_offline(file, scheme, width) as page:
        assert page.locator("svg.marks").count() == 5
