"""The choices of a run as a query string (`?backend=vllm&mode=batch&requests=64`), and back.

A link holds the fields that differ from a base run, under their names in the API. It never holds
the user's own prompts: links are shared and logged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.ask import about
from services.ask.backends import BACKENDS
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig

# Custom prompts and traces, which links do not contain.
OWN = about.names(RunConfig, lambda known: known.private or known.bulky)
PERHAPS_SECRET = about.names(RunConfig, lambda known: known.may_hold_key)


def query(values: Mapping[str, Any], start: RunConfig) -> dict[str, str]:
    """Return the fields of a run that differ from `start`, as text."""
    return {
        name: text_of(value)
        for name, value in values.items()
        if name not in OWN and value != getattr(start, name) and not is_refused(name, value)
    }


def read(parameters: Mapping[str, str], start: RunConfig) -> tuple[RunConfig, tuple[str, ...]]:
    """Return `start` with a link's changes, and a sentence for each invalid parameter, which is
    ignored."""
    changes: dict[str, Any] = {}
    problems: list[str] = []
    for name, text in parameters.items():
        try:
            changes[name] = _value(name, text)
        except InvalidConfig as error:
            problems += error.problems.values()
    return start.model_copy(update=changes), tuple(problems)


def is_refused(name: str, value: Any) -> bool:
    """Whether a value is invalid, possibly because it contains a secret; links do not contain such
    values."""
    if name not in PERHAPS_SECRET:
        return False
    try:
        parse({name: value})
    except InvalidConfig:
        return True
    return False


def change(name: str, text: str) -> dict[str, Any]:
    """Return {name: value} for a field's value as text.

    Raises:
        InvalidConfig: the field is unknown, or the value is invalid.
    """
    return {name: _value(name, text)}


def _value(name: str, text: str) -> Any:
    if name in OWN:
        raise InvalidConfig({name: f"{name} cannot be set by a link."})
    if name == "backend" and text not in BACKENDS:
        raise InvalidConfig({name: f"backend must be one of {', '.join(BACKENDS)} (got {text!r})."})
    try:
        value = None if text == "" and _is_optional(name) else text
        config = parse({"workload": "builtin", name: value})  # combinations are checked later
    except InvalidConfig as error:
        if name in error.problems:
            raise
        return text  # only the prompt is missing, which the form asks for
    return getattr(config, name)


def _is_optional(name: str) -> bool:
    field = RunConfig.model_fields.get(name)
    return field is not None and "None" in str(field.annotation)


def text_of(value: Any) -> str:
    """Return a value as text for a link."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return f"{value:.12g}" if isinstance(value, float) else str("" if value is None else value)
