"""Runs as spans, from the supervisor to a real receiver: whole, once, and never beside a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine

import jobs
from db import queue, results, runs, span_exports
from jobs import span_sender
from jobs.span_sender import CannotSend, send
from jobs.supervisor_lock import machine_id, supervisor_file
from services.report.export import content_hash
from services.report.spans.progress import Delivered, Position, SpanExport
from services.report.spans.settings import span_settings
from tests.conftest import ROOT, SLOW, Submit, finished, until
from tests.jobs.conftest import running
from tests.receiver import Received, attributes, receiving
from tests.stored import store
from tests.values import measured

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """A receiver that the environment names."""
    with receiving() as receiver:
        monkeypatch.setenv(ENDPOINT, receiver.url)
        yield receiver


def senders() -> list[psutil.Process]:
    return running("jobs.span_sender")


def export_of(database: Engine, run_id: int) -> SpanExport:
    export = span_exports.load(database, run_id)
    assert export is not None
    return export


def ended(database: Engine, run_id: int) -> SpanExport:
    """Wait until a run was sent or not."""
    until(lambda: export_of(database, run_id).status != "waiting", 60)
    return export_of(database, run_id)


def log_of(database: Engine) -> str:
    """What supervisor and senders have logged."""
    return supervisor_file(database, "log").read_text()


def settings(received: Received, **more: str) -> Any:
    return span_settings({ENDPOINT: received.url, **more})


@pytest.mark.long
@pytest.mark.slow
def test_a_run_is_sent_when_it_has_ended_with_all_its_requests(
    database: Engine, reference_run: Submit, received: Received
) -> None:
    run_id = reference_run("ref tokens=4", mode="batch", requests=5, repeats=2, warmup=0)
    finished(database, run_id)
    export = ended(database, run_id)
    assert (export.status, export.error) == ("sent", None)
    assert export.delivered == Delivered(f"127.0.0.1:{received.port}", 10, Position(1, 4))
    run, spans = runs.load(database, run_id), received.by_id()
    assert len(spans) == len(received.spans) == 1 + 2 + 10
    (whole,) = [span for span in spans.values() if not span.parent_span_id]
    requests = [span for span in spans.values() if span.name.startswith("chat ")]
    assert len(requests) == 10 and run.started_at and run.ended_at
    assert abs(whole.start_time_unix_nano / 1e9 - run.started_at.timestamp()) < 1e-3
    assert abs(whole.end_time_unix_nano / 1e9 - run.ended_at.timestamp()) < 1e-3
    for span in requests:
        repeat = spans[span.parent_span_id]
        assert repeat.parent_span_id == whole.span_id
        assert (
            whole.start_time_unix_nano
            <= repeat.start_time_unix_nano
            <= span.start_time_unix_nano
            < span.events[0].time_unix_nano
            <= span.end_time_unix_nano
            <= repeat.end_time_unix_nano
            <= whole.end_time_unix_nano
        )
        about = attributes(span.attributes)
        assert about["gen_ai.usage.output_tokens"] == 4
        assert about["server.address"] == "127.0.0.1"
        assert not [name for name in about if name.endswith("messages")]
    until(lambda: not senders(), 60)
    assert f"run {run_id}: 10 requests sent as spans to 127.0.0.1:" in log_of(database)
    assert "ended" not in log_of(database) and "Fatal" not in log_of(database)
    stored = {(m.repeat, m.index): m for m in runs.measurements(database, run_id)}
    for span in requests:
        about = attributes(span.attributes)
        m = stored[about["paceline.repeat"] - 1, about["paceline.request"] - 1]
        assert m.t_send is not None and m.t_first is not None and m.t_end is not None
        assert about["gen_ai.response.time_to_first_chunk"] == m.t_first - m.t_send
        lasted = span.end_time_unix_nano - span.start_time_unix_nano
        assert abs(lasted - (m.t_end - m.t_send) * 1e9) <= 1


@pytest.mark.long
@pytest.mark.slow
def test_sending_stops_while_a_run_is_measured_and_resumes_after_it(
    database: Engine, reference_run: Submit, received: Received
) -> None:
    received.answers = [(503, {"Retry-After": "250"}, b"")]
    first = reference_run("ref tokens=3", requests=1, warmup=0)
    finished(database, first)
    until(lambda: received.refused, 60)  # it waits for the receiver now
    assert len(senders()) == 1
    second = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, second).status == "running" and not senders(), 60)
    until(lambda: runs.progress(database, second), 60)  # it is measured
    assert not senders() and not received.spans
    assert export_of(database, first).status == "waiting"
    queue.request_cancel(database, second)
    assert ended(database, first).status == ended(database, second).status == "sent"
    stopped, sent = runs.load(database, second).ended_at, export_of(database, first).changed_at
    assert stopped is not None and sent > stopped


@pytest.mark.long
@pytest.mark.slow
def test_without_a_receiver_no_run_is_sent(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run("ref tokens=3", requests=1, warmup=0)
    finished(database, run_id)
    assert span_exports.load(database, run_id) is None


@pytest.mark.long
@pytest.mark.slow
def test_a_refused_export_is_reported_and_does_not_change_the_run(
    database: Engine, reference_run: Submit, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=sk-secret-0123456789")
    received.answers = [(401, {}, b"unknown key sk-secret-0123456789")]
    run_id = reference_run("ref tokens=3", requests=1, warmup=0)
    assert finished(database, run_id).status == "done"
    export = ended(database, run_id)
    assert export.status == "failed" and "HTTP 401" in (export.error or "")
    assert finished(database, run_id).status == "done"
    assert f"run {run_id}: not sent as spans: " in log_of(database)
    assert "sk-secret" not in log_of(database) + (export.error or "")
    for file in Path(database.url.database or "").parent.glob("paceline.db*"):
        assert b"sk-secret" not in file.read_bytes()


@pytest.mark.long
@pytest.mark.slow
def test_a_waiting_export_is_sent_by_the_next_supervisor(
    database: Engine, received: Received
) -> None:
    run_id = store(database)
    span_exports.request(database, run_id, machine_id())
    jobs.ensure(database)
    assert ended(database, run_id).status == "sent"


@pytest.mark.long
@pytest.mark.slow
def test_an_export_without_a_receiver_fails(database: Engine) -> None:
    run_id = store(database)
    span_exports.request(database, run_id, machine_id())
    jobs.ensure(database)
    export = ended(database, run_id)
    assert export.status == "failed" and ENDPOINT in (export.error or "")


@pytest.mark.long
@pytest.mark.slow
def test_a_killed_sender_is_reported_and_not_restarted_forever(
    database: Engine, received: Received
) -> None:
    received.answers = [(503, {"Retry-After": "250"}, b"")]
    run_id = store(database)
    span_exports.request(database, run_id, machine_id())
    jobs.ensure(database)
    until(lambda: received.refused, 60)
    (sender,) = senders()
    sender.kill()
    export = ended(database, run_id)
    assert export.status == "failed" and "ended (exit code -9)" in (export.error or "")
    assert not senders() and not received.spans


@pytest.mark.long
def test_sending_a_run_twice_sends_the_same_spans_and_does_not_change_it(
    database: Engine, received: Received
) -> None:
    run_id = store(database, [measured(i, repeat=r) for r in range(2) for i in range(3)])
    before = content_hash(results.candidate(database, run_id))
    send(database, run_id, settings(received), {})
    once = sorted(span.SerializeToString(deterministic=True) for span in received.spans)
    send(database, run_id, settings(received), {})
    twice = sorted(span.SerializeToString(deterministic=True) for span in received.spans)
    assert twice == sorted(once * 2)
    assert content_hash(results.candidate(database, run_id)) == before


def test_sending_continues_where_the_receiver_stopped(
    database: Engine, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_sender, "AT_ONCE", 2)
    run_id = store(database, [measured(i, repeat=r) for r in range(2) for i in range(3)])
    received.answers = [(200, {}, b""), (200, {}, b""), (400, {}, b"")]
    with pytest.raises(span_sender.SpansRefused):
        send(database, run_id, settings(received), {})
    export = export_of(database, run_id)
    assert (export.status, export.delivered.requests) == ("failed", 2)
    assert export.delivered.after == Position(0, 1)
    sent = send(database, run_id, settings(received), {}, export.delivered)
    assert sent.delivered.requests == 6
    names = [span.name for span in received.spans]
    assert names.count("chat tiny") == 6  # each request once
    assert names.count("repeat 1") == 2  # the parents again: they may have grown


def test_another_receiver_gets_all_requests(database: Engine, received: Received) -> None:
    run_id = store(database)
    send(database, run_id, settings(received), {}, Delivered("other:1", 2, Position(0, 1)))
    assert export_of(database, run_id).delivered.requests == 3
    assert len(received.spans) == 5


def test_batches_are_bounded_by_number_and_by_size(
    database: Engine, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [measured(i, answer="long " * 2_000) for i in range(60)]
    run_id = store(database, rows)
    monkeypatch.setattr(span_sender, "AT_ONCE_WITH_TEXTS", 50)
    monkeypatch.setattr(span_sender, "BATCH_BYTES", 100_000)
    send(database, run_id, settings(received, PACELINE_TRACES_TEXTS="yes"), {})
    assert len(received.by_id()) == len(received.spans) == 62
    assert max(map(len, received.raw)) < 110_000
    assert len(received.bodies) > 7
    for span in received.spans[2:]:
        about = attributes(span.attributes)
        assert about["gen_ai.output.messages"].count("long") == 2_000
        assert "gen_ai.input.messages" in about


def test_an_error_says_why_a_run_has_no_spans(database: Engine, received: Received) -> None:
    unplaced = replace(runs.load(database, store(database)), source={"placed": False})
    with pytest.raises(CannotSend, match="has not ended yet"):
        send(database, store(database, status="running"), settings(received), {})
    with pytest.raises(CannotSend, match="does not say when each request was sent"):
        span_sender.check(unplaced)
    assert not received.bodies


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("module", ["services.load.worker", "jobs.__main__"])
def test_workers_and_supervisors_do_not_import_span_messages(module: str) -> None:
    """Tokens are on their way in processes that do not even import what encodes and sends."""
    senders = ("opentelemetry.proto", "google.protobuf", "jobs.otlp", "jobs.span_sender")
    code = f"import sys, {module}; print([n for n in sys.modules if n.startswith({senders})])"
    run = partial(subprocess.run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run([sys.executable, "-c", code]).stdout == "[]\n"
