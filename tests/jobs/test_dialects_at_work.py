"""A run in each API format, from the queue to what is exported of it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

import jobs
from db import results, runs
from jobs.supervisor_lock import supervisor_file
from services.ask.backends import BACKENDS
from services.ask.backends.dialects import DIALECTS
from services.ask.config import DialectName, parse
from services.report.export.document import run_document
from services.report.export.page import page_html
from tests.conftest import ReferenceServer, Submit, finished
from tests.reference import KEY

MODEL = "ref fault=needs-key reasoning=2 tokens=6 ttft=0.05 gap=0.02"


@pytest.mark.long
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_run_is_measured_in_its_format(
    database: Engine,
    reference: ReferenceServer,
    reference_run: Submit,
    monkeypatch: pytest.MonkeyPatch,
    dialect: DialectName,
) -> None:
    monkeypatch.setenv("PACELINE_URL", reference.base_url)
    monkeypatch.setenv("PACELINE_URL_API_KEY", KEY)
    load = {"mode": "batch", "requests": 4, "calibrate": True, "max_tokens": 5}
    run = finished(database, reference_run(MODEL, dialect=dialect, **load))
    measured = runs.measurements(database, run.id)
    assert {(m.status, m.error) for m in measured} == {("ok", None)}
    counts = {(m.prompt_tokens, m.output_tokens, m.finish_reason) for m in measured}
    assert counts == {(11, 5, "length")}
    assert {len(m.token_times) for m in measured} == {5}
    if dialect != "completions":  # which have no field for reasoning
        assert [m.t_answer for m in measured] == [m.token_times[2] for m in measured]
    assert run.calibration is not None and run.calibration["lost"] == 0
    candidate = results.candidate(database, run.id)
    assert run_document(candidate)["run"]["config"]["dialect"] == dialect
    shared = page_html([candidate]).decode()
    assert f"<td>{dialect}</td>" in shared
    folder = supervisor_file(database, "lock").parent
    written = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
    assert KEY.encode() not in written and KEY not in shared


@pytest.mark.long
def test_a_refused_key_is_in_no_error(
    database: Engine,
    reference: ReferenceServer,
    reference_run: Submit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server quotes the header that it was sent."""
    wrong = "sk-ant-wrong-0123456789"
    monkeypatch.setenv("PACELINE_URL", reference.base_url)
    monkeypatch.setenv("PACELINE_URL_API_KEY", wrong)
    run = finished(database, reference_run(MODEL, dialect="anthropic", requests=1, warmup=0))
    (measured,) = runs.measurements(database, run.id)
    assert measured.http_status == 401
    assert "Incorrect API key provided: " in str(measured.error)
    assert wrong not in f"{measured.error}{run.error}"


@pytest.mark.long
@pytest.mark.parametrize("dialect", BACKENDS["embedded"].dialects)
def test_the_embedded_engine_answers_in_each_of_its_formats(
    database: Engine, dialect: DialectName
) -> None:
    load = {"requests": 2, "pause_s": 0.0, "max_tokens": 4, "warmup": 0}
    full = DIALECTS[dialect].takes_ignore_eos
    config = parse({"dialect": dialect, "ignore_eos": full, **load})
    run = finished(database, jobs.submit(database, config), 120)
    assert (run.status, run.error) == ("done", None)
    for measured in runs.measurements(database, run.id):
        assert measured.status == "ok"
        assert measured.finish_reason == ("stop" if dialect == "responses" else "length")
        assert measured.output_tokens == 4
        assert (measured.prefill_s is None) == (dialect == "anthropic")  # llama.cpp tells it there
        assert measured.server_queue_s is measured.load_s is None  # and these never
        assert 1 <= len(measured.token_times) <= 4
        assert measured.prompt_tokens
