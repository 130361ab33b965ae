"""What a comparison compares: one run, and others that differ from it in a little.

The others are written as what they change (`mode=batch&concurrency=8`), so that a link or a flag
can hold them; a person's own prompts are everybody's, and never in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from services.analysis.compare import FEWEST, MOST
from services.analysis.compare.differences import read_fields
from services.ask import about, link
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig

SAME = "same"  # a candidate that changes nothing: what does chance alone do?
SEPARATOR = ";"  # candidates in a text
Changes = Mapping[str, Any]

SETTINGS = about.names(RunConfig, lambda known: known.varied)  # varied by typing values
USUAL = ("concurrency", "requests")  # of them, the first to be offered
SERVER = about.names(RunConfig, lambda known: known.role == "target")
IN_NAME = ("backend", "base_url", "model", "mode", "requests")  # of a run that nobody has named


def to_text(others: Sequence[Changes]) -> str:
    """Return the other candidates as one text: all that each of them changes, also to what the
    baseline has now, so that the text means the same when that changes."""
    return SEPARATOR.join(
        urlencode({name: link.text_of(value) for name, value in changes.items()}) or SAME
        for changes in others
    )


def from_text(text: str, start: RunConfig) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the changes that `to_text` wrote, and a sentence for each that cannot be."""
    changes: list[dict[str, Any]] = []
    problems: list[str] = []
    for part in text.split(SEPARATOR)[: MOST - 1] if text else ():
        pairs = {} if part == SAME else dict(parse_qsl(part, keep_blank_values=True))
        config, wrong = link.read(pairs, start)
        problems += wrong
        changes.append({name: getattr(config, name) for name in pairs if name in _fields()})
    return changes, tuple(problems)


def candidates(values: Changes, others: Sequence[Changes]) -> list[RunConfig]:
    """Return the runs to compare, the baseline first.

    Raises:
        InvalidConfig: one of them cannot be asked for; the sentence says which.
    """
    configs = [parse(values)]
    for index, changes in enumerate(others):
        try:
            configs.append(parse({**values, **_own_address(changes), **changes}))
        except InvalidConfig as error:
            problems = {
                name: f"{text} (candidate {index + 2})" for name, text in _without_period(error)
            }
            raise InvalidConfig(problems) from None
    return configs


def names(configs: Sequence[RunConfig], given: str, defaults: Sequence[str]) -> list[str]:
    """Return what each run of a comparison is called: `given`, or else as it is `made` from what it
    is, and what tells it from the others; a letter where nothing does."""
    differences = labels(configs, () if given else IN_NAME)
    called = [given or default for default in defaults]
    texts = [" · ".join(filter(None, both)) for both in zip(called, differences, strict=True)]
    if not given:  # two servers of one kind are called by where they are, too
        there = labels(configs, [name for name in RunConfig.model_fields if name != "base_url"])
        texts = [
            " · ".join(filter(None, [text, where * (texts.count(text) > 1)]))
            for text, where in zip(texts, there, strict=True)
        ]
    letters = [chr(ord("A") + index) for index in range(len(texts))]
    return [
        f"{text} · {letter}" if texts.count(text) > 1 else text
        for text, letter in zip(texts, letters, strict=True)
    ]


def labels(configs: Sequence[RunConfig], left_out: Sequence[str] = ()) -> list[str]:
    """Return what tells each run from the others: "batch, concurrency 8", of those fields that its
    mode and workload read; "" where nothing does. A field that only some of them read is said
    where they differ in it, or it is not as it is by default."""
    read = [read_fields(config) for config in configs]
    differ = [
        name
        for name in RunConfig.model_fields
        if name not in left_out and any(fields.get(name) != read[0].get(name) for fields in read)
    ]
    shown = [
        n for n in differ if not _all_default(n, [fields[n] for fields in read if n in fields])
    ]
    return [
        ", ".join(
            filter(None, [_value_label(name, fields[name]) for name in shown if name in fields])
        )
        for fields in read
    ]


def values_of(field: str, text: str) -> list[dict[str, Any]]:
    """Return a change for each of the values that commas separate in `text`.

    Raises:
        InvalidConfig: one of them is none that the field can have.
    """
    return [link.change(field, part.strip()) for part in text.split(",") if part.strip()]


def enough(others: Sequence[object]) -> bool:
    """Whether there is somebody to compare with, and not too many."""
    return FEWEST - 1 <= len(others) <= MOST - 1


def _all_default(name: str, values: Sequence[Any]) -> bool:
    """Whether these values of a field are all as it is by default."""
    return all(value == RunConfig.model_fields[name].default for value in values)


def _own_address(changes: Changes) -> Changes:
    """Another backend is at an address of its own."""
    return {"base_url": None} if "backend" in changes else {}


def _fields() -> set[str]:
    return set(RunConfig.model_fields)


def _without_period(error: InvalidConfig) -> list[tuple[str, str]]:
    return [(name, text.rstrip(".")) for name, text in error.problems.items()]


def _value_label(name: str, value: Any) -> str:
    if name == "base_url":
        return urlsplit(value).netloc if value else "its own address"
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | Mapping):
        return f"{name.replace('_', ' ')} {link.text_of(value) or 'none'}"
    shown = f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)
    unit = " s" if name.endswith("_s") and value is not None else ""
    return f"{name.removesuffix('_s').replace('_', ' ')} {shown}{unit}"
