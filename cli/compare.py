"""`compare`: compares runs; without runs, measures candidates first."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

import jobs
from cli import run_fields, scenario
from cli.fields import given_fields
from cli.kinds import per_cent, whole, words
from cli.output import DONE, FAILED, hides_progress, print_result, refuse
from cli.person import operator
from cli.problems import UsageError, distinct_runs, naming_flags, once_started
from cli.stopping import stopping
from db import results, servers
from db.database import opened
from jobs import scenarios
from jobs.follow import follow
from services.analysis import candidates as candidate_configs
from services.analysis import thresholds
from services.analysis.compare import FEWEST, MARGIN, MOST, Candidate, Comparison
from services.analysis.compare import compare as compared
from services.analysis.comparison_design import (
    DEFAULT_MAX_REPEATS,
    DEFAULT_REPEATS,
    ComparisonDesign,
)
from services.ask import link, saved_server
from services.ask.config import RunConfig, parse
from services.ask.flag import flag
from services.report import export as exports
from services.report import terminal
from services.report.scenario import read_comparison

COMPARISON_OPTIONS = ("most", "target", "order_seed", "fail_if", "measure", "allow_no_verdict")
MEASURING_OPTIONS = (
    "with",
    "target",
    "most",
    "order_seed",
    "shared_prompts",
    "name",
    "tag",
    "note",
)


def add_arguments(command: ArgumentParser) -> None:
    command.add_argument(
        "runs",
        type=scenario.run_or_file,
        nargs="*",
        metavar="RUN",
        help="Runs to compare, the first is the baseline; none: measure candidates first, see "
        "--with; or a scenario file (YAML), which flags override",
    )
    command.add_argument(
        "--within",
        type=per_cent,
        metavar="PERCENT",
        help="Margin: smaller differences count as equivalent (default: 5)",
    )
    _add_thresholds_arguments(command)
    _add_measuring_arguments(command)
    run_fields.add_arguments(command)


def _add_thresholds_arguments(command: ArgumentParser) -> None:
    command.add_argument(
        "--fail-if",
        type=words,
        action="extend",
        default=[],
        metavar="WORD,WORD",
        help=f"Exit with 1 if a verdict is one of {', '.join(thresholds.WORDS)}; "
        "without --allow-no-verdict, also if there is no verdict",
    )
    command.add_argument(
        "--measure",
        choices=thresholds.MEASURES,
        help="Metric to judge (default: the deciding one)",
    )
    command.add_argument(
        "--allow-no-verdict", action="store_true", help="Let --fail-if pass without a verdict"
    )


def _add_measuring_arguments(command: ArgumentParser) -> None:
    command.add_argument(
        "--with",
        action="append",
        default=[],
        metavar="CHANGES",
        help="Add a candidate with these changes: mode=batch,concurrency=8; may be repeated",
    )
    command.add_argument(
        "--target",
        type=per_cent,
        metavar="PERCENT",
        help="Repeat until every confidence interval is within ± this",
    )
    command.add_argument(
        "--most", type=whole, help="Maximum repeats of each candidate (with --target)"
    )
    command.add_argument("--order-seed", type=whole, help="Seed for the order of the repeats")


def compare(options: Namespace) -> int:
    """Compare runs, the baseline first; without runs, measure candidates first."""
    files = [name for name in options.runs if isinstance(name, str)]
    if files and len(options.runs) > 1:
        raise UsageError(f"{files[0]} is a complete comparison: do not name other files or runs.")
    if files:
        return _measure(options, files[0])
    if not options.fail_if and (options.measure or options.allow_no_verdict):
        raise UsageError("--measure and --allow-no-verdict require --fail-if.")
    return _compare_stored(options) if options.runs else _measure(options)


def _compare_stored(options: Namespace) -> int:
    """Compare runs that are stored."""
    if to_measure := [
        *(flag(name) for name in MEASURING_OPTIONS if getattr(options, name)),
        *map(flag, given_fields(options, RunConfig)),
    ]:
        raise UsageError(
            f"{to_measure[0]} is only for a comparison that is measured first: do not name runs."
        )
    if not FEWEST <= len(options.runs) <= MOST:
        raise UsageError(f"Compare takes {FEWEST} to {MOST} runs, not {len(options.runs)}.")
    return _judge(
        options, results.candidates(opened(), distinct_runs(options.runs), margin=options.within)
    )


def _measure(options: Namespace, file: str | None = None) -> int:
    """Measure a run and others that differ from it, their repeats interleaved, and compare them."""
    with stopping() as stop:
        run_ids = _submit(options) if file is None else _of_file(options, file)
        with once_started(f"runs {', '.join(map(str, run_ids))}"):
            follow(opened(), run_ids, stop, hides_progress(options))
            candidates = results.candidates(opened(), run_ids)
            code = _judge(options, candidates)
    return code if all(each.run.status == "done" for each in candidates) else FAILED


def _submit(options: Namespace) -> tuple[int, ...]:
    changes = getattr(options, "with")
    if not changes:
        raise UsageError(
            "Name the runs to compare, or use --with to add a candidate with other settings."
        )
    with naming_flags(options):
        values = run_fields.values(options)
        run_fields.print_notes(options)
        repeats = parse({"repeats": values.pop("repeats", DEFAULT_REPEATS)}).repeats
        others = changes_of(changes)
        configs = candidate_configs.candidates(values, others)
        run_fields.check_read(options, configs, others)
        usual = repeats if options.target is None else max(repeats, DEFAULT_MAX_REPEATS)
        most = options.most or usual
        margin = MARGIN if options.within is None else options.within
        design = ComparisonDesign(options.order_seed, repeats, most, options.target, margin)
        names = (options.name, options.tag, options.note)
        return jobs.submit_comparison(opened(), configs, design, *names, by=operator()).run_ids


def _of_file(options: Namespace, file: str) -> tuple[int, ...]:
    """Queue the comparison of a scenario, and take over the options that its verdicts use."""
    with naming_flags(options):
        values = run_fields.values(options)
        run_fields.print_notes(options)
        keys = {
            name: getattr(options, name) for name in COMPARISON_OPTIONS if getattr(options, name)
        }
        margin = {} if options.within is None else {"margin": options.within}
        others = changes_of(getattr(options, "with"))
        from_file = read_comparison(
            scenario.read_document(file, "comparison"),
            scenario.reading_context(file, values | keys | margin | scenario.given_names(options)),
            others,
        )
        scenario.check_read(options, file, from_file, others)
        vars(options).update({name: getattr(from_file.keys, name) for name in COMPARISON_OPTIONS})
        return scenarios.start(opened(), from_file, operator()).run_ids


def changes_of(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return the changes of the other candidates, from the texts of `--with`.

    Raises:
        InvalidConfig: an unknown field, or an invalid value.
        UsageError: a change without a value.
    """
    saved = servers.list_all(opened())
    candidates: list[dict[str, Any]] = []
    for text in texts:
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        if any(not equals for _, equals, _ in parts):
            raise UsageError(
                f"--with takes changes such as mode=batch,concurrency=8; got {text!r}."
            )
        named = {name.strip(): value.strip() for name, _, value in parts}
        server = saved.get(named.get("backend", ""))
        if server:
            del named["backend"]
        values = [link.change(name, value) for name, value in named.items()]
        own = {name: value for each in values for name, value in each.items()}
        candidates.append(saved_server.expand(own, server) if server else own)
    return candidates


def _judge(options: Namespace, candidates: Sequence[Candidate]) -> int:
    """Print a comparison; return a failure if --fail-if says so."""
    comparison = print_comparison(options, candidates)
    if not options.fail_if:
        return DONE
    failed = thresholds.check_verdicts(
        comparison, options.fail_if, options.measure, options.allow_no_verdict
    )
    return refuse("\n".join(failed), FAILED) if failed else DONE


def print_comparison(options: Namespace, candidates: Sequence[Candidate]) -> Comparison:
    comparison = compared(candidates)
    print_result(
        options,
        lambda: exports.comparison_document(candidates),
        lambda: terminal.comparison_text(comparison),
    )
    return comparison
