"""Every field of a run as a flag, and back: `pause_s` is `--pause`.

What is not given keeps the config's own default. What is wrong is said in a sentence that names the
flag.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from services import link
from services.backends import BACKENDS
from services.compare import MARGIN
from services.config import JUDGEMENT, READERS, RunConfig, parse, readers
from services.flags.kinds import per_cent, whole

PLAIN = ("ignore_eos", "unique_prompts", "prompts", "calibrate")  # their flags have their own shape


class Misused(ValueError):
    """Flags that do not go together, or a backend that is neither a name nor a URL."""


def flag(name: str) -> str:
    """Return the flag of a field: `--pause` of `pause_s`."""
    return "--" + name.removesuffix("_s").replace("_", "-")


def run(command: ArgumentParser) -> None:
    for name, field in RunConfig.model_fields.items():
        if name not in PLAIN:
            shown = f" (default: {field.default})" if field.default not in (None, "", ()) else ""
            text = f"{field.description}{shown}".replace("%", "%%")
            command.add_argument(flag(name), dest=name, metavar=metavar(name), help=text)
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


def trial(command: ArgumentParser) -> None:
    run(command)
    command.add_argument(
        "--vs", action="append", required=True, metavar="CHANGES",
        help="What another candidate changes: mode=batch,concurrency=8; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--within", type=per_cent, default=MARGIN, metavar="PERCENT",
        help="Differences that do not matter (default: 5)",
    )  # fmt: skip
    command.add_argument(
        "--target", type=per_cent, metavar="PERCENT",
        help="Go on until every interval is within this much",
    )  # fmt: skip
    command.add_argument("--most", type=whole, help="Repeats of each, at most (with --target)")
    command.add_argument("--order-seed", type=whole, help="Seed of the order of the turns")


def values(options: Namespace) -> dict[str, Any]:
    """Return what was given, by field; `prompts` still as the name of its file.

    Raises:
        Misused: see there.
    """
    given = {name: getattr(options, name, None) for name in RunConfig.model_fields}
    given = {name: value for name, value in given.items() if value is not None}
    texts = [name for name in READERS if name in given]
    if texts and not readers(texts):
        raise Misused(f"{' and '.join(map(flag, texts))} do not go together.")
    for name in texts:
        if given.get("workload", readers(texts)[0]) not in READERS[name]:
            raise Misused(f"{flag(name)} is for --workload {' or '.join(READERS[name])} only.")
    if options.shared_prompts:
        given["unique_prompts"] = False
    return given | _to_whom(given)


def judgement(options: Namespace) -> dict[str, Any]:
    """Return the objectives and the price that were given, by field.

    Raises:
        InvalidConfig: with a sentence for each that cannot be.
    """
    given = {name: getattr(options, name) for name in JUDGEMENT}
    given = {name: text for name, text in given.items() if text is not None}
    config = parse(given)
    return {name: getattr(config, name) for name in given}


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


def _to_whom(given: dict[str, Any]) -> dict[str, Any]:
    name = given["backend"]
    if "://" in name:
        if "base_url" in given:
            raise Misused("--base-url is for a backend with a name. --backend is a URL already.")
        return {"backend": "url", "base_url": name}
    if name not in BACKENDS and re.search("[:/.@]", name):  # not said again: it may hold a password
        raise Misused("--backend is no address: it must start with http:// or https://.")
    return {}


def metavar(name: str) -> str:
    if name == "backend":
        return "NAME-OR-URL"
    options = get_args(RunConfig.model_fields[name].annotation)
    words = [word for word in options if isinstance(word, str)]
    return "|".join(words) or ("S" if name.endswith("_s") else name.upper())
