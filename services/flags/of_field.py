"""A field as a flag: `pause_s` is `--pause`, a switch needs no value, all else is read later."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Iterable, Mapping
from shlex import quote
from typing import Any, get_args

from pydantic import BaseModel

from services import link

Kind = type[BaseModel]
# Flags that may be given several times, each with what stands for its value.
REPEATED = {"headers": ("--header", "NAME: VALUE"), "omit": ("--omit", "FIELD")}


def flag(name: str) -> str:
    """Return the flag of a field: `--pause` of `pause_s`, `--header` of `headers`."""
    if name in REPEATED:
        return REPEATED[name][0]
    return "--" + name.removesuffix("_s").replace("_", "-")


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


def typed(changes: Mapping[str, Any]) -> str:
    """Return changed fields as they are typed, quoted for a shell; "" where there is no flag that
    says it: a flag that was given is then to be left out."""
    said = [f"{flag(name)} {quote(link.text_of(value))}" for name, value in changes.items()
            if link.text_of(value) and not isinstance(value, bool)]  # fmt: skip
    return " ".join(said)


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
