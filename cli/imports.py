"""`import`: results of other benchmarks, and of another Paceline."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from cli.output import DONE, FAILED, USAGE, print_result, refuse
from cli.problems import UsageError
from db import imported
from db.database import UNUSABLE, message_of, opened
from services.report.imports import MAX_BYTES, InvalidImport, tools_named_once


def add_arguments(command: ArgumentParser) -> None:
    command.add_argument("files", nargs="+", metavar="FILE", help="Result file of a benchmark")
    command.add_argument(
        "--again", action="store_true", help="Import the file again if it has been imported before"
    )


def import_files(options: Namespace) -> int:
    """Import results of another benchmark or another Paceline."""
    stored: list[dict[str, Any]] = []
    problems: list[str] = []
    for name in options.files:
        try:
            run_ids = imported.import_file(opened(), _read(name), name, options.again)
        except (InvalidImport, UsageError) as error:
            problems.append(str(error))
        except UNUSABLE as error:
            problems.append(f"{Path(name).name}: {message_of(error)}")
            break
        else:
            stored.append({"file": Path(name).name, "runs": run_ids})
    if stored:
        print_result(options, lambda: stored, lambda: "\n".join(map(_line, stored)))
    return (
        refuse("\n".join(tools_named_once(problems)), FAILED if stored else USAGE)
        if problems
        else DONE
    )


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"Cannot read {name!r}: {error.strerror}.") from None


def _line(stored: dict[str, Any]) -> str:
    return f"{stored['file']}: run {', '.join(map(str, stored['runs']))}"
