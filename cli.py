"""The same actions in a terminal: `python cli.py run|trial|study|engine|list|compare|share|…`.

Exit codes: 0 done, 1 the run failed, was cancelled or interrupted, or what --fail-if or --slo asks
for does not hold, or nobody can tell whether it does, or Paceline itself failed, 2 bad usage:
nothing was done. PACELINE_DEBUG=1 shows where it failed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

import orjson

import jobs
from db import engines as stored_engines
from db import imported, pins, results, runs, shares, standings, studies
from db.comparisons import CannotRepeat
from db.database import UNUSABLE, opened, said_of
from db.engines import EngineBusy, EngineNotFound
from db.pins import InvalidPin, NotPinned
from db.runs import AlreadyFinished, InvalidEdit, RunBusy, RunNotFound
from db.shares import InvalidShare, ShareNotFound
from db.studies import StudyNotFound
from jobs import serving
from jobs import studies as at_work
from jobs.follow import follow, until_ended, until_ready
from services import flags
from services.analysis import candidates, thresholds
from services.analysis.compare import FEWEST, MOST, Candidate, Comparison, compare
from services.analysis.compare.baseline_verdict import as_row
from services.analysis.comparison_design import (
    USUAL_MOST,
    USUAL_REPEATS,
    ComparisonDesign,
    InvalidComparison,
)
from services.ask.backends import BACKENDS, BackendProblem
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.base import settings
from services.flags.of_field import given
from services.messages.engines import as_facts
from services.messages.studies import plan_facts
from services.report import export as exports
from services.report import terminal
from services.report.export.study import study_document
from services.report.export.study_files import study_export
from services.report.imports import MOST_BYTES, InvalidImport
from services.servers.check_backend import check_backend
from services.servers.engines import EngineProblem, devices
from services.studies.feasible import NothingToResume
from services.studies.report import report as study_report
from services.studies.study import Study
from services.studies.study_config import StudyConfig

ROOT = Path(__file__).resolve().parent
DONE, FAILED, USAGE = 0, 1, 2
DEBUG = "PACELINE_DEBUG"  # set: an error that nobody foresaw is shown with its traceback


class Usage(ValueError):
    """Something asked for that cannot be done, in a sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    summary = (__doc__ or "").splitlines()[0]
    options, unknown = flags.parser(summary, COMMANDS).parse_known_args(arguments)
    try:
        _check(unknown)
        settings.load(ROOT / ".env")
        opened()
        code: int = options.call(options)
    except RunNotFound as error:
        return _refuse(f"{error} `python cli.py list` lists the runs there are.")
    except REFUSED as error:
        return _refuse(str(error.args[0]))
    except UNUSABLE as error:
        return _refuse(said_of(error))
    except KeyboardInterrupt:
        return _refuse("Stopped.", FAILED)
    except Exception as error:  # what nobody foresaw
        if os.environ.get(DEBUG):
            raise
        return _refuse(f"{_cause(error)} Set {DEBUG}=1 to see where.", FAILED)
    return code


def _cause(error: Exception) -> str:
    """Say what went wrong without repeating a text that may hold a key or a prompt."""
    if isinstance(error, OSError) and error.strerror:
        return f"The operating system reports: {error.strerror}."
    return f"Internal error in Paceline ({type(error).__name__})."


def run(options: argparse.Namespace) -> int:
    """Queue a run, follow it to its end, print it."""
    with _stopping() as stop:
        run_id = _submitted(options)
        try:
            follow(opened(), [run_id], stop, _hidden(options))
            candidate = results.candidate(opened(), run_id)
        except (RunNotFound, jobs.QueueProblem) as error:  # somebody has deleted what is needed
            return _refuse(str(error), FAILED)
        except UNUSABLE as error:
            return _refuse(f"Run {run_id} is out of sight. {said_of(error)}", FAILED)
    _say_run(options, candidate)
    return DONE if candidate.run.status == "done" else FAILED


def trial(options: argparse.Namespace) -> int:
    """Measure a run and others that differ from it in turns, and compare them."""
    with _stopping() as stop:
        run_ids = _submitted_trial(options)
        return _to_the_end(options, run_ids, stop)


def more(options: argparse.Namespace) -> int:
    """Measure runs again that are done: further repeats of the same runs."""
    if len(options.runs) > MOST:
        raise Usage(f"One to {MOST} runs are measured again at a time, not {len(options.runs)}.")
    with _stopping() as stop:
        try:
            jobs.more(opened(), _once(options.runs), options.repeats)
        except (BackendProblem, CannotRepeat) as error:
            raise Usage(str(error)) from None
        return _to_the_end(options, options.runs, stop)


def _to_the_end(options: argparse.Namespace, run_ids: Sequence[int], stop: Event) -> int:
    """Follow runs to their end; print the one, or several compared."""
    try:
        follow(opened(), run_ids, stop, _hidden(options))
        found = results.candidates(opened(), run_ids)
    except (RunNotFound, jobs.QueueProblem) as error:
        return _refuse(str(error), FAILED)
    if len(found) == 1:
        _say_run(options, found[0])
    else:
        _say_comparison(options, found)
    return DONE if all(each.run.status == "done" for each in found) else FAILED


def list_runs(options: argparse.Namespace) -> int:
    """Print the stored runs, newest first."""
    given = {name: getattr(options, name) for name in ("backend", "model", "mode", "tag", "status")}
    filters: Any = {name: value for name, value in given.items() if value}
    found = runs.search(opened(), options.text, limit=options.limit, **filters)
    narrowed = bool(options.text or filters)
    against = standings.standings(opened(), found, options.tag or "", options.model or "")
    _say(
        options,
        lambda: [
            {**asdict(row), "against": as_row(against[row.id]) if row.id in against else None}
            for row in found
        ],
        lambda: terminal.list_text(found, narrowed, against),
    )
    return DONE


def pin(options: argparse.Namespace) -> int:
    """Make a run the reference of its model, or of a tag: later runs are held against it."""
    of: tuple[Any, str] = ("tag", options.tag)
    if options.tag is None:
        of = ("model", runs.load(opened(), options.run).config.model)
    made = pins.pin(opened(), *of, options.run)
    _say(options, lambda: made, lambda: f"Run {options.run} is the reference of {' '.join(of)}.")
    return DONE


def unpin(options: argparse.Namespace) -> int:
    """Let a run be no reference any more: of anything, or of its model or a tag alone."""
    runs.load(opened(), options.run)
    kind = "tag" if options.tag is not None else "model" if options.model else None
    found = [
        one
        for one in pins.pins(opened())
        if one.run_id == options.run
        and kind in (None, one.kind)
        and options.tag in (None, one.value)
    ]
    if not found:
        raise Usage(f"Run {options.run} is not the reference of that.")
    for one in found:
        pins.unpin(opened(), one.kind, one.value)
    said = [f"Run {options.run} is no longer the reference of {o.kind} {o.value}." for o in found]
    _say(options, lambda: found, lambda: "\n".join(said))
    return DONE


def show(options: argparse.Namespace) -> int:
    """Print one run."""
    _say_run(options, results.candidate(opened(), options.run))
    return DONE


def export(options: argparse.Namespace) -> int:
    """Write runs as a file, to standard output or where --output says."""
    entry = exports.export(options.format)
    if not entry.takes(len(options.runs)):
        most = "one run" if entry.most == 1 else f"{entry.least} to {entry.most} runs"
        raise Usage(f"--format: {entry.name} takes {most}, not {len(options.runs)}.")
    return _save(options, entry.write(results.candidates(opened(), _once(options.runs))))


def _save(options: argparse.Namespace, data: bytes) -> int:
    """Write a file to standard output, or where --output says."""
    if options.output == "-":
        _write(data)
        return DONE
    try:
        Path(options.output).write_bytes(data)
    except OSError as error:
        raise Usage(f"--output: cannot write {options.output!r}: {error.strerror}.") from None
    _write(f"{options.output}: {len(data):,} bytes\n".encode(errors="replace"))
    return DONE


def compare_runs(options: argparse.Namespace) -> int:
    """Print runs side by side; the first is the reference."""
    if not FEWEST <= len(options.runs) <= MOST:
        raise Usage(f"Compare takes {FEWEST} to {MOST} runs, not {len(options.runs)}.")
    if not options.fail_if and (options.measure or options.allow_no_verdict):
        raise Usage("--measure and --allow-no-verdict go with --fail-if.")
    candidates = results.candidates(opened(), _once(options.runs), margin=options.within)
    comparison = _say_comparison(options, candidates)
    if not options.fail_if:
        return DONE
    found = thresholds.against(
        comparison, options.fail_if, options.measure, options.allow_no_verdict
    )
    return _refuse("\n".join(found), FAILED) if found else DONE


def check(options: argparse.Namespace) -> int:
    """Hold a run to conditions, like 'ttft:p95<0.5'."""
    try:
        judgement = flags.judgement(options)
    except InvalidConfig as error:
        raise Usage("\n".join(map(flags.in_flags, error.problems.values()))) from None
    candidate = results.candidate(opened(), options.run, judgement=judgement)
    found = thresholds.check(options.slo, candidate)
    _say(options, lambda: found, lambda: terminal.thresholds_text(found))
    return DONE if all(one.passed for one in found) else FAILED


def share(options: argparse.Namespace) -> int:
    """Share a page of runs with whoever has its link; list and revoke such links."""
    if options.revoke:
        shares.revoke(
            opened(), options.revoke.rpartition("/")[2]
        )  # of its path or whole address, too
        _say(options, lambda: {"revoked": True}, lambda: "Revoked: nothing is behind it any more.")
    elif options.list:
        found = shares.listed(opened(), options.runs)
        _say(options, lambda: found, lambda: terminal.shares_text(found))
    else:
        made = shares.publish(opened(), options.runs, options.days or None, options.texts)
        _say(options, lambda: made, lambda: terminal.share_text(made))
    return DONE


def import_files(options: argparse.Namespace) -> int:
    """Store the results of another benchmark, or of another Paceline, as runs."""
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    for name in options.files:
        try:
            ids = imported.bring_in(opened(), _read(name), name, options.again)
        except (InvalidImport, Usage) as error:
            problems.append(str(error))
        else:
            found.append({"file": Path(name).name, "runs": ids})
    if found:
        _say(options, lambda: found, lambda: "\n".join(map(_imported, found)))
    return _refuse("\n".join(problems)) if problems else DONE


def study(options: argparse.Namespace) -> int:
    """Queue a study, follow it to its end, print what it says."""
    with _in_flags(options):
        config = flags.study(options)
        _say_notes(options)
        if options.plan:
            return _say_plan(options, config)
        with _stopping() as stop:
            about = (options.name, options.tag, options.note)
            return _followed(options, at_work.submit(opened(), config, *about), stop)


def resume(options: argparse.Namespace) -> int:
    """Measure the cells of a study that were cut short, and print what it says."""
    with _in_flags(options), _stopping() as stop:
        at_work.resume(opened(), options.study, options.failed)
        return _followed(options, options.study, stop)


def list_studies(options: argparse.Namespace) -> int:
    """Print the stored studies, newest first."""
    rows = studies.listed(opened(), options.limit)
    _say(options, lambda: rows, lambda: terminal.studies_text(rows))
    return DONE


def report(options: argparse.Namespace) -> int:
    """Print what a study says so far, or write it as a file."""
    found = studies.load(opened(), options.study)
    if options.format is None:
        _say_study(options, found)
        return DONE
    write = study_export(options.format).write
    return _save(options, write(found.name, *at_work.told(opened(), found)))


def start_engine(options: argparse.Namespace) -> int:
    """Start an engine, wait until it answers, print where; it goes on running."""
    with _in_flags(options), _stopping() as stop:
        engine_id = serving.start(opened(), flags.engine(options))
        try:
            found = until_ready(opened(), engine_id, stop, _mute if options.json else _aside)
        except (EngineNotFound, jobs.QueueProblem) as error:
            return _refuse(str(error), FAILED)
    _say(options, lambda: as_facts(found), lambda: terminal.engine_text(found))
    return DONE if found.status == "ready" else FAILED


def list_engines(options: argparse.Namespace) -> int:
    """Print the engines that were started, newest first."""
    found = serving.known(opened())
    _say(options, lambda: [as_facts(one) for one in found], lambda: terminal.engines_text(found))
    return DONE


def stop_engine(options: argparse.Namespace) -> int:
    """Stop an engine, and wait until its processes are gone."""
    serving.stop(opened(), options.engine)
    found = until_ended(opened(), options.engine)
    _say(options, lambda: as_facts(found), lambda: terminal.engine_text(found))
    return DONE


def engine_log(options: argparse.Namespace) -> int:
    """Print the end of an engine's log."""
    found = stored_engines.load(opened(), options.engine)
    log = serving.said(opened(), found.id)
    _say(options, lambda: {**as_facts(found), "log": log}, log.rstrip)
    return DONE


def backends(options: argparse.Namespace) -> int:
    """Print the backends, with --test what each answers."""
    names = [options.name] if options.name else list(BACKENDS)
    probes = None
    if options.test:
        asked = given(options, RunConfig)
        model, base_url = asked.pop("model", None), asked.pop("base_url", None)
        probes = {
            name: asyncio.run(check_backend(name, model, settings.environment(), base_url, asked))
            for name in names
        }
    rows = terminal.backend_rows(names, settings.environment(), probes)
    _say(options, lambda: rows, lambda: terminal.backends_text(rows))
    return DONE


# --- a run or a study, and its end -----------------------------------------------------------


def _followed(options: argparse.Namespace, study_id: int, stop: Event) -> int:
    """Follow a study to its end; print what it says."""
    try:
        run_ids = [run.id for run in studies.load(opened(), study_id).runs]
        follow(opened(), run_ids, stop, _hidden(options))
        found = studies.load(opened(), study_id)
    except (RunNotFound, StudyNotFound, jobs.QueueProblem) as error:
        return _refuse(str(error), FAILED)
    _say_study(options, found)
    return DONE if all(run.status == "done" for run in found.runs) else FAILED


def _submitted(options: argparse.Namespace) -> int:
    with _in_flags(options):
        config = parse(flags.values(options))
        _say_notes(options)
        return jobs.submit(opened(), config, options.name, options.tag, options.note)


def _submitted_trial(options: argparse.Namespace) -> tuple[int, ...]:
    with _in_flags(options):
        values = flags.values(options)
        _say_notes(options)
        repeats = parse({"repeats": values.pop("repeats", USUAL_REPEATS)}).repeats
        configs = candidates.candidates(values, flags.changes(options.vs))
        most = options.most or (repeats if options.target is None else max(repeats, USUAL_MOST))
        asked = ComparisonDesign(options.order_seed, repeats, most, options.target, options.within)
        database, about = opened(), (options.name, options.tag, options.note)
        return jobs.submit_comparison(database, configs, asked, *about).run_ids


def _say_notes(options: argparse.Namespace) -> None:
    """Say what of a file of prompts is not used."""
    for note in getattr(options, "prompt_notes", ()):
        _aside(f"{Path(options.prompts).name}: {note}")


@contextmanager
def _in_flags(options: argparse.Namespace) -> Iterator[None]:
    """Say what is wrong with what was asked for by the flags that asked for it."""
    try:
        yield
    except InvalidConfig as error:
        raise Usage(flags.sentences(error.problems, options)) from None
    except InvalidComparison as error:
        raise Usage(str(error)) from None
    except BackendProblem as error:
        raise Usage(f"--backend: {flags.in_flags(str(error))}") from None
    except EngineProblem as error:
        raise Usage(flags.in_flags(str(error))) from None
    except NothingToResume as error:
        raise Usage(str(error).replace("failed=true", "--failed")) from None
    except InvalidEdit as error:
        about = re.search("name|note|tag", str(error))
        raise Usage(f"--{about[0]}: {error}" if about else str(error)) from None


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Usage(f"Cannot read {name!r}: {error.strerror}.") from None


def _imported(found: dict[str, Any]) -> str:
    return f"{found['file']}: run {', '.join(map(str, found['runs']))}"


@contextmanager
def _stopping() -> Iterator[Event]:
    """Yield what the first Ctrl-C or SIGTERM sets. A second one is not waited for."""
    stop = Event()

    def on_signal(*_: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {each: signal.signal(each, on_signal) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _hidden(options: argparse.Namespace) -> bool:
    return options.json or sys.stderr is None or not sys.stderr.isatty()


# --- what is said ----------------------------------------------------------------------------


def _say_run(options: argparse.Namespace, candidate: Candidate) -> None:
    _say(options, lambda: exports.run_document(candidate), lambda: terminal.run_text(candidate))


def _say_plan(options: argparse.Namespace, config: StudyConfig) -> int:
    grid = at_work.plan(config)
    ahead, here = at_work.ahead(opened(), config, grid), devices().counted()
    _say(
        options,
        lambda: plan_facts(grid, ahead, here).model_dump(),
        lambda: terminal.plan_text(grid, ahead, here),
    )
    return DONE


def _say_study(options: argparse.Namespace, found: Study) -> None:
    told = at_work.told(opened(), found)
    _say(
        options,
        lambda: study_document(found.name, *told),
        lambda: terminal.report_text(found, study_report(*told)),
    )


def _say_comparison(options: argparse.Namespace, found: Sequence[Candidate]) -> Comparison:
    comparison = compare(found)
    _say(
        options,
        lambda: exports.comparison_document(found),
        lambda: terminal.comparison_text(comparison),
    )
    return comparison


def _say(options: argparse.Namespace, document: Callable[[], Any], text: Callable[[], str]) -> None:
    if options.json:
        _write(orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z) + b"\n")
    else:
        encoding = sys.stdout.encoding or "utf-8"
        _write(f"{terminal.plain(text())}\n".encode(encoding, "replace"))


def _write(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except OSError as error:
        # what could not be written is not tried again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # `| head` has seen enough
            raise Usage(f"Cannot write to standard output: {error.strerror}.") from None


def _refuse(sentence: str, code: int = USAGE) -> int:
    if sys.stderr is not None:
        print(terminal.plain(sentence), file=sys.stderr)
    return code


def _aside(line: str) -> None:
    if sys.stderr is not None:
        print(terminal.plain(line), file=sys.stderr, flush=True)


def _mute(line: str) -> None:
    """Say nothing: what is printed is for a program."""


def _check(unknown: Sequence[str]) -> None:
    if sys.stdout is None:
        raise Usage("Standard output is closed: there is nowhere to print to.")
    names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
    if unknown:  # the words after a flag are not said again: one may be a key
        raise Usage(f"There is no {', '.join(names) or repr(unknown[0])} here. See --help.")


def _once(run_ids: Sequence[int]) -> Sequence[int]:
    if twice := [run_id for run_id in run_ids if run_ids.count(run_id) > 1]:
        raise Usage(f"Run {twice[0]} is named twice.")
    return run_ids


REFUSED = (  # what cannot be done, each with a sentence
    Usage,
    flags.Misused,
    settings.InvalidSettings,
    jobs.QueueProblem,
    InvalidPin,
    NotPinned,
    InvalidShare,
    ShareNotFound,
    StudyNotFound,
    EngineNotFound,
    InvalidConfig,
    InvalidEdit,
    InvalidComparison,
    BackendProblem,
    EngineProblem,
    NothingToResume,
    CannotRepeat,
    InvalidImport,
    AlreadyFinished,
    RunBusy,
    EngineBusy,
)
COMMANDS = {
    "run": run,
    "trial": trial,
    "more": more,
    "list": list_runs,
    "show": show,
    "export": export,
    "compare": compare_runs,
    "check": check,
    "share": share,
    "import": import_files,
    "pin": pin,
    "unpin": unpin,
    "backends": backends,
    "study": study,
    "studies": list_studies,
    "report": report,
    "resume": resume,
    "engine start": start_engine,
    "engine list": list_engines,
    "engine stop": stop_engine,
    "engine log": engine_log,
}

if __name__ == "__main__":
    sys.exit(main())
