"""Sends one run as OpenTelemetry spans: `python -m jobs.span_sender RUN`, and `paceline traces`.

This is a separate process at the lowest priority, which the supervisor starts when nothing is being
measured on this machine. Requests are read from the database in parts and posted in bounded
batches, so that a run of a million requests takes no more memory than one of a thousand.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from threading import Thread
from time import monotonic

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sqlalchemy import Engine

from db import engines, queue, runs, span_exports
from db.database import UNUSABLE, connect
from db.engines import EngineNotFound
from db.runs import RunNotFound
from jobs.otlp import Receiver, SpansRefused, connected
from jobs.retry import with_retries
from jobs.supervisor_lock import machine_id
from services.ask.address import origin
from services.ask.measurement import ACTIVE, Measurement, Run
from services.base import logs, settings
from services.base.errors import Conflict
from services.base.units import many
from services.report.spans.progress import Delivered, Position, SpanExport, SpanStatus
from services.report.spans.run_spans import RunSpans, request_body
from services.report.spans.settings import InvalidSpanSettings, SpanSettings, span_settings

AT_ONCE = 1_000  # requests that are read at a time, and the most in a batch
AT_ONCE_WITH_TEXTS = 100
BATCH_BYTES = 1_000_000  # of a batch before it is compressed; receivers take 4 MB and more
RECORD_S = 1.0  # between two records of progress
NICE = 19

OnSent = Callable[[int], object]  # called with the number of requests so far
OnWait = Callable[[str], object]  # called with the reason before a batch is sent again

log = logging.getLogger("paceline.spans")


class CannotSend(Conflict):
    """The run cannot be sent as spans; the message says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Spans to be posted together; the last request among them, and how many requests."""

    spans: list[Span]
    last: Position
    requests: int


def send(
    database: Engine,
    run_id: int,
    to: SpanSettings,
    env: Mapping[str, str],
    before: Delivered | None = None,
    on_sent: OnSent = lambda _: None,
    on_wait: OnWait = lambda _: None,
) -> SpanExport:
    """Send a run that has ended. Of the spans that the same receiver accepted `before`, only those
    of the run and its repeats are sent again. The outcome is recorded with the run, and returned.

    Raises:
        RunNotFound.
        CannotSend: it is not finished, or the times at which its requests were sent are unknown.
        SpansRefused: the receiver did not accept them.
    """
    run = runs.load(database, run_id)
    check(run)
    if before is None or before.receiver != to.receiver:
        before = Delivered(to.receiver)
    progress = _Progress(database, run_id, before, on_sent)
    try:
        rejected = _send(database, run, to, env, progress, on_wait)
    except SpansRefused as problem:
        progress.finish("failed", str(problem))
        raise
    progress.finish("sent", rejected or None)
    return SpanExport("sent", progress.delivered, rejected or None, datetime.now(UTC))


def check(run: Run) -> None:
    """Raise CannotSend for a run that cannot be sent."""
    if run.status in ACTIVE:
        raise CannotSend(f"Run {run.id} has not ended yet. Send its spans after it has ended.")
    if not run.placed:
        raise CannotSend(
            f"Run {run.id} was imported from a file that does not say when each request was sent, "
            "so there are no spans to send."
        )


class _Progress:
    """How much of a run has been sent, recorded every RECORD_S."""

    def __init__(
        self, database: Engine, run_id: int, delivered: Delivered, on_sent: OnSent
    ) -> None:
        self._database, self._run_id, self.delivered = database, run_id, delivered
        self._on_sent, self._recorded_at = on_sent, monotonic()

    def moved(self, batch: Batch) -> None:
        requests = self.delivered.requests + batch.requests
        self.delivered = replace(self.delivered, requests=requests, after=batch.last)
        self._on_sent(requests)
        if monotonic() - self._recorded_at > RECORD_S:
            self._record(span_exports.advance)
            self._recorded_at = monotonic()

    def finish(self, status: SpanStatus, error: str | None) -> None:
        self._record(partial(span_exports.finish, status=status, error=error))

    def _record(self, write: Callable[[Engine, int, str, Delivered], None]) -> None:
        with_retries(
            lambda: write(self._database, self._run_id, machine_id(), self.delivered),
            f"run {self._run_id}",
        )


def _send(
    database: Engine,
    run: Run,
    to: SpanSettings,
    env: Mapping[str, str],
    progress: _Progress,
    on_wait: OnWait,
) -> str:
    """Post the parent spans and then the requests; return the last rejection."""
    answer_of = partial(runs.answer, database, run.id) if to.texts else None
    spans = RunSpans(run, _server(database, run), answer_of)
    with connected(to, env) as client:
        receiver = Receiver(to, client, on_wait=on_wait)
        counts = span_exports.repeat_counts(database, run.id)
        rejected = receiver.post(request_body(spans.parent_spans(counts), to.resource))
        for batch in _batches(database, run.id, spans, to.texts, progress.delivered.after):
            rejected = receiver.post(request_body(batch.spans, to.resource)) or rejected
            progress.moved(batch)
    return rejected


def _batches(
    database: Engine, run_id: int, spans: RunSpans, texts: bool, after: Position | None
) -> Iterator[Batch]:
    """Yield the requests after a position in batches of bounded number and size."""
    most = AT_ONCE_WITH_TEXTS if texts else AT_ONCE
    read = partial(span_exports.read_requests, database, run_id, most=most, texts=texts)
    while rows := with_retries(partial(read, after), f"run {run_id}"):
        yield from _split(rows, spans)
        after = Position(rows[-1].repeat, rows[-1].index)


def _split(rows: list[Measurement], spans: RunSpans) -> Iterator[Batch]:
    batch: list[Span] = []
    size = count = 0
    last = Position(rows[0].repeat, rows[0].index)
    for m in rows:
        span = spans.request_span(m)
        its = 0 if span is None else span.ByteSize()
        if batch and size + its > BATCH_BYTES:
            yield Batch(batch, last, count)
            batch, size, count = [], 0, 0
        if span is not None:
            batch.append(span)
        size, count, last = size + its, count + 1, Position(m.repeat, m.index)
    yield Batch(batch, last, count)


def _server(database: Engine, run: Run) -> tuple[str, int] | None:
    """Return the host and port of a run's server; None if unknown, as for the embedded model."""
    url = None
    if run.engine_id is not None:
        with suppress(EngineNotFound):
            url = engines.load(database, run.engine_id).base_url
    else:
        stored, _ = queue.destination(database, run.id)
        url = stored["target"]["base_url"] if stored else run.config.base_url
    if not url:
        return None
    _, host, port = origin(url)
    return host, port


def main(run_id: int) -> None:
    """Send a run for the supervisor, and end when the supervisor ends."""
    logs.setup("sender", os.environ)
    os.nice(NICE)
    Thread(target=_end_with_the_supervisor, daemon=True).start()
    database = connect()
    stored = span_exports.load(database, run_id)
    try:
        env = settings.environment()
        sent = send(database, run_id, span_settings(env), env, stored.delivered if stored else None)
    except RunNotFound:  # deleted meanwhile
        return
    except SpansRefused as problem:  # already recorded
        log.warning("run %s: not sent as spans: %s", run_id, problem)
    except (CannotSend, InvalidSpanSettings, settings.InvalidSettings) as problem:
        log.warning("run %s: not sent as spans: %s", run_id, problem)
        span_exports.give_up(database, run_id, str(problem))
    else:
        number = many(sent.delivered.requests, "request")
        log.info("run %s: %s sent as spans to %s", run_id, number, sent.delivered.receiver)
        if sent.error:
            log.warning("run %s: %s", run_id, sent.error)


def _end_with_the_supervisor() -> None:
    """End when standard input is closed. The supervisor holds its other end: if it dies, no other
    process would end this one before the next run is measured."""
    while os.read(0, 4096):  # not sys.stdin: this thread would hold its lock when Python ends
        pass
    os._exit(0)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except UNUSABLE as problem:
        sys.exit(str(problem))
