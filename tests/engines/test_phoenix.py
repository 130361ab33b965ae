"""Runs as spans in Arize Phoenix: what it stored, by its own API, is what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine

from db import runs, span_exports
from services.ask.measurement import Measurement, Run
from tests.conftest import Submit, finished, until
from tests.engines.phoenix import ELSEWHERE, READY_S, Phoenix, phoenix

PROMPT = "Which answer is the one to everything?"
ANSWER = " w0 w1 w2"  # the reference server's
Spans = list[dict[str, Any]]
SHOWN = """query ($name: String!) { getProjectByName(name: $name) {
    traceCount recordCount tokenCountPrompt tokenCountCompletion } }"""
pytestmark = [pytest.mark.engines, pytest.mark.timeout(READY_S + 300)]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    """One Phoenix for all tests, each with a project of its own; at the end it has asked nobody
    else for anything, and nothing of it is left."""
    with phoenix(tmp_path_factory.mktemp("phoenix")) as server:
        yield server
        children = psutil.Process(server.process.pid).children(recursive=True)
    assert not [child for child in children if child.is_running()]
    assert ELSEWHERE not in server.log.read_text()


@pytest.fixture
def sent(
    database: Engine, reference_run: Submit, receiver: Phoenix, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Run, Spans]]:
    """Measure a run of the reference server; return it when Phoenix has stored all its spans."""

    def measured(project: str, model: str, texts: str = "", **values: Any) -> tuple[Run, Spans]:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"openinference.project.name={project}")
        monkeypatch.setenv("PACELINE_TRACES_TEXTS", texts)
        run = finished(database, reference_run(model, warmup=0, pause_s=0, **values))
        until(lambda: _export_status(database, run.id) != "waiting", 60)
        assert _export_status(database, run.id) == "sent"
        count = 1 + len(run.repeats) + len(runs.measurements(database, run.id))
        until(lambda: len(receiver.spans(project)) >= count, 60)
        spans = receiver.spans(project)
        assert len(spans) == count
        return run, spans

    return measured


def _export_status(database: Engine, run_id: int) -> str:
    export = span_exports.load(database, run_id)
    return export.status if export else "waiting"


def requests(spans: Spans, stored: list[Measurement]) -> list[tuple[dict[str, Any], Measurement]]:
    """Each request's span beside what was measured."""
    by_request = {(m.repeat + 1, m.index + 1): m for m in stored}
    numbers = ("paceline.repeat", "paceline.request")
    return [
        (span, by_request.pop(tuple(span["attributes"][name] for name in numbers)))
        for span in spans
        if span["span_kind"] == "LLM"
    ]


def test_a_run_with_failures_is_stored_whole_and_once(
    database: Engine, receiver: Phoenix, sent: Callable[..., tuple[Run, Spans]]
) -> None:
    turns = {"workload": "synthetic", "turns": 2, "input_tokens": 8, "requests": 6}
    model = "ref tokens=4 most_messages=1"  # each second turn is refused
    run, spans = sent("failures", model, **turns, repeats=2)
    stored = runs.measurements(database, run.id)
    by_id = {span["context"]["span_id"]: span for span in spans}
    (whole,) = [span for span in spans if span["parent_id"] is None]
    repeats = [span for span in spans if span["parent_id"] == whole["context"]["span_id"]]
    assert {span["name"] for span in repeats} == {"repeat 1", "repeat 2"}
    assert {span["span_kind"] for span in (whole, *repeats)} == {"CHAIN"}
    assert whole["name"] == run.name
    assert (whole["attributes"]["paceline.requests"], whole["attributes"]["paceline.failed"]) == (
        12,
        6,
    )
    for span, m in (pairs := requests(spans, stored)):
        about, repeat = span["attributes"], by_id[span["parent_id"]]
        assert repeat["name"] == f"repeat {m.repeat + 1}"
        assert about["llm.model_name"] == about["gen_ai.request.model"] == model
        assert about.get("llm.token_count.prompt") == m.prompt_tokens
        assert about.get("llm.token_count.completion") == m.output_tokens
        assert about.get("llm.finish_reason") == m.finish_reason
        assert about.get("error.type") == m.error_class
        assert not [name for name in about if "messages" in name or name.startswith("input.")]
        if m.status == "ok":
            assert m.t_send is not None and m.t_first is not None
            assert about["gen_ai.response.time_to_first_chunk"] == m.t_first - m.t_send
            assert (span["status_code"], m.output_tokens, m.finish_reason) == ("UNSET", 4, "length")
        else:
            assert (span["status_code"], m.error_class) == ("ERROR", "http_4xx")
            assert "the context is full" in span["status_message"]
            assert about["http.response.status_code"] == 400
    assert len(pairs) == len(stored) == 12
    assert sum(m.status == "failed" for _, m in pairs) == 6
    assert receiver.query(SHOWN, name="failures")["getProjectByName"] == {
        "traceCount": 1,
        "recordCount": 15,
        "tokenCountPrompt": sum(m.prompt_tokens or 0 for m in stored),
        "tokenCountCompletion": 24,
    }


def test_retries_are_stored_with_their_number_and_last_error(
    database: Engine, sent: Callable[..., tuple[Run, Spans]]
) -> None:
    run, spans = sent("retries", "ref status=503", mode="batch", requests=3, retries=1)
    assert run.status == "failed", "it is sent, whatever its status"
    for span, m in requests(spans, runs.measurements(database, run.id)):
        about = span["attributes"]
        assert (about["paceline.attempts"], about["error.type"]) == (2, m.error_class)
        assert span["status_code"] == "ERROR" and about["http.response.status_code"] == 503
        assert "gen_ai.response.time_to_first_chunk" not in about


@pytest.mark.parametrize(("texts", "shown"), [("", False), ("yes", True)])
def test_prompts_and_answers_are_stored_only_on_request(
    database: Engine, sent: Callable[..., tuple[Run, Spans]], texts: str, shown: bool
) -> None:
    values = {"prompt": PROMPT, "unique_prompts": False, "requests": 2}
    run, spans = sent(f"texts-{texts or 'no'}", "ref tokens=3", texts, **values)
    for span, _ in requests(spans, runs.measurements(database, run.id)):
        about = span["attributes"]
        assert (about.get("llm.input_messages.0.message.content") == PROMPT) is shown
        assert (about.get("llm.output_messages.0.message.content") == ANSWER) is shown
        assert (PROMPT in str(span)) is (ANSWER in str(span)) is shown
