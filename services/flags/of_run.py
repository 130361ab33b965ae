"""Every field of a run as a flag, and back: `pause_s` is `--pause`.

What is not given keeps the config's own default. What is wrong is said in a sentence that names the
flag.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.analysis.compare import MARGIN
from services.ask import link
from services.ask.backends import BACKENDS
from services.ask.config import JUDGEMENT, READERS, RunConfig, parse, readers
from services.ask.flag import flag
from services.ask.workloads.promptfile import FILE_BYTES_MOST, InvalidPrompts, PromptFile, read_file
from services.flags.kinds import per_cent, whole
from services.flags.of_field import add, given
from services.servers.engines import EngineConfig
from services.studies.study_config import StudyConfig

PLAIN = ("unique_prompts", "prompts")  # their flags have their own shape
KNOWN = {*RunConfig.model_fields, *EngineConfig.model_fields, *StudyConfig.model_fields} - {"run"}


class Misused(ValueError):
    """Flags that do not go together, a backend that is neither a name nor a URL, or a file that
    cannot be read."""


def run(command: ArgumentParser, defaults: bool = True) -> None:
    """Let a command take all that a run is; `defaults`: say those of a run."""
    add(command, RunConfig, (n for n in RunConfig.model_fields if n not in PLAIN), defaults)
    command.add_argument(
        "--prompts", metavar="FILE", help="File with prompts: JSONL, JSON, CSV or plain lines"
    )
    command.add_argument(
        "--shared-prompts", action="store_true", help="No unique mark before each prompt"
    )
    about(command, "run")


def about(command: ArgumentParser, what: str) -> None:
    """Let a command take what people call a run, or a study."""
    command.add_argument("--name", default="", help=f"What the {what} is called")
    command.add_argument("--tag", action="append", default=[], help="A tag; may be repeated")
    command.add_argument("--note", default="", help="A note")


def trial(command: ArgumentParser) -> None:
    run(command)
    command.add_argument(
        "--vs",
        action="append",
        required=True,
        metavar="CHANGES",
        help="What another candidate changes: mode=batch,concurrency=8; may be repeated",
    )
    command.add_argument(
        "--within",
        type=per_cent,
        default=MARGIN,
        metavar="PERCENT",
        help="Differences that do not matter (default: 5)",
    )
    command.add_argument(
        "--target",
        type=per_cent,
        metavar="PERCENT",
        help="Go on until every interval is within this much",
    )
    command.add_argument("--most", type=whole, help="Repeats of each, at most (with --target)")
    command.add_argument("--order-seed", type=whole, help="Seed of the order of the turns")


def values(options: Namespace) -> dict[str, Any]:
    """Return what was given of a run, by field. What of a file of prompts is not used stands in
    `options.prompt_notes` then.

    Raises:
        Misused: see there.
    """
    found = given(options, RunConfig)
    texts = [name for name in READERS if name in found]
    if texts and not readers(texts):
        raise Misused(f"{' and '.join(map(flag, texts))} do not go together.")
    for name in texts:
        if found.get("workload", readers(texts)[0]) not in READERS[name]:
            raise Misused(f"{flag(name)} is for --workload {' or '.join(READERS[name])} only.")
    if options.shared_prompts:
        found["unique_prompts"] = False
    if "prompts" in found:
        file = _prompts_of(found["prompts"])
        found["prompts"], options.prompt_notes = file.prompts, file.notes
    return found | _to_whom(found)


def judgement(options: Namespace) -> dict[str, Any]:
    """Return the objectives and the price that were given, by field.

    Raises:
        InvalidConfig: with a sentence for each that cannot be.
    """
    found = {name: value for name, value in given(options, RunConfig).items() if name in JUDGEMENT}
    config = parse(found)
    return {name: getattr(config, name) for name in found}


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
    lines, url = [], "://" in (getattr(options, "backend", None) or "")
    for name, sentence in problems.items():
        typed = "backend" if name == "base_url" and url else name
        lines.append(flag(typed) + sentence.removeprefix(name) if name in KNOWN else sentence)
    return "\n".join(lines)


def in_flags(sentence: str) -> str:
    """Return a sentence with the flags of the fields that it names: `ignore_eos` is no flag."""
    names = "|".join(name for name in KNOWN if "_" in name)
    return re.sub(rf"\b({names})\b", lambda found: flag(found[0]), sentence)


def _to_whom(found: Mapping[str, Any]) -> dict[str, Any]:
    name = found.get("backend", "")
    if "://" in name:
        if "base_url" in found:
            raise Misused("--base-url is for a backend with a name. --backend is a URL already.")
        return {"backend": "url", "base_url": name}
    if name not in BACKENDS and re.search("[:/.@]", name):  # not said again: it may hold a password
        raise Misused("--backend is no address: it must start with http:// or https://.")
    return {}


def _prompts_of(name: str) -> PromptFile:
    try:
        with open(name, "rb") as file:
            return read_file(file.read(FILE_BYTES_MOST + 1), Path(name).name)
    except OSError as error:
        raise Misused(f"--prompts: cannot read {name!r}: {error.strerror}.") from None
    except InvalidPrompts as error:
        raise Misused(f"--prompts: {error}") from None
