"""`list`, `show`, `export`, `check`: stored runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import Any, get_args

from cli.fields import add, given_fields, in_flags
from cli.kinds import add_limit_argument, condition, whole
from cli.output import DONE, FAILED, add_output_arguments, print_result, save, write
from cli.problems import UsageError, distinct_runs
from db import baseline_verdicts, results, runs, span_exports
from db.database import opened
from services.analysis import thresholds
from services.analysis.compare import Candidate
from services.analysis.compare.baseline_verdict import as_row
from services.ask.backends import BACKENDS
from services.ask.config import JUDGEMENT, Mode, RunConfig, parse
from services.ask.measurement import ACTIVE, IMPORT, RunStatus
from services.ask.problems import InvalidConfig
from services.report import export as exports
from services.report import terminal
from services.report.spans.progress import sentence


def add_list_arguments(command: ArgumentParser) -> None:
    command.add_argument(
        "text", nargs="?", default="", help="Text to find in names, notes, models and tags"
    )
    command.add_argument("--backend", choices=[*BACKENDS, IMPORT], help="Only runs of this backend")
    command.add_argument("--model", help="Only runs of this model (exact name)")
    command.add_argument("--mode", choices=get_args(Mode), help="Only runs in this mode")
    command.add_argument("--tag", help="Only runs with this tag")
    command.add_argument("--status", choices=get_args(RunStatus), help="Only runs with this status")
    add_limit_argument(command)


def list_runs(options: Namespace) -> int:
    """Print the stored runs, newest first."""
    filters: Any = {name: value for name in runs.FILTERS if (value := getattr(options, name))}
    rows = runs.search(opened(), options.text, limit=options.limit, **filters)
    narrowed = bool(options.text or filters)
    against = baseline_verdicts.of_runs(opened(), rows, options.tag or "", options.model or "")
    print_result(
        options,
        lambda: [
            {**asdict(row), "against": as_row(against[row.id]) if row.id in against else None}
            for row in rows
        ],
        lambda: terminal.list_text(rows, narrowed, against),
    )
    return DONE


def add_run_arguments(command: ArgumentParser) -> None:
    command.add_argument("run", type=whole, metavar="RUN")


def show(options: Namespace) -> int:
    """Print one run."""
    print_run(options, results.candidate(opened(), options.run))
    return DONE


def print_run(options: Namespace, candidate: Candidate) -> None:
    if options.json and not candidate.table.complete:  # a JSON document of it would fill the memory
        for piece in exports.export("run.json").pieces([candidate]):
            write(piece)
        return
    print_result(options, lambda: exports.run_document(candidate), lambda: _text(candidate))


def _text(candidate: Candidate) -> str:
    """Describe a run, and how much of it has been sent as spans."""
    text = terminal.run_text(candidate)
    spans = None
    if candidate.run.status not in ACTIVE:
        spans = span_exports.load(opened(), candidate.run.id)
    return text if spans is None else f"{text}\n{sentence(spans)}"


def add_runs_arguments(command: ArgumentParser) -> None:
    command.add_argument("runs", type=whole, nargs="+", metavar="RUN")


def add_export_arguments(command: ArgumentParser) -> None:
    add_runs_arguments(command)
    formats = [entry.name for entry in exports.EXPORTS]
    command.add_argument(
        "--format",
        choices=formats,
        default=formats[0],
        help=f"Export format (default: {formats[0]})",
    )
    add_output_arguments(command)


def export(options: Namespace) -> int:
    """Export runs to standard output or to the file given with --output."""
    entry = exports.export(options.format)
    if not entry.takes(len(options.runs)):
        most = "one run" if entry.most == 1 else f"{entry.least} to {entry.most} runs"
        raise UsageError(f"--format: {entry.name} takes {most}, not {len(options.runs)}.")
    return save(options, entry.pieces(results.candidates(opened(), distinct_runs(options.runs))))


def add_check_arguments(command: ArgumentParser) -> None:
    add_run_arguments(command)
    command.add_argument(
        "--slo",
        type=condition,
        action="append",
        required=True,
        metavar="CONDITION",
        help="'ttft:p95<0.5', 'error_rate<0.01' …, in quotes; may be repeated",
    )
    add(command, RunConfig, JUDGEMENT)


def check(options: Namespace) -> int:
    """Check a run against conditions such as 'ttft:p95<0.5'."""
    try:
        judgement = _judgement(options)
    except InvalidConfig as error:
        raise UsageError("\n".join(map(in_flags, error.problems.values()))) from None
    candidate = results.candidate(opened(), options.run, judgement=judgement)
    checked = thresholds.check(options.slo, candidate)
    print_result(options, lambda: checked, lambda: terminal.thresholds_text(checked))
    return DONE if all(each.passed for each in checked) else FAILED


def _judgement(options: Namespace) -> dict[str, Any]:
    """Return the given objectives and price, by field. Raises InvalidConfig."""
    fields = {
        name: value for name, value in given_fields(options, RunConfig).items() if name in JUDGEMENT
    }
    config = parse(fields)
    return {name: getattr(config, name) for name in fields}
