"""What is shown of runs that another tool measured, and how they get in."""

from __future__ import annotations

import tomllib

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from db import imported, runs
from services.ask.workloads.lines import MAX_FILE_BYTES
from services.report.imports import MAX_BYTES
from tests.conftest import ROOT
from tests.pages.conftest import Visit, complaints, sound, text_of
from tests.pages.test_stored_pages import headings, specs
from tests.stored import store

DATA = ROOT / "tests" / "data" / "imports"
SAYS = "What does vLLM bench report?"


@pytest.fixture
def all_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table fits on the phone, so that each is folded."""
    monkeypatch.setattr("services.base.table.PHONE", 0)


def bring_in(database: Engine, name: str) -> int:
    [run_id] = imported.import_file(database, (DATA / name).read_bytes(), name.split("/")[-1])
    return run_id


def links(at: AppTest) -> list[str]:
    return [link.proto.label for link in at.get("page_link")]


def test_the_result_of_an_imported_run_names_its_tool_and_shows_its_numbers(
    visit: Visit, database: Engine
) -> None:
    bring_in(database, "vllm/result.json")
    numbers = visit("result", run="1", tab="numbers")
    assert SAYS in headings(numbers)
    assert "Was the client healthy?" not in headings(numbers)
    at = visit("result", run="1", tab="requests")
    assert "imported from vLLM bench" in text_of(at)
    assert len(at.metric) == 5
    assert "Run again" not in links(at)
    assert "client healthy" not in text_of(at)
    assert "Prompts and answers" not in [fold.label for fold in at.expander]


def test_an_imported_summary_shows_the_numbers_of_its_tool(visit: Visit, database: Engine) -> None:
    bring_in(database, "vllm/serve_summary.json")
    at = visit("result", run="1")
    assert SAYS in headings(at)
    assert "This run has no measured requests" not in text_of(at)
    assert "only this summary" in text_of(at)


def test_a_run_without_timestamps_has_fewer_charts_over_time(
    visit: Visit, database: Engine
) -> None:
    whole = bring_in(database, "vllm/result.json")
    without = bring_in(database, "llmperf/individual_responses.json")
    placed, unplaced = (visit("result", run=str(n), tab="timeline") for n in (whole, without))
    assert len(specs(unplaced)) < len(specs(placed))
    assert "No request was sent." in text_of(unplaced)


def test_runs_of_tools_and_of_ours_are_compared(visit: Visit, database: Engine) -> None:
    names = ("vllm/result.json", "guidellm/report.json", "vllm/serve_summary.json")
    for name in names:
        bring_in(database, name)
    store(database)
    at = visit("compare", runs="1,2,3,4", tab="Numbers")
    assert "Do the tools' own numbers match Paceline's?" in headings(at)
    assert (
        "Run 1, vLLM bench: 14 of 21 numbers that can be compared match Paceline's, 7 differ."
        in text_of(at)
    )
    assert "Run 3, vLLM bench: the file contains only a summary" in text_of(at)
    assert "Measured by different clients" in complaints(at)


@pytest.mark.parametrize("shown", ["result", "compare"])
def test_shared_pages_of_imported_runs_name_their_tool(
    visit: Visit, database: Engine, shown: str
) -> None:
    for name in ("aiperf/profile_export_aiperf.json", "aiperf/profile_export.jsonl"):
        bring_in(database, name)
    chosen = {"run": "1"} if shown == "result" else {"runs": "1,2"}
    assert "aiperf" in text_of(visit(shown, view="share", **chosen))


def upload(at: AppTest, name: str, data: bytes, again: bool = False) -> AppTest:
    at.file_uploader[0].upload(name, data, "application/json")
    if again:
        at.checkbox[0].check()
    pressed = next(button for button in at.button if button.label == "Import")
    return sound(pressed.click().run())


def test_a_file_is_uploaded_in_history_once(visit: Visit, database: Engine) -> None:
    data = (DATA / "vllm" / "result.json").read_bytes()
    at = upload(visit("history"), "result.json", data)
    assert "result.json: 1 run imported." in text_of(at)
    assert "Run 1" in links(at)
    assert [row.name for row in runs.search(database)] == [
        "ref ttft=0.05 gap=0.01 tokens=16 · batch · 12 requests"
    ]
    at = upload(visit("history"), "result.json", data)
    assert "already been imported as run 1" in complaints(at)
    upload(visit("history"), "result.json", data, again=True)
    assert runs.count(database) == 2


def test_an_unknown_file_is_reported_in_history(visit: Visit, database: Engine) -> None:
    at = upload(visit("history"), "x.json", b'{"a": 1}')
    assert complaints(at) == "x.json: Paceline does not recognize this file."
    assert text_of(at).count("guidellm") == 1
    assert not runs.count(database)


def test_the_upload_limits_of_the_pages_match_the_server(visit: Visit) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    most = config["server"]["maxUploadSize"]  # MB, of any file
    assert most == MAX_BYTES // 10**6
    (imports,) = visit("history").file_uploader
    prompts, *_ = visit("run", workload="file").file_uploader
    assert imports.proto.max_upload_size_mb == most
    assert prompts.proto.max_upload_size_mb == MAX_FILE_BYTES // 10**6 <= most


@pytest.mark.usefixtures("all_wide")
def test_tables_of_the_same_title_are_folded_on_one_page(visit: Visit, database: Engine) -> None:
    for name in ("vllm/result.json", "vllm/serve_summary.json"):
        bring_in(database, name)
    for tab in ("Numbers", "Setup", "Requests"):
        sound(visit("compare", runs="1,2", tab=tab))
    for tab in ("numbers", "setup", "requests"):
        sound(visit("result", run="1", tab=tab))
