"""The candidates of a comparison: a baseline, and runs that change some of its fields.

Changes are written as a query string (`mode=batch&concurrency=8`), so that they fit in a link or a
flag. Custom prompts are shared by all candidates and are never part of the changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from services.analysis.compare import FEWEST, MOST
from services.analysis.compare.labels import labels_of_configs
from services.ask import about, link
from services.ask.config import RunConfig, parse
from services.ask.problems import InvalidConfig
from services.base.units import letter

SAME = "same"  # a candidate without changes, for an A/A check
SEPARATOR = ";"  # between candidates
Changes = Mapping[str, Any]

SETTINGS = about.names(RunConfig, lambda known: known.varied)  # varied by a typed list of values
USUAL = ("concurrency", "requests")  # the settings to offer first
IN_NAME = ("backend", "base_url", "model", "mode", "requests")  # already part of a default name


def to_text(others: Sequence[Changes]) -> str:
    """Serialize the candidates other than the baseline.

    Changes that equal the baseline's current value are included, so that the text keeps its meaning
    when the baseline changes.
    """
    return SEPARATOR.join(
        urlencode({name: link.text_of(value) for name, value in changes.items()}) or SAME
        for changes in others
    )


def from_text(text: str, start: RunConfig) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Parse the output of `to_text`. Return the changes, and a message for each invalid one."""
    changes: list[dict[str, Any]] = []
    problems: list[str] = []
    for part in text.split(SEPARATOR)[: MOST - 1] if text else ():
        pairs = {} if part == SAME else dict(parse_qsl(part, keep_blank_values=True))
        config, wrong = link.read(pairs, start)
        problems += wrong
        changes.append({name: getattr(config, name) for name in pairs if name in _fields()})
    return changes, tuple(problems)


def candidates(values: Changes, others: Sequence[Changes]) -> list[RunConfig]:
    """Return the configs to compare, the baseline first.

    Raises:
        InvalidConfig: a config is invalid; the message says which candidate.
    """
    configs = [parse(values)]
    for index, changes in enumerate(others):
        try:
            configs.append(parse(changed(values, changes)))
        except InvalidConfig as error:
            problems = {
                name: f"{text} (candidate {index + 2})" for name, text in _without_period(error)
            }
            raise InvalidConfig(problems) from None
    return configs


def changed(values: Changes, changes: Changes) -> dict[str, Any]:
    """Return the values of a candidate: the baseline's, with its changes. A candidate with another
    backend does not keep the baseline's address."""
    return {**values, **_own_address(changes), **changes}


def names(configs: Sequence[RunConfig], common_name: str, defaults: Sequence[str]) -> list[str]:
    """Return a distinct name for each run of a comparison.

    A name is `common_name`, or the run's default if that is empty, followed by what distinguishes
    the run from the others, or by a letter if nothing does.
    """
    differences = labels_of_configs(configs, () if common_name else IN_NAME)
    called = [common_name or default for default in defaults]
    texts = [" · ".join(filter(None, both)) for both in zip(called, differences, strict=True)]
    if not common_name:  # tell servers of one kind apart by address
        addresses = labels_of_configs(
            configs, [name for name in RunConfig.model_fields if name != "base_url"]
        )
        texts = [
            " · ".join(filter(None, [text, where * (texts.count(text) > 1)]))
            for text, where in zip(texts, addresses, strict=True)
        ]
    return [
        f"{text} · {letter(index)}" if texts.count(text) > 1 else text
        for index, text in enumerate(texts)
    ]


def values_of(field: str, text: str) -> list[dict[str, Any]]:
    """Return one change for each comma-separated value in `text`.

    Raises:
        InvalidConfig: a value is not valid for the field.
    """
    return [link.change(field, part.strip()) for part in text.split(",") if part.strip()]


def is_right_count(others: Sequence[object]) -> bool:
    """Return whether the number of candidates besides the baseline is within the limits."""
    return FEWEST - 1 <= len(others) <= MOST - 1


def _own_address(changes: Changes) -> Changes:
    """Reset the address if the backend changes."""
    return {"base_url": None} if "backend" in changes else {}


def _fields() -> set[str]:
    return set(RunConfig.model_fields)


def _without_period(error: InvalidConfig) -> list[tuple[str, str]]:
    return [(name, text.rstrip(".")) for name, text in error.problems.items()]
