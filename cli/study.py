"""`study`, `resume`, `studies`, `report`: grids of runs.

A study as flags, and back: what is varied, and every field of its runs and of its engines. Omitted
fields use the preset's defaults.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial
from threading import Event
from typing import Any

from cli import run_fields, scenario
from cli.fields import add, given_fields
from cli.follow_probes import until_ended
from cli.kinds import whole
from cli.output import (
    DONE,
    FAILED,
    add_output_arguments,
    hides_progress,
    print_result,
    refuse,
    save,
)
from cli.person import operator
from cli.problems import UsageError, naming_flags, once_started
from cli.stopping import stopping
from db import studies
from db.database import opened
from jobs import studies as study_jobs
from jobs.follow import follow
from services.ask import about
from services.ask.config import READERS, readers
from services.ask.flag import flag
from services.report import terminal
from services.report.export.study import study_document
from services.report.export.study_capacity_files import study_capacity_export
from services.report.export.study_files import STUDY_EXPORTS, study_export
from services.report.plan_facts import plan_facts
from services.report.scenario import read_study
from services.report.study_capacity import study_capacity_document, study_capacity_text
from services.servers.engines import EngineConfig, devices
from services.studies import unread_fields
from services.studies.presets import PRESETS
from services.studies.report import report as study_report
from services.studies.study import Study
from services.studies.study_config import StudyCapacity, StudyConfig, parse_study
from services.studies.study_link import AXES, SPREAD, read

SEARCH_OPTIONS = tuple(name for name in StudyCapacity.model_fields if name != "objectives")
SERVER_OPTIONS = ("backend", "base_url", "model")
WRITTEN = {
    **dict.fromkeys(AXES, "1,8,32"),
    "parallel": "'TP=1; TP=2 PP=2'",
    "chunked": "on,off",
    "usd_per_gpu_hour": "USD",
}
ENGINE_OPTIONS = tuple(
    name for name in EngineConfig.model_fields if name not in ("engine", *SPREAD[:3])
)


def add_arguments(command: ArgumentParser) -> None:
    scenario.add_arguments(command, "study")
    command.add_argument("--preset", choices=[*PRESETS], help="What to vary (default: tensor)")
    add(command, EngineConfig, ["engine"], defaults=False)
    for name, example in WRITTEN.items():
        text = about.fields(StudyConfig)[name].help
        command.add_argument(flag(name), dest=name, metavar=example, help=text)
    command.add_argument(
        "--axis",
        "--axes",
        dest="axes",
        action="append",
        metavar="NAME=VALUES",
        help="Vary a field of the engine or the run, or a flag of the engine: max_seqs=64,256, "
        "max_tokens=32,512, flag:--enable-prefix-caching=on,off; may be repeated",
    )
    command.add_argument(
        "--slo",
        dest="objectives",
        action="append",
        metavar="CONDITION",
        help="Search for the configuration with the highest capacity under this objective, such "
        "as 'ttft:p95<0.5' (in seconds); may be repeated (--preset capacity)",
    )
    add(command, StudyCapacity, SEARCH_OPTIONS, defaults=False)
    run_fields.add_arguments(command, defaults=False)
    add(command, EngineConfig, (n for n in ENGINE_OPTIONS if n != "model"), defaults=False)
    command.add_argument("--plan", action="store_true", help="Only print the grid and the estimate")


def study(options: Namespace) -> int:
    """Queue a study, wait until it ends, and print its report."""
    with naming_flags(options):
        config = _config(options)
        run_fields.print_notes(options)
        if options.plan:
            return _print_plan(options, config)
        with stopping() as stop:
            names = (options.name, tuple(options.tag), options.note)
            study_id = study_jobs.submit(opened(), config, *names, by=operator())
            return _follow_to_end(options, study_id, stop)


def add_resume_arguments(command: ArgumentParser) -> None:
    _add_number_arguments(command)
    command.add_argument("--failed", action="store_true", help="Also measure the cells that failed")


def resume(options: Namespace) -> int:
    """Measure the interrupted cells of a study, and print its report."""
    with naming_flags(options), stopping() as stop:
        study_jobs.resume(opened(), options.study, options.failed)
        return _follow_to_end(options, options.study, stop)


def list_studies(options: Namespace) -> int:
    """Print the stored studies, newest first."""
    rows = studies.list_all(opened(), options.limit)
    print_result(options, lambda: rows, lambda: terminal.studies_text(rows))
    return DONE


def add_report_arguments(command: ArgumentParser) -> None:
    _add_number_arguments(command)
    formats = [entry.name for entry in STUDY_EXPORTS]
    command.add_argument("--format", choices=formats, help="Export format (default: text)")
    add_output_arguments(command)


def report(options: Namespace) -> int:
    """Print the report of a study so far, or export it."""
    stored = studies.load(opened(), options.study)
    if options.format is None:
        _print_study(options, stored)
        return DONE
    if stored.config.search is not None:
        return save(options, study_capacity_export(options.format).write(stored))
    write = study_export(options.format).write
    return save(options, write(stored.name, *study_jobs.report_inputs(opened(), stored)))


def _add_number_arguments(command: ArgumentParser) -> None:
    command.add_argument("study", type=whole, metavar="STUDY")


def _follow_to_end(options: Namespace, study_id: int, stop: Event) -> int:
    """Follow a study to its end; print its report."""
    with once_started(f"study {study_id}"):
        if studies.load(opened(), study_id).config.search is not None:
            return _follow_searches(options, study_id, stop)
        run_ids = [run.id for run in studies.load(opened(), study_id).runs]
        follow(opened(), run_ids, stop, hides_progress(options))
        ended = studies.load(opened(), study_id)
        _print_study(options, ended)
    return DONE if all(run.status == "done" for run in ended.runs) else FAILED


def _follow_searches(options: Namespace, study_id: int, stop: Event) -> int:
    """Follow the searches of a study to their end; print what they found. A configuration that
    cannot run is a result, not a failure of the study."""
    ended = until_ended(
        partial(studies.load, opened(), study_id),
        partial(study_jobs.cancel, opened(), study_id),
        lambda stored: stored.active,
        lambda stored: sum(len(search.capacity.probes) for search in stored.searches),
        stop,
        hides_progress(options),
    )
    _print_study(options, ended)
    if ended.searches_to_resume():
        return refuse(f"The study was interrupted: `paceline resume {ended.id}`.", FAILED)
    return DONE if any(search.capacity.status == "done" for search in ended.searches) else FAILED


def _print_study(options: Namespace, stored: Study) -> None:
    if stored.config.search is not None:
        print_result(
            options, lambda: study_capacity_document(stored), lambda: study_capacity_text(stored)
        )
        return
    inputs = study_jobs.report_inputs(opened(), stored)
    print_result(
        options,
        lambda: study_document(stored.name, *inputs),
        lambda: terminal.report_text(stored, study_report(*inputs)),
    )


def _print_plan(options: Namespace, config: StudyConfig) -> int:
    grid = study_jobs.plan(config)
    ahead, here = study_jobs.estimated(opened(), config, grid), devices().counted()
    print_result(
        options,
        lambda: plan_facts(grid, ahead, here).model_dump(),
        lambda: terminal.plan_text(grid, ahead, here),
    )
    return DONE


def _config(options: Namespace) -> StudyConfig:
    """Return the described study. A scenario's name, tags and note are put into the options.

    Raises:
        InvalidConfig: with a sentence for each field that is wrong.
        UsageError: flags that do not go together.
    """
    load, engine = run_fields.values(options), _of_engine(options)
    texts = {
        name: getattr(options, name)
        for name in ("preset", "engine", *WRITTEN)
        if getattr(options, name) is not None
    }
    if options.axes:
        texts["axes"] = ";".join(options.axes)
    texts |= _of_search(options)
    start = read(texts, _of_file(options, load) if options.scenario else None)
    if start.engine is None and engine.keys() - {"model"}:
        raise UsageError(f"{flag(min(engine.keys() - {'model'}))} requires --engine.")
    if start.engine is not None:
        _only_one_server(load)
        load.pop("model", None)
        engine |= {"engine": options.engine} if options.engine else {}
    study = parse_study(
        {
            **start.model_dump(),
            "run": {**start.run.model_dump(), **_reset_address(load), **_workload(load), **load},
            "engine": start.engine and {**start.engine.model_dump(), **engine},
        }
    )
    unread_fields.check(load, study)
    return study


def _of_search(options: Namespace) -> dict[str, str]:
    """The flags' texts of a capacity search; a study with objectives is one."""
    given_texts = {
        name: getattr(options, name)
        for name in SEARCH_OPTIONS
        if getattr(options, name) is not None
    }
    if options.objectives:
        given_texts["objectives"] = ";".join(options.objectives)
        if options.preset is None and not options.scenario:
            given_texts["preset"] = "capacity"
    elif given_texts and options.preset != "capacity" and not options.scenario:
        raise UsageError(f"{flag(min(given_texts))} requires --slo or --preset capacity.")
    return given_texts


def _of_file(options: Namespace, load: dict[str, Any]) -> StudyConfig:
    """Return the study of a scenario, with its load replaced by the flags'."""
    of_run = {name: value for name, value in load.items() if name not in SERVER_OPTIONS}
    from_file = read_study(
        scenario.read_document(options.scenario, "study"),
        scenario.reading_context(options.scenario, of_run | scenario.given_names(options)),
    )
    if options.preset not in (None, from_file.config.preset):
        raise UsageError(
            f"--preset: the scenario has the preset {from_file.config.preset}. Leave one out."
        )
    if options.engine and from_file.config.engine is None:
        raise UsageError(
            "--engine: the scenario measures an existing server. Add the key engine to it."
        )
    scenario.check_read(options, options.scenario, from_file)
    options.name, options.tag, options.note = (
        from_file.keys.name,
        from_file.keys.tags,
        from_file.keys.note,
    )
    return from_file.config


def _reset_address(load: dict[str, Any]) -> dict[str, Any]:
    """A load with another backend does not keep the scenario's address."""
    return {"base_url": None} if "backend" in load else {}


def _of_engine(options: Namespace) -> dict[str, Any]:
    return {
        name: value
        for name, value in given_fields(options, EngineConfig).items()
        if name in ENGINE_OPTIONS
    }


def _only_one_server(load: dict[str, Any]) -> None:
    if named := [name for name in ("backend", "base_url") if name in load]:
        raise UsageError(
            f"{flag(named[0])} only applies to an existing server, but Paceline starts an engine "
            "here: leave it out, or choose --preset concurrency, clients or batch_length."
        )


def _workload(load: dict[str, Any]) -> dict[str, Any]:
    """The workload that uses the given fields, if none was named."""
    texts = [name for name in READERS if name in load]
    return {"workload": readers(texts)[0]} if texts else {}
