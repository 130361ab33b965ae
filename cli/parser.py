"""The command-line parser: one for all commands, with errors as sentences."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any, NamedTuple, NoReturn

from cli.output import USAGE


def no_arguments(command: ArgumentParser) -> None:
    """Add none."""


class Command(NamedTuple):
    """The function that a command calls, whose docstring is its help, and the function that adds
    its arguments. `opens`: the database is opened and migrated first."""

    call: Callable[[Namespace], int]
    add_arguments: Callable[[ArgumentParser], None] = no_arguments
    has_json: bool = True
    opens: bool = True


class Parser(ArgumentParser):
    """A parser whose errors are sentences."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Namespace, Any]:  # type: ignore[override]
        """Like argparse, except for `--name=--`: some versions of Python drop the value as the
        marker that ends the options, and return an empty list for the option."""
        given = sys.argv[1:] if args is None else list(args)
        for word in takewhile(lambda word: word != "--", given):
            if word.startswith("--") and word.endswith("=--") and word.count("=") == 1:
                self.error(f"argument {word[:-3]}: -- is not a value")
        return super().parse_known_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        sentence = re.sub(r"^argument (\S+): ", r"\1: ", message)
        self.exit(USAGE, f"{sentence[0].upper()}{sentence[1:]}. See {self.prog} --help.\n")


def program() -> str:
    """Return how this program was called; the console command sets a variable for this."""
    return os.environ.get("PACELINE_PROGRAM") or "python cli.py"


def parser(summary: str, commands: Mapping[str, Command], groups: Mapping[str, str]) -> Parser:
    """Return the parser of these commands; a command of two words belongs to the group named by the
    first. The parsed `call` and `opens` are the command's."""
    top = Parser(prog=program(), description=summary, allow_abbrev=False)
    under: dict[str, Any] = {"": top.add_subparsers(required=True, metavar="COMMAND")}
    for words, command in commands.items():
        group, _, name = words.rpartition(" ")
        if group not in under:
            inner = _described(under[""], group, groups[group])
            under[group] = inner.add_subparsers(required=True, metavar="COMMAND")
        added = _described(under[group], name, (command.call.__doc__ or "").rstrip("."))
        added.set_defaults(call=command.call, opens=command.opens)
        command.add_arguments(added)
        if command.has_json:
            added.add_argument("--json", action="store_true", help="Print the result as JSON")
    return top


def _described(under: Any, name: str, text: str) -> ArgumentParser:
    added: ArgumentParser = under.add_parser(name, help=text, description=text, allow_abbrev=False)
    return added
