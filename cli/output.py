"""What a command prints, where, and its exit code."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from cli.problems import UsageError
from services.report import terminal

DONE, FAILED, USAGE = 0, 1, 2


def print_result(options: Namespace, document: Callable[[], Any], text: Callable[[], str]) -> None:
    """Print a document with --json, a text without."""
    if options.json:
        write(orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z) + b"\n")
    else:
        encoding = sys.stdout.encoding or "utf-8"
        write(f"{terminal.plain(text())}\n".encode(encoding, "replace"))


def write(data: bytes) -> None:
    """Write to standard output."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except OSError as error:
        # so that Python does not try to write it again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # not for `| head`, which closes the pipe
            raise UsageError(f"Cannot write to standard output: {error.strerror}.") from None


def add_output_arguments(command: ArgumentParser) -> None:
    command.add_argument("--output", default="-", help="File to write; -: standard output")


def save(options: Namespace, data: bytes | Iterable[bytes]) -> int:
    """Write data, or pieces of it, to the file of --output or else to standard output."""
    pieces = [data] if isinstance(data, bytes) else data
    if options.output == "-":
        for piece in pieces:
            write(piece)
        return DONE
    try:
        with Path(options.output).open("wb") as file:
            size = sum(map(file.write, pieces))
    except OSError as error:
        raise _unwritable(options, error) from None
    write(f"{options.output}: {size:,} bytes\n".encode(errors="replace"))
    return DONE


def check_output(options: Namespace) -> None:
    """Check that the file of --output can be written, before something is started whose result
    `save` will write there. Raises UsageError."""
    path = Path(options.output)
    if options.output == "-":
        return
    missing = not path.exists()
    try:
        path.open("ab").close()
        if missing:
            path.unlink()
    except OSError as error:
        raise _unwritable(options, error) from None


def _unwritable(options: Namespace, error: OSError) -> UsageError:
    return UsageError(f"--output: cannot write {options.output!r}: {error.strerror}.")


def refuse(sentence: str, code: int = USAGE) -> int:
    """Print to standard error why something was refused; return the exit code."""
    note(sentence)
    return code


def note(line: str) -> None:
    """Print a line to standard error, if there is one."""
    if sys.stderr is not None:
        print(terminal.plain(line), file=sys.stderr, flush=True)


def hides_progress(options: Namespace) -> bool:
    """Return whether no progress bar is shown: the output is for a program, or standard error is
    not a terminal."""
    return options.json or sys.stderr is None or not sys.stderr.isatty()
