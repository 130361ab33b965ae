"""What can be typed: the terminal's commands, and every field of a run as a flag.

`pause_s` is `--pause`. What is not given keeps the config's own default. What is wrong is said in a
sentence that names the flag.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, get_args

from services import link
from services.backends import BACKENDS
from services.compare import LEAST_MARGIN, MARGIN, MOST_MARGIN
from services.config import JUDGEMENT, WORKLOAD_OF, Mode, RunConfig, parse
from services.export import EXPORTS
from services.gates import MEASURES, WORDS, Gate, InvalidGate, gate
from services.measurement import IMPORT, RunStatus

PLAIN = ("ignore_eos", "unique_prompts", "prompts", "calibrate")  # their flags have their own shape
MOST = 2**31 - 1  # of a run's number, and of a list's lines
WRONG = 2  # the exit code of bad usage


class Misused(ValueError):
    """Flags that do not go together, or a backend that is neither a name nor a URL."""


class Parser(ArgumentParser):
    """One that says what is wrong in a sentence."""

    def error(self, message: str) -> NoReturn:
        said = re.sub(r"^argument (\S+): ", r"\1: ", message)
        self.exit(WRONG, f"{said[0].upper()}{said[1:]}. See {self.prog} --help.\n")


def parser(summary: str, commands: Mapping[str, Callable[..., Any]]) -> Parser:
    """Return the parser of these commands, each described by the docstring of what it calls."""
    found = Parser(prog="cli.py", description=summary, allow_abbrev=False)
    under = found.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, call in commands.items():
        text = (call.__doc__ or "").rstrip(".")
        command = under.add_parser(name, help=text, description=text, allow_abbrev=False)
        FLAGS[name](command)
        if name != "export":
            command.add_argument("--json", action="store_true", help="Print it as JSON")
    return found


def _run(command: ArgumentParser) -> None:
    for name, field in RunConfig.model_fields.items():
        if name not in PLAIN:
            shown = f" (default: {field.default})" if field.default not in (None, "", ()) else ""
            text = f"{field.description}{shown}".replace("%", "%%")
            command.add_argument(flag(name), dest=name, metavar=_metavar(name), help=text)
    command.set_defaults(backend="embedded")
    command.add_argument("--prompts", metavar="FILE", help="JSONL or CSV file with prompts")
    command.add_argument("--ignore-eos", action="store_true", default=None, help="Full length")
    command.add_argument(
        "--shared-prompts", action="store_true", help="No unique mark before each prompt"
    )
    command.add_argument(
        "--calibrate",
        action=BooleanOptionalAction,
        help=RunConfig.model_fields["calibrate"].description,
    )
    command.add_argument("--name", default="", help="What the run is called")
    command.add_argument("--tag", action="append", default=[], help="A tag; may be repeated")
    command.add_argument("--note", default="", help="A note")


def _trial(command: ArgumentParser) -> None:
    _run(command)
    command.add_argument(
        "--vs", action="append", required=True, metavar="CHANGES",
        help="What another candidate changes: mode=batch,concurrency=8; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--within", type=_per_cent, default=MARGIN, metavar="PERCENT",
        help="Differences that do not matter (default: 5)",
    )  # fmt: skip
    command.add_argument(
        "--target", type=_per_cent, metavar="PERCENT",
        help="Go on until every interval is within this much",
    )  # fmt: skip
    command.add_argument("--most", type=_whole, help="Repeats of each, at most (with --target)")
    command.add_argument("--order-seed", type=_whole, help="Seed of the order of the turns")


def _more(command: ArgumentParser) -> None:
    _compare(command)
    command.add_argument("--repeats", type=_whole, default=4, help="Of each run (default: 4)")


def changes(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the other candidates change, as `--vs` says it.

    Raises:
        InvalidConfig: a field that there is not, or a value that it cannot have.
        Misused: a change without a value.
    """
    found: list[dict[str, Any]] = []
    for text in texts:
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        if any(not equals for _, equals, _ in parts):
            raise Misused(f"--vs takes what changes, as in mode=batch,concurrency=8; got {text!r}.")
        said = [link.change(name.strip(), value.strip()) for name, _, value in parts]
        found.append({name: value for one in said for name, value in one.items()})
    return found


def flag(name: str) -> str:
    """Return the flag of a field: `--pause` of `pause_s`."""
    return "--" + name.removesuffix("_s").replace("_", "-")


def values(options: Namespace) -> dict[str, Any]:
    """Return what was given, by field; `prompts` still as the name of its file.

    Raises:
        Misused: see there.
    """
    given = {name: getattr(options, name, None) for name in RunConfig.model_fields}
    given = {name: value for name, value in given.items() if value is not None}
    texts = [name for name in WORKLOAD_OF if name in given]
    if len(texts) > 1:
        raise Misused(f"{' and '.join(map(flag, texts))} do not go together.")
    if texts and given.get("workload", WORKLOAD_OF[texts[0]]) != WORKLOAD_OF[texts[0]]:
        raise Misused(f"{flag(texts[0])} is for --workload {WORKLOAD_OF[texts[0]]} only.")
    if options.shared_prompts:
        given["unique_prompts"] = False
    return given | _to_whom(given)


def _to_whom(given: dict[str, Any]) -> dict[str, Any]:
    name = given["backend"]
    if "://" in name:
        if "base_url" in given:
            raise Misused("--base-url is for a backend with a name. --backend is a URL already.")
        return {"backend": "url", "base_url": name}
    if name not in BACKENDS and re.search("[:/.@]", name):  # not said again: it may hold a password
        raise Misused("--backend is no address: it must start with http:// or https://.")
    return {}


def sentences(problems: Mapping[str, str], options: Namespace) -> str:
    """Return what is wrong with which fields (see `InvalidConfig`), a line each, by their flags."""
    lines = []
    for name, sentence in problems.items():
        typed = "backend" if name == "base_url" and "://" in options.backend else name
        known = name in RunConfig.model_fields
        lines.append(flag(typed) + sentence.removeprefix(name) if known else sentence)
    return "\n".join(lines)


def in_flags(sentence: str) -> str:
    """Return a sentence with the flags of the fields that it names: `ignore_eos` is no flag."""
    names = "|".join(name for name in RunConfig.model_fields if "_" in name)
    return re.sub(rf"\b({names})\b", lambda found: flag(found[0]), sentence)


def _metavar(name: str) -> str:
    if name == "backend":
        return "NAME-OR-URL"
    options = get_args(RunConfig.model_fields[name].annotation)
    words = [word for word in options if isinstance(word, str)]
    return "|".join(words) or ("S" if name.endswith("_s") else name.upper())


def _list(command: ArgumentParser) -> None:
    command.add_argument("text", nargs="?", default="", help="Part of a name, note, model or tag")
    command.add_argument("--backend", choices=[*BACKENDS, IMPORT])
    command.add_argument("--model")
    command.add_argument("--mode", choices=get_args(Mode))
    command.add_argument("--tag")
    command.add_argument("--status", choices=get_args(RunStatus))
    command.add_argument("--limit", type=_whole, default=20, help="Most lines (default: 20)")


def _show(command: ArgumentParser) -> None:
    command.add_argument("run", type=_whole, metavar="RUN")


def _pin(command: ArgumentParser) -> None:
    command.add_argument("run", type=_whole, metavar="RUN")
    of = command.add_mutually_exclusive_group()
    of.add_argument("--model", action="store_true", help="Of its model (default)")
    of.add_argument("--tag", help="Of one of its tags")


def _unpin(command: ArgumentParser) -> None:
    command.add_argument("run", type=_whole, metavar="RUN")
    of = command.add_mutually_exclusive_group()
    of.add_argument("--model", action="store_true", help="Of its model only")
    of.add_argument("--tag", help="Of one tag only")


def _export(command: ArgumentParser) -> None:
    _runs(command)
    formats = [entry.name for entry in EXPORTS]
    command.add_argument("--format", choices=formats, default=formats[0])
    command.add_argument("--output", default="-", help="File; -: standard output")


def _runs(command: ArgumentParser) -> None:
    command.add_argument("runs", type=_whole, nargs="+", metavar="RUN")


def _compare(command: ArgumentParser) -> None:
    _runs(command)
    command.add_argument(
        "--within", type=_per_cent, metavar="PERCENT",
        help="A difference smaller than this counts as equal (default: 5)",
    )  # fmt: skip
    command.add_argument(
        "--fail-if", type=_words, action="extend", default=[], metavar="WORD,WORD",
        help=f"Exit with 1 on a verdict that is {', '.join(WORDS)}; on none, too",
    )  # fmt: skip
    command.add_argument(
        "--measure", choices=MEASURES, help="By which measure; without: the one that decides"
    )
    command.add_argument(
        "--allow-no-verdict", action="store_true", help="Let --fail-if pass what nobody can tell"
    )


def _check(command: ArgumentParser) -> None:
    _show(command)
    command.add_argument(
        "--slo", type=_gate, action="append", required=True, metavar="CONDITION",
        help="'ttft:p95<0.5', 'error_rate<0.01' …, in quotes; may be repeated",
    )  # fmt: skip
    for name in JUDGEMENT:
        text = RunConfig.model_fields[name].description
        command.add_argument(flag(name), dest=name, metavar=_metavar(name), help=text)


def judgement(options: Namespace) -> dict[str, Any]:
    """Return the objectives and the price that were given, by field.

    Raises:
        InvalidConfig: with a sentence for each that cannot be.
    """
    given = {name: getattr(options, name) for name in JUDGEMENT}
    given = {name: text for name, text in given.items() if text is not None}
    config = parse(given)
    return {name: getattr(config, name) for name in given}


def _share(command: ArgumentParser) -> None:
    command.add_argument("runs", type=_whole, nargs="*", metavar="RUN")
    command.add_argument(
        "--days",
        type=_days,
        default=30,
        help="Days that it is good; 0: until revoked (default: 30)",
    )
    command.add_argument("--texts", action="store_true", help="With prompts and answers")
    other = command.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="What is shared, of these runs or any")
    other.add_argument("--revoke", metavar="PAGE", help="Take a page away: its path or its token")


def _days(text: str) -> int:
    return 0 if text == "0" else _whole(text)


def _import(command: ArgumentParser) -> None:
    command.add_argument("files", nargs="+", metavar="FILE", help="Result file of a benchmark")
    command.add_argument(
        "--again", action="store_true", help="Even if the same file has been imported before"
    )


def _backends(command: ArgumentParser) -> None:
    command.add_argument(
        "name", nargs="?", metavar="NAME", choices=[*BACKENDS], help="One backend; without: all"
    )
    command.add_argument("--test", action="store_true", help="Ask each whether it answers")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or not 0 < int(text) <= MOST:
        raise ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1 to {MOST:,}")
    return int(text)


def _per_cent(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not LEAST_MARGIN <= share <= MOST_MARGIN:
        raise ArgumentTypeError(f"{text[:40]!r} is not a number of per cent from 0.1 to 100")
    return share


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if wrong := [word for word in words if word not in WORDS]:
        raise ArgumentTypeError(f"{wrong[0][:40]!r} is no verdict, but one is {', '.join(WORDS)}")
    return words


def _gate(text: str) -> Gate:
    try:
        return gate(text)
    except InvalidGate as error:
        raise ArgumentTypeError(str(error).rstrip(".")) from None


FLAGS: dict[str, Callable[[ArgumentParser], None]] = {
    "run": _run,
    "trial": _trial,
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
}
