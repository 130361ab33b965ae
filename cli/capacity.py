"""`capacity`: the highest load that a server sustains under objectives, and a comparison with
another server."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from functools import partial
from threading import Event
from typing import Any

from cli import run_fields, scenario
from cli.compare import changes_of
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
from db import capacities, capacity_list
from db.database import opened
from jobs import capacities as capacity_jobs
from services.analysis import candidates as candidate_configs
from services.ask.problems import InvalidConfig
from services.report.capacity import capacity_document, capacity_text
from services.report.export.capacity_files import CAPACITY_EXPORTS, capacity_export
from services.report.scenario import read_capacity
from services.studies.capacity import Capacity
from services.studies.capacity_config import CapacityConfig, parse_capacity, set_by_probes
from services.studies.capacity_probe import first_probes
from services.studies.capacity_wording import plan

OWN = ("load", "arrivals", "lowest", "highest", "precision", "probes", "window_s", "margin")
CONTINUED = ("probes", "precision")  # what a search that goes on may change


def add_arguments(command: ArgumentParser) -> None:
    scenario.add_arguments(command, "search")
    command.add_argument(
        "--slo",
        dest="objectives",
        action="append",
        metavar="CONDITION",
        help="Objective to meet, such as 'ttft:p95<0.5' (in seconds); may be repeated "
        "(default: ttft:p95<0.5)",
    )
    add(command, CapacityConfig, OWN)
    command.add_argument(
        "--with",
        action="append",
        default=[],
        metavar="CHANGES",
        help="Another server, as changes to the first: base_url=http://127.0.0.1:8001/v1; may "
        "be repeated",
    )
    _add_at_least(command)
    command.add_argument(
        "--plan", action="store_true", help="Only print how long the search would take"
    )
    run_fields.add_arguments(command)


def _add_at_least(command: ArgumentParser) -> None:
    command.add_argument(
        "--at-least",
        type=_load,
        metavar="LOAD",
        help="Exit with 1 unless the lower end of the capacity's interval is at least this",
    )


def capacity(options: Namespace) -> int:
    """Search for the highest load that a server sustains, and print it with its interval."""
    with naming_flags(options):
        config, name, note = _config(options)
        run_fields.print_notes(options)
        if options.plan:
            print_result(options, lambda: {"plan": plan(config)}, lambda: plan(config))
            return DONE
        with stopping() as stop:
            new = capacity_jobs.submit(opened(), config, name, note, operator())
            return _follow_to_end(options, new, stop, options.at_least)


def add_show_arguments(command: ArgumentParser) -> None:
    command.add_argument("capacity", type=whole, metavar="CAPACITY")


def add_report_arguments(command: ArgumentParser) -> None:
    add_show_arguments(command)
    formats = [entry.name for entry in CAPACITY_EXPORTS]
    command.add_argument("--format", choices=formats, help="Export format (default: text)")
    add_output_arguments(command)


def show(options: Namespace) -> int:
    """Print what a search has found so far, or export it."""
    stored = capacities.load(opened(), options.capacity)
    if options.format is not None:
        return save(options, capacity_export(options.format).write(stored))
    _print(options, stored)
    return DONE


def add_resume_arguments(command: ArgumentParser) -> None:
    add_show_arguments(command)
    add(command, CapacityConfig, CONTINUED)
    _add_at_least(command)


def resume(options: Namespace) -> int:
    """Continue a search that was cut short, or one that has ended if you allow more probes or a
    narrower --precision, and print its result. Probes that were measured are kept."""
    with naming_flags(options), stopping() as stop:
        given = given_fields(options, CapacityConfig)
        capacity_jobs.resume(opened(), options.capacity, **given)
        return _follow_to_end(options, options.capacity, stop, options.at_least)


def list_capacities(options: Namespace) -> int:
    """Print the stored searches, newest first."""
    rows = capacity_list.list_all(opened(), options.limit)
    lines = [
        f"{row.id:>5}  {row.status:<9}  {row.probes:>3} probes  {row.name}"
        + (f": {row.answer}" if row.answer else "")
        for row in rows
    ]
    print_result(
        options, lambda: rows, lambda: "\n".join(lines) or "There are no capacity searches yet."
    )
    return DONE


def delete(options: Namespace) -> int:
    """Delete a search; the runs of its probes are kept."""
    capacities.delete(opened(), options.capacity)
    return DONE


def _load(text: str) -> float:
    try:
        load = float(text)
    except ValueError:
        load = 0.0
    if not 0 < load < 1e9:
        raise ArgumentTypeError(f"{text[:40]!r} is not a load: enter a number above 0")
    return load


def _config(options: Namespace) -> tuple[CapacityConfig, str, str]:
    """Return the described search, its name and its note.

    Raises:
        InvalidConfig, InvalidScenario: with a sentence for each field that is wrong.
        UsageError: flags that cannot be combined.
    """
    values = run_fields.values(options)
    if wrong := set_by_probes(values):
        raise InvalidConfig(wrong)
    if options.tag:
        raise UsageError("--tag does not apply: each probe gets the tag of its search.")
    own: dict[str, Any] = given_fields(options, CapacityConfig)
    others = changes_of(getattr(options, "with"))
    if options.scenario is not None:
        from_file = read_capacity(
            scenario.read_document(options.scenario, "capacity"),
            scenario.reading_context(
                options.scenario, values | own | scenario.given_names(options)
            ),
            others,
        )
        scenario.check_read(options, options.scenario, from_file, others)
        return from_file.config, from_file.keys.name, from_file.keys.note
    servers = candidate_configs.candidates(values, others)
    config = parse_capacity({**own, "servers": servers})
    run_fields.check_read(options, first_probes(config), others)
    return config, options.name, options.note


def _follow_to_end(
    options: Namespace, capacity_id: int, stop: Event, at_least: float | None
) -> int:
    """Follow a search to its end; print what it found."""
    with once_started(f"capacity search {capacity_id}"):
        ended = until_ended(
            partial(capacities.load, opened(), capacity_id),
            partial(capacity_jobs.cancel, opened(), capacity_id),
            lambda stored: stored.status == "running",
            lambda stored: len(stored.probes),
            stop,
            hides_progress(options),
        )
        _print(options, ended)
    if ended.status != "done":
        return refuse(ended.error or f"The search was {ended.status}.", FAILED)
    return _judge(ended, at_least)


def _judge(ended: Capacity, at_least: float | None) -> int:
    if at_least is None:
        return DONE
    lows = [lower_end(ended, server) for server in range(len(ended.config.servers))]
    if all(low is not None and low >= at_least for low in lows):
        return DONE
    return refuse(
        f"The capacity is not shown to be at least {at_least:g} {ended.config.unit}.",
        FAILED,
    )


def lower_end(ended: Capacity, server: int) -> float | None:
    """Return the load that a server is shown to sustain: the lower end of its interval, or if there
    is none, the highest sustained load, beyond chance."""
    conclusion = ended.conclusions[server]
    if conclusion is None:
        return None
    if conclusion.estimate:
        return conclusion.estimate.low
    return conclusion.at_least if conclusion.shown else None


def _print(options: Namespace, stored: Capacity) -> None:
    print_result(options, lambda: capacity_document(stored), lambda: capacity_text(stored))
