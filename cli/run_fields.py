"""Every field of a run as a flag, and back, for the commands that measure: run, compare, study.

Omitted flags keep the defaults of the config.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cli.fields import add, given_fields
from cli.output import note
from cli.problems import UsageError
from db import servers
from db.database import opened
from services.ask import unread
from services.ask.backends import BACKENDS
from services.ask.config import READERS, RunConfig, readers
from services.ask.config.traces import TraceRow
from services.ask.flag import flag
from services.ask.workloads.lines import MAX_FILE_BYTES, InvalidFile
from services.ask.workloads.promptfile import PromptFile, read_file
from services.ask.workloads.tracefile import read_trace

Read = TypeVar("Read")
PLAIN = ("unique_prompts", "prompts", "prompt_max_tokens", "trace")  # with flags of their own


def add_arguments(command: ArgumentParser, defaults: bool = True) -> None:
    """Add the flags of all fields of a run to a command; `defaults`: show a run's defaults."""
    add(command, RunConfig, (n for n in RunConfig.model_fields if n not in PLAIN), defaults)
    command.add_argument(
        "--prompts", metavar="FILE", help="File with prompts: JSONL, JSON, CSV or one per line"
    )
    command.add_argument(
        "--trace",
        metavar="FILE",
        help="Trace file (Mooncake, BurstGPT or Azure), which is replayed unless --mode is given",
    )
    command.add_argument(
        "--shared-prompts", action="store_true", help="Do not start each prompt with a unique nonce"
    )
    add_names_arguments(command, "run")


def add_names_arguments(command: ArgumentParser, what: str) -> None:
    """Add the flags for name, tags and note to a command."""
    command.add_argument("--name", default="", help=f"Name of the {what}")
    command.add_argument("--tag", action="append", default=[], help="Tag; may be repeated")
    command.add_argument("--note", default="", help="Note")


def values(options: Namespace) -> dict[str, Any]:
    """Return the given fields of a run. What is not used of a prompt file is put into
    `options.prompt_notes`.

    Raises:
        UsageError: flags that cannot be combined, a backend that is neither a name nor a URL, or a
            file that cannot be read.
    """
    fields = given_fields(options, RunConfig)
    texts = [name for name in READERS if name in fields]
    if texts and not readers(texts):
        raise UsageError(f"{' and '.join(map(flag, texts))} cannot be combined.")
    if options.shared_prompts:
        fields["unique_prompts"] = False
    if "prompts" in fields:
        file = _prompts_of(fields["prompts"])
        fields["prompts"], options.prompt_notes = file.prompts, file.notes
        fields["prompt_max_tokens"] = file.max_tokens
    if "trace" in fields:
        fields["trace"], more = _trace_of(fields["trace"])
        options.trace_notes = more
    return servers.expand(opened(), fields | address_of(fields))


def check_read(
    options: Namespace, configs: Sequence[RunConfig], changes: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Check that each flag that was given has an effect in one of the runs, and each of the
    `changes` in its own: those of all but the first.

    Raises:
        InvalidConfig: with a sentence for each that has none.
    """
    unread.check(given_fields(options, RunConfig), configs)
    for change, config in zip(changes, configs[1:], strict=bool(changes)):
        unread.check(change, [config])


def print_notes(options: Namespace) -> None:
    """Print what is not used of a prompt file or a trace."""
    for line in getattr(options, "prompt_notes", ()):
        note(f"{Path(options.prompts).name}: {line}")
    for line in getattr(options, "trace_notes", ()):
        note(f"{Path(options.trace).name}: {line}")


def address_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return backend and address if --backend is a URL; nothing if it is a name.

    Raises:
        UsageError: it is neither.
    """
    name = fields.get("backend", "")
    if "://" in name:
        if "base_url" in fields:
            raise UsageError("--base-url requires a backend given by name, but --backend is a URL.")
        return {"backend": "url", "base_url": name}
    if name not in BACKENDS and re.search("[:/.@]", name):  # not repeated: may hold a password
        raise UsageError("--backend is not an address: it must start with http:// or https://.")
    return {}


def _prompts_of(name: str) -> PromptFile:
    return _read("--prompts", name, read_file)


def _trace_of(name: str) -> tuple[tuple[TraceRow, ...], tuple[str, ...]]:
    file = _read("--trace", name, read_trace)
    return file.rows, file.notes


def _read(option: str, name: str, read: Callable[[bytes, str], Read]) -> Read:
    try:
        with open(name, "rb") as file:
            return read(file.read(MAX_FILE_BYTES + 1), Path(name).name)
    except OSError as error:
        raise UsageError(f"{option}: cannot read {name!r}: {error.strerror}.") from None
    except InvalidFile as error:
        raise UsageError(f"{option}: {error}") from None
