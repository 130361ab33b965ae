"""Fields as command-line flags: `pause_s` is `--pause`, a switch needs no value."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any

from services.ask import about, link
from services.ask.config import RunConfig

# Fields whose flags may be repeated, with the placeholder of a value.
REPEATED = {name: known.each for name, known in about.fields(RunConfig).items() if known.each}


def flag(name: str) -> str:
    """Return the flag of a field: `--pause` of `pause_s`, `--header` of `headers`."""
    name = name.removesuffix("s") if name in REPEATED else name.removesuffix("_s")
    return "--" + name.replace("_", "-")


def typed(changes: Mapping[str, Any]) -> str:
    """Return changed fields as flags, quoted for a shell. Empty values and switches are left out:
    they need a flag removed instead."""
    flags = [
        f"{flag(name)} {quote(link.text_of(value))}"
        for name, value in changes.items()
        if link.text_of(value) and not isinstance(value, bool)
    ]
    return " ".join(flags)
