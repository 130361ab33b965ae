"""`run`, `more`: measure a run, or add repeats to finished ones."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import jobs
from cli import run_fields, scenario
from cli.compare import print_comparison
from cli.kinds import condition, whole
from cli.output import DONE, FAILED, hides_progress, refuse
from cli.person import operator
from cli.problems import UsageError, distinct_runs, naming_flags, once_started
from cli.stopping import stopping
from cli.stored import add_runs_arguments, print_run
from db import results
from db.comparisons import CannotRepeat
from db.database import opened
from jobs import scenarios
from jobs.follow import follow
from services.analysis import thresholds
from services.analysis.compare import MOST
from services.analysis.thresholds import Threshold, parse_threshold
from services.ask.backends import BackendProblem
from services.ask.config import parse
from services.report import terminal
from services.report.scenario import read_run


def add_arguments(command: ArgumentParser) -> None:
    scenario.add_arguments(command, "run")
    command.add_argument(
        "--slo",
        type=condition,
        action="append",
        metavar="CONDITION",
        help="Exit with 1 unless the run meets this condition: 'ttft:p95<0.5', in quotes; may be "
        "repeated",
    )
    run_fields.add_arguments(command)


def run(options: Namespace) -> int:
    """Queue a run, wait until it ends, and print its result."""
    with stopping() as stop:
        run_id, conditions = _submit(options)
        with once_started(f"run {run_id}"):
            follow(opened(), [run_id], stop, hides_progress(options))
            candidate = results.candidate(opened(), run_id)
            print_run(options, candidate)
    failed = [each for each in thresholds.check(conditions, candidate) if not each.passed]
    if failed and conditions:
        refuse(terminal.thresholds_text(failed))
    return FAILED if failed else DONE


def _submit(options: Namespace) -> tuple[int, list[Threshold]]:
    """Queue the run described by the flags or by a scenario; return its id and its conditions."""
    with naming_flags(options):
        values = run_fields.values(options)
        run_fields.print_notes(options)
        if options.scenario is None:
            config, names = parse(values), (options.name, options.tag, options.note)
            run_fields.check_read(options, [config])
            return jobs.submit(opened(), config, *names, by=operator()), options.slo or []
        from_file = read_run(
            scenario.read_document(options.scenario, "run"),
            scenario.reading_context(options.scenario, values | scenario.given_names(options)),
        )
        scenario.check_read(options, options.scenario, from_file)
        texts = map(parse_threshold, from_file.keys.slo)
        return scenarios.start(opened(), from_file, operator()).id, options.slo or list(texts)


def add_more_arguments(command: ArgumentParser) -> None:
    add_runs_arguments(command)
    command.add_argument(
        "--repeats", type=whole, default=4, help="Additional repeats of each run (default: 4)"
    )


def more(options: Namespace) -> int:
    """Add repeats to runs that are done."""
    if len(options.runs) > MOST:
        raise UsageError(
            f"One to {MOST} runs can get more repeats at a time, not {len(options.runs)}."
        )
    with stopping() as stop:
        try:
            jobs.more(opened(), distinct_runs(options.runs), options.repeats)
        except (BackendProblem, CannotRepeat) as error:
            raise UsageError(str(error)) from None
        with once_started(f"run {', '.join(map(str, options.runs))}"):
            follow(opened(), options.runs, stop, hides_progress(options))
            candidates = results.candidates(opened(), options.runs)
            if len(candidates) == 1:
                print_run(options, candidates[0])
            else:
                print_comparison(options, candidates)
    return DONE if all(each.run.status == "done" for each in candidates) else FAILED
