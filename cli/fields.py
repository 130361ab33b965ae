"""A field as a flag: `pause_s` is `--pause`, a switch needs no value, and all other values are
parsed later."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel

from services.ask import about
from services.ask.config import RunConfig
from services.ask.flag import flag
from services.servers.engines import EngineConfig
from services.studies.capacity_config import CapacityConfig
from services.studies.study_config import StudyConfig

Kind = type[BaseModel]
CONFIGS: tuple[Kind, ...] = (RunConfig, EngineConfig, StudyConfig, CapacityConfig)
FIELDS = {name for kind in CONFIGS for name in kind.model_fields} - {"run", "servers", "objectives"}


def add(command: ArgumentParser, kind: Kind, names: Iterable[str], defaults: bool = True) -> None:
    """Add the flags of these fields to a command; `defaults`: show each default in the help."""
    for name in names:
        field, about_field = kind.model_fields[name], about.fields(kind)[name]
        shown = defaults and field.default not in (None, "", (), {}, False)
        text = f"{in_flags(about_field.help)}{f' (default: {field.default})' if shown else ''}"
        options: dict[str, Any] = {"dest": name, "help": text.replace("%", "%%")}
        if field.annotation is bool:
            options |= {"action": "store_true", "default": None}
        elif about_field.each:
            options |= {"action": "append", "metavar": about_field.each}
        elif field.annotation == bool | None:
            options |= {"action": BooleanOptionalAction}
        else:
            options |= {"metavar": metavar(kind, name)}
        command.add_argument(flag(name), **options)


def metavar(kind: Kind, name: str) -> str:
    """Return the placeholder of a flag's value in the help: its choices, or its kind."""
    if name == "backend":
        return "NAME-OR-URL"
    options = get_args(kind.model_fields[name].annotation)
    words = [word for word in options if isinstance(word, str)]
    return "|".join(words) or ("S" if about.fields(kind)[name].unit == "s" else name.upper())


def given_fields(options: Namespace, kind: Kind) -> dict[str, Any]:
    """Return the fields whose flags were given."""
    values = {name: getattr(options, name, None) for name in kind.model_fields}
    return {name: value for name, value in values.items() if value is not None}


def in_flags(text: str) -> str:
    """Return a help or a message with flags instead of the fields that it names."""
    return about.renamed(text, FIELDS, flag)
