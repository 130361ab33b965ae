"""A field as it is typed in a terminal: `pause_s` is `--pause`, a switch needs no value."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any

from services.ask import about, link
from services.ask.config import RunConfig

# Fields whose flags may be given several times, each with what stands for a value.
REPEATED = {name: known.each for name, known in about.fields(RunConfig).items() if known.each}


def flag(name: str) -> str:
    """Return the flag of a field: `--pause` of `pause_s`, `--header` of `headers`."""
    name = name.removesuffix("s") if name in REPEATED else name.removesuffix("_s")
    return "--" + name.replace("_", "-")


def typed(changes: Mapping[str, Any]) -> str:
    """Return changed fields as they are typed, quoted for a shell; "" where there is no flag that
    says it: a flag that was given is then to be left out."""
    flags = [
        f"{flag(name)} {quote(link.text_of(value))}"
        for name, value in changes.items()
        if link.text_of(value) and not isinstance(value, bool)
    ]
    return " ".join(flags)
