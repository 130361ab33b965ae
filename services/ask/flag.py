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
    """Return changed fields as flags, quoted for a shell. Empty values and switches that are off
    are left out: they would need a flag to be removed instead."""
    flags = [
        f"{flag(name)} {quote(link.text_of(value))}"
        for name, value in changes.items()
        if link.text_of(value) and not isinstance(value, bool)
    ]
    return " ".join(flags)


def command(config: RunConfig) -> str | None:
    """Return the shell command that repeats a run; None if it had custom prompts, which commands do
    not contain. Possible secrets are left out, as in links."""
    values = {name: getattr(config, name) for name in RunConfig.model_fields}
    usual = RunConfig()
    changed = {
        name: value
        for name, value in values.items()
        if value != getattr(usual, name) and config.reads(name) and not link.is_refused(name, value)
    }
    if any(name in changed for name in link.OWN):
        return None
    flags = [part for name, value in changed.items() for part in _flags(name, value)]
    return " ".join(["python cli.py run", *flags])


def _flags(name: str, value: Any) -> list[str]:
    if name == "unique_prompts":
        return ["--shared-prompts"]
    if value is True:
        return [flag(name)]
    if value is False:
        return [flag(name).replace("--", "--no-", 1)]
    if isinstance(value, Mapping) and name in REPEATED:
        return [f"{flag(name)} {quote(f'{key}: {text}')}" for key, text in value.items()]
    if isinstance(value, tuple) and name in REPEATED:
        return [f"{flag(name)} {quote(str(each))}" for each in value]
    return [f"{flag(name)} {quote(link.text_of(value))}"]
