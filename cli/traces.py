"""`traces`: stored runs as OpenTelemetry spans, for the receiver in .env."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from cli.kinds import whole
from cli.output import DONE, FAILED, hides_progress, print_result, refuse
from cli.problems import distinct_runs
from db import request_columns, runs
from db.database import opened
from jobs.otlp import GIVE_UP_S, SpansRefused
from jobs.span_sender import check, send
from services.base import settings
from services.report.spans.progress import SpanExport, sentence
from services.report.spans.settings import SpanSettings, span_settings


def add_arguments(command: ArgumentParser) -> None:
    command.add_argument("runs", type=whole, nargs="+", metavar="RUN")
    command.add_argument("--texts", action="store_true", help="Include prompts and answers")


def traces(options: Namespace) -> int:
    """Send runs with all their requests as OpenTelemetry spans to OTEL_EXPORTER_OTLP_ENDPOINT."""
    env = settings.environment()
    to = span_settings(env)
    to = replace(to, texts=to.texts or options.texts)
    for run in runs.load_many(opened(), distinct_runs(options.runs)):
        check(run)
    sent: dict[int, SpanExport] = {}
    for run_id in distinct_runs(options.runs):
        try:
            sent[run_id] = _send(run_id, to, env, hides_progress(options))
        except SpansRefused as problem:
            return refuse(f"Run {run_id}: {problem}", FAILED)
    print_result(options, lambda: [_row(*each) for each in sent.items()], lambda: _text(sent))
    return DONE


def _send(run_id: int, to: SpanSettings, env: Any, hidden: bool) -> SpanExport:
    total = request_columns.count_of(opened(), run_id)
    with tqdm(total=total, unit=" requests", disable=hidden, leave=False) as bar:
        return send(
            opened(),
            run_id,
            to,
            env,
            on_sent=lambda requests: bar.update(requests - bar.n),
            on_wait=_once_reported(run_id),
        )


def _once_reported(run_id: int) -> Callable[[str], None]:
    """Return a function that prints why a batch is sent again, unless it has just printed that."""
    said = [""]

    def report(reason: str) -> None:
        if reason != said[0]:
            again = f"Trying again for {GIVE_UP_S / 60:.0f} minutes."
            tqdm.write(f"Run {run_id}: {reason} {again}", file=sys.stderr)
        said[0] = reason

    return report


def _text(sent: dict[int, SpanExport]) -> str:
    return "\n".join(f"Run {run_id}: {sentence(export)}" for run_id, export in sent.items())


def _row(run_id: int, export: SpanExport) -> dict[str, Any]:
    delivered = export.delivered
    return {
        "run": run_id,
        "receiver": delivered.receiver,
        "requests": delivered.requests,
        "rejected": export.error,
    }
