"""What can be typed: the terminal's commands, and what each of them takes."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any, NoReturn, get_args

from services.analysis.thresholds import MEASURES, WORDS
from services.ask.backends import BACKENDS
from services.ask.config import JUDGEMENT, Mode, RunConfig
from services.ask.flag import flag
from services.ask.measurement import IMPORT, RunStatus
from services.flags import of_engine, of_study
from services.flags.kinds import condition, days, per_cent, whole, words
from services.flags.of_engine import engine
from services.flags.of_field import add
from services.flags.of_run import (
    Misused,
    changes,
    in_flags,
    judgement,
    run,
    sentences,
    trial,
    values,
)
from services.flags.of_study import asked as study
from services.report.export import EXPORTS
from services.report.export.study_files import STUDY_EXPORTS

__all__ = [
    "FLAGS",
    "Misused",
    "changes",
    "engine",
    "flag",
    "in_flags",
    "judgement",
    "parser",
    "sentences",
    "study",
    "values",
]

WRONG = 2  # the exit code of bad usage


class Parser(ArgumentParser):
    """One that says what is wrong in a sentence."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Namespace, Any]:  # type: ignore[override]
        """Do so, but for `--name=--`: some versions of Python take the value away as the mark that
        ends the options, and give a list without entries to whoever asks for the option."""
        given = sys.argv[1:] if args is None else list(args)
        for word in takewhile(lambda word: word != "--", given):
            if word.startswith("--") and word.endswith("=--") and word.count("=") == 1:
                self.error(f"argument {word[:-3]}: -- is not a value")
        return super().parse_known_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        said = re.sub(r"^argument (\S+): ", r"\1: ", message)
        self.exit(WRONG, f"{said[0].upper()}{said[1:]}. See {self.prog} --help.\n")


def parser(summary: str, commands: Mapping[str, Callable[..., Any]]) -> Parser:
    """Return the parser of these commands, each described by the docstring of what it calls; one of
    two words belongs to the group of the first. The parsed `call` is what it calls."""
    found = Parser(prog="cli.py", description=summary, allow_abbrev=False)
    groups = {"": found.add_subparsers(required=True, metavar="COMMAND")}
    for both, call in commands.items():
        group, _, name = both.rpartition(" ")
        if group not in groups:
            groups[group] = _group(groups[""], group)
        text = (call.__doc__ or "").rstrip(".")
        command = groups[group].add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(call=call)
        FLAGS[both](command)
        if both != "export":
            command.add_argument("--json", action="store_true", help="Print it as JSON")
    return found


def _group(under: Any, name: str) -> Any:
    group = under.add_parser(name, help=GROUPS[name], description=GROUPS[name], allow_abbrev=False)
    return group.add_subparsers(required=True, metavar="COMMAND")


def _more(command: ArgumentParser) -> None:
    _runs(command)
    command.add_argument("--repeats", type=whole, default=4, help="Of each run (default: 4)")


def _list(command: ArgumentParser) -> None:
    command.add_argument("text", nargs="?", default="", help="Part of a name, note, model or tag")
    command.add_argument("--backend", choices=[*BACKENDS, IMPORT])
    command.add_argument("--model")
    command.add_argument("--mode", choices=get_args(Mode))
    command.add_argument("--tag")
    command.add_argument("--status", choices=get_args(RunStatus))
    command.add_argument("--limit", type=whole, default=20, help="Most lines (default: 20)")


def _show(command: ArgumentParser) -> None:
    command.add_argument("run", type=whole, metavar="RUN")


def _pin(command: ArgumentParser) -> None:
    command.add_argument("run", type=whole, metavar="RUN")
    of = command.add_mutually_exclusive_group()
    of.add_argument("--model", action="store_true", help="Of its model (default)")
    of.add_argument("--tag", help="Of a tag, which is added to the run")


def _unpin(command: ArgumentParser) -> None:
    command.add_argument("run", type=whole, metavar="RUN")
    of = command.add_mutually_exclusive_group()
    of.add_argument("--model", action="store_true", help="Of its model only")
    of.add_argument("--tag", help="Of one tag only")


def _export(command: ArgumentParser) -> None:
    _runs(command)
    formats = [entry.name for entry in EXPORTS]
    command.add_argument("--format", choices=formats, default=formats[0])
    command.add_argument("--output", default="-", help="File; -: standard output")


def _runs(command: ArgumentParser) -> None:
    command.add_argument("runs", type=whole, nargs="+", metavar="RUN")


def _compare(command: ArgumentParser) -> None:
    _runs(command)
    command.add_argument(
        "--within",
        type=per_cent,
        metavar="PERCENT",
        help="A difference smaller than this counts as equal (default: 5)",
    )
    command.add_argument(
        "--fail-if",
        type=words,
        action="extend",
        default=[],
        metavar="WORD,WORD",
        help=f"Exit with 1 on a verdict that is {', '.join(WORDS)}; on none, too",
    )
    command.add_argument(
        "--measure", choices=MEASURES, help="By which measure; without: the one that decides"
    )
    command.add_argument(
        "--allow-no-verdict", action="store_true", help="Let --fail-if pass what nobody can tell"
    )


def _check(command: ArgumentParser) -> None:
    _show(command)
    command.add_argument(
        "--slo",
        type=condition,
        action="append",
        required=True,
        metavar="CONDITION",
        help="'ttft:p95<0.5', 'error_rate<0.01' …, in quotes; may be repeated",
    )
    add(command, RunConfig, JUDGEMENT)


def _share(command: ArgumentParser) -> None:
    command.add_argument("runs", type=whole, nargs="*", metavar="RUN")
    command.add_argument(
        "--days",
        type=days,
        default=30,
        help="Days that it is good; 0: until revoked (default: 30)",
    )
    command.add_argument("--texts", action="store_true", help="With prompts and answers")
    other = command.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="What is shared, of these runs or any")
    other.add_argument("--revoke", metavar="PAGE", help="Take a page away: its path or its token")


def _import(command: ArgumentParser) -> None:
    command.add_argument("files", nargs="+", metavar="FILE", help="Result file of a benchmark")
    command.add_argument(
        "--again", action="store_true", help="Even if the same file has been imported before"
    )


def _studies(command: ArgumentParser) -> None:
    command.add_argument("--limit", type=whole, default=20, help="Most lines (default: 20)")


def _report(command: ArgumentParser) -> None:
    of_study.one(command)
    formats = [entry.name for entry in STUDY_EXPORTS]
    command.add_argument("--format", choices=formats, help="As a file; without: in words")
    command.add_argument("--output", default="-", help="File; -: standard output")


def _nothing(command: ArgumentParser) -> None:
    pass


def _backends(command: ArgumentParser) -> None:
    command.add_argument(
        "name", nargs="?", metavar="NAME", choices=[*BACKENDS], help="One backend; without: all"
    )
    command.add_argument("--test", action="store_true", help="Ask each whether it answers")
    add(command, RunConfig, FITTED)


# Of a run: what a test's question is like, and to whom it goes.
FITTED = (
    "model",
    "base_url",
    "omit",
    "max_tokens_field",
    "temperature",
    "top_p",
    "extra_body",
    "headers",
    "ca_file",
    "insecure_tls",
)
GROUPS = {"engine": "Start an engine, list, read and stop those that run"}
FLAGS: dict[str, Callable[[ArgumentParser], None]] = {
    "run": run,
    "trial": trial,
    "more": _more,
    "list": _list,
    "show": _show,
    "export": _export,
    "compare": _compare,
    "check": _check,
    "share": _share,
    "import": _import,
    "pin": _pin,
    "unpin": _unpin,
    "backends": _backends,
    "study": of_study.study,
    "studies": _studies,
    "report": _report,
    "resume": of_study.resumed,
    "engine start": of_engine.start,
    "engine list": _nothing,
    "engine stop": of_engine.one,
    "engine log": of_engine.one,
}
