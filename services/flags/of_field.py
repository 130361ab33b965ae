"""A field as a flag: `pause_s` is `--pause`, a switch needs no value, all else is read later."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel

from services.ask.flag import REPEATED, flag

Kind = type[BaseModel]


def add(command: ArgumentParser, kind: Kind, names: Iterable[str], defaults: bool = True) -> None:
    """Let a command take these fields; `defaults`: say what is so where nothing is said."""
    for name in names:
        field = kind.model_fields[name]
        known = defaults and field.default not in (None, "", (), {}, False)
        text = f"{field.description}{f' (default: {field.default})' if known else ''}"
        about: dict[str, Any] = {"dest": name, "help": text.replace("%", "%%")}
        if field.annotation is bool:
            about |= {"action": "store_true", "default": None}
        elif name in REPEATED:
            about |= {"action": "append", "metavar": REPEATED[name][1]}
        elif field.annotation == bool | None:
            about |= {"action": BooleanOptionalAction}
        else:
            about |= {"metavar": metavar(kind, name)}
        command.add_argument(flag(name), **about)


def metavar(kind: Kind, name: str) -> str:
    """Return what stands for the value of a field's flag: its words, or what it is."""
    if name == "backend":
        return "NAME-OR-URL"
    options = get_args(kind.model_fields[name].annotation)
    words = [word for word in options if isinstance(word, str)]
    return "|".join(words) or ("S" if name.endswith("_s") else name.upper())


def given(options: Namespace, kind: Kind) -> dict[str, Any]:
    """Return the fields of which something was said."""
    found = {name: getattr(options, name, None) for name in kind.model_fields}
    return {name: value for name, value in found.items() if value is not None}
