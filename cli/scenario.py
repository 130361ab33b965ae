"""`scenario`: writes what was measured as a file that `run`, `compare`, `study` and `capacity`
accept."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli import run_fields
from cli.kinds import whole
from cli.output import add_output_arguments, note, save
from cli.parser import program
from cli.problems import UsageError, distinct_runs
from db.database import opened
from jobs import scenarios
from services.report.scenario import (
    MAX_BYTES,
    Document,
    Reading,
    Scenario,
    kind_of,
    notes,
    read,
    runs_of,
    write,
)

ENDINGS = (".yaml", ".yml", ".json")


def add_arguments(command: ArgumentParser, what: str) -> None:
    """Add the argument of a scenario file to a command."""
    command.add_argument(
        "scenario",
        nargs="?",
        metavar="SCENARIO",
        help=f"Scenario file (YAML) of the {what}; flags override it",
    )


def run_or_file(text: str) -> int | str:
    """Return the number of a run, or the name of a scenario file."""
    if text.endswith(ENDINGS):
        return text
    try:
        return whole(text)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{error}, nor a scenario, {' or '.join(ENDINGS)}") from None


def read_document(name: str, kind: str) -> Document:
    """Return the contents of a scenario file.

    Raises:
        UsageError: it cannot be read, or it is for another command.
        InvalidScenario: see `services.report.scenario.read`.
    """
    try:
        with open(name, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "this is not a path"
        raise UsageError(f"Cannot read {name[:200]!r}: {why}.") from None
    found = read(data, name)
    if (is_a := kind_of(found)).name != kind:
        command = f"{program()} {is_a.command} {name}"
        what = "capacity search" if is_a.name == "capacity" else is_a.name
        raise UsageError(f"{found.name} is the scenario of a {what}: {command}.")
    return found


def reading_context(name: str, over: Mapping[str, Any]) -> Reading:
    """Return the context for reading a scenario: `over` holds fields from the command line, and
    prompt files are looked for beside the scenario."""
    return scenarios.reading_context(opened(), over, lambda path: _read_beside(name, path))


def _read_beside(name: str, path: str) -> bytes:
    with open(Path(name).parent / path, "rb") as file:
        return file.read(MAX_BYTES + 1)


def check_read(
    options: Namespace, name: str, scenario: Scenario, changes: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Check that each flag has an effect, and print which fields of the file have none.

    Raises:
        InvalidConfig: see `run_fields.check_read`.
    """
    run_fields.check_read(options, runs_of(scenario), changes)
    for sentence in notes(scenario):
        note(f"{Path(name).name}: {sentence}")


def given_names(options: Namespace) -> dict[str, Any]:
    """Return the given name, tags and note, under their keys in a scenario."""
    given = {"name": options.name, "tags": tuple(options.tag), "note": options.note}
    return {key: value for key, value in given.items() if value}


def of_run(options: Namespace) -> int:
    """Write a run as a scenario."""
    return _save(options, scenarios.of_run(opened(), options.run))


def of_comparison(options: Namespace) -> int:
    """Write a comparison of runs, the baseline first, as a scenario."""
    return _save(options, scenarios.of_runs(opened(), distinct_runs(options.runs)))


def of_capacity(options: Namespace) -> int:
    """Write a capacity search as a scenario."""
    return _save(options, scenarios.of_capacity(opened(), options.capacity))


def of_study(options: Namespace) -> int:
    """Write a study as a scenario."""
    return _save(options, scenarios.of_study(opened(), options.study))


def add_run_arguments(command: ArgumentParser) -> None:
    command.add_argument("run", type=whole, metavar="RUN")
    _add_file_arguments(command)


def add_runs_arguments(command: ArgumentParser) -> None:
    command.add_argument("runs", type=whole, nargs="+", metavar="RUN")
    _add_file_arguments(command)


def add_capacity_arguments(command: ArgumentParser) -> None:
    command.add_argument("capacity", type=whole, metavar="CAPACITY")
    _add_file_arguments(command)


def add_study_arguments(command: ArgumentParser) -> None:
    command.add_argument("study", type=whole, metavar="STUDY")
    _add_file_arguments(command)


def _add_file_arguments(command: ArgumentParser) -> None:
    command.add_argument("--own-prompts", action="store_true", help="Include your own prompts")
    add_output_arguments(command)


def _save(options: Namespace, scenario: Scenario) -> int:
    return save(options, write(scenario, options.own_prompts))
