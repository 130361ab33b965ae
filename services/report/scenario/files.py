"""Files next to a scenario that it refers to: prompts, a trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from services.ask.workloads.lines import InvalidFile
from services.ask.workloads.promptfile import read_file
from services.ask.workloads.tracefile import read_trace
from services.report.scenario.document import Document
from services.report.scenario.keys import PROMPTS_FILE, TRACE_FILE

ReadFile = Callable[[str], bytes]  # reads a file beside the scenario; raises OSError


@dataclass(frozen=True, slots=True)
class Beside:
    """A file that a scenario may name instead of containing a field. `example` is a name for it;
    `instead` says what to do if files cannot be read."""

    field: str
    read: Callable[[bytes, str], dict[str, Any]]  # the values of fields
    example: str
    instead: str


def read_files(
    document: Document, values: Mapping[str, Any], read: ReadFile | None, *location: str | int
) -> dict[str, Any]:
    """Return the values of a run, including those in the files that it names. `read` reads a file
    beside the scenario; None if there are no files.

    Raises:
        InvalidScenario: a file cannot be read, or has the wrong contents.
    """
    own = dict(values)
    for key, beside in BESIDE.items():
        name = own.pop(key, None)
        if name is None:
            continue
        if own.get(beside.field) is not None:
            raise document.problem(
                f"{key} and {beside.field} cannot be combined. Keep one.", *location, key
            )
        own |= _read_content(document, beside, name, read, *location, key)
    return own


def _read_content(
    document: Document, beside: Beside, name: Any, read: ReadFile | None, *location: str | int
) -> dict[str, Any]:
    key = location[-1]
    if not isinstance(name, str) or not _is_inside_folder(name):
        raise document.problem(
            f"{key} must be the path of a file that is in the folder of the scenario or below it, "
            f"such as {beside.example}.",
            *location,
        )
    if read is None:
        raise document.problem(
            f"{key} can only be read on the command line. {beside.instead}", *location
        )
    try:
        return beside.read(read(name), name)
    except OSError as error:
        raise document.problem(
            f"{key} cannot be read: {error.strerror}. Its path is relative to the scenario's "
            "folder.",
            *location,
        ) from None
    except InvalidFile as error:
        raise document.problem(str(error), *location) from None


def _is_inside_folder(name: str) -> bool:
    """Whether a path stays within the scenario's folder. A scenario from someone else could
    otherwise name any file, and a server to send it to."""
    up = ".." in (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
    absolute = PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).anchor)
    return bool(name.strip()) and "\0" not in name and not up and not absolute


def _prompts(data: bytes, name: str) -> dict[str, Any]:
    file = read_file(data, name)
    return {"prompts": file.prompts, "prompt_max_tokens": file.max_tokens}


BESIDE = {
    PROMPTS_FILE: Beside(
        "prompts",
        _prompts,
        "prompts.jsonl",
        "Write the prompts into the scenario, as a list `prompts`.",
    ),
    TRACE_FILE: Beside(
        "trace",
        lambda data, name: {"trace": read_trace(data, name).rows},
        "trace.jsonl",
        "Write its rows into the scenario, as a list `trace`.",
    ),
}
