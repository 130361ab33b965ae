"""The work of a cell: its load, its lengths, and the other fields that affect its numbers.

Cells with the same work on different engines can be compared; cells that differ only in load are
the points of one curve.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.analysis.compare.differences import read_fields
from services.ask import link
from services.ask.config import RunConfig
from services.ask.modes import size_of
from services.base import units

Facts = tuple[tuple[str, Hashable], ...]

# Fields that are not part of the work: the server, the repeats, the timeouts.
ASIDE = (
    "backend",
    "base_url",
    "model",
    "warmup",
    "repeats",
    "timeout_s",
    "connect_timeout_s",
    "first_token_timeout_s",
    "chunk_timeout_s",
    "processes",
    "headers",
    "ca_file",
    "insecure_tls",
)
LOAD = ("requests", "concurrency")  # part of the size


@dataclass(frozen=True, slots=True)
class Work:
    """What a run requests, without the server. `size` is the batch size, or the configured max
    concurrency; None in an open loop, where the server determines it. `others` are the remaining
    fields."""

    size: int | None
    requests: int
    others: Facts

    @property
    def length(self) -> int | None:
        """Input tokens of a prompt; None if the workload has no fixed length."""
        tokens = dict(self.others).get("input_tokens")
        return tokens if isinstance(tokens, int) else None

    @property
    def mode(self) -> str:
        return str(dict(self.others).get("mode", ""))

    @property
    def order(self) -> tuple[str, int, int]:
        """Sort key: small works before large ones."""
        rest = repr([fact for fact in self.others if fact[0] != "input_tokens"])
        return rest, self.length or 0, self.size or self.requests


def work_of(config: RunConfig) -> Work:
    """Return the work of a config, without the fields that its mode and workload do not use."""
    read = read_fields(config).items()
    others = tuple((name, _fact(value)) for name, value in read if name not in (*ASIDE, *LOAD))
    return Work(size_of(config), config.requests, others)


def _fact(value: Any) -> Hashable:
    """The value, or the JSON of an object; None if empty."""
    return link.text_of(value) or None if isinstance(value, Mapping) else value


def label_of(work: Work, among: Sequence[Work]) -> str:
    """Return a work's label: its size, and what distinguishes it from the other works. Custom
    prompts are numbered; their text is never shown."""
    if len({(other.size, other.requests) for other in among}) == 1 < len(among):
        return " · ".join(differing_labels(work, among))  # the size says nothing
    parts = [_size_label(work, among)]
    alike = [other for other in among if (other.size, other.others) == (work.size, work.others)]
    if work.size and len({other.requests for other in alike}) > 1:
        parts.append(units.many(work.requests, "request"))
    named = work.mode if work.size else ""  # the size implies the mode, except in an open loop
    return " · ".join(
        [*parts, *(other for other in differing_labels(work, among) if other != named)]
    )


def load_labels(configs: Sequence[RunConfig]) -> list[str]:
    """Return the labels of the loads of runs, distinguished as in `label_of`."""
    works = [work_of(config) for config in configs]
    among = list(dict.fromkeys(works))
    return [label_of(work, among) for work in works]


def work_labels(configs: Sequence[RunConfig]) -> list[str]:
    """Return what the works of runs differ in, apart from how many requests are sent and when; ""
    if they do not differ."""
    works = [work_of(config) for config in configs]
    return [" · ".join(differing_labels(work, works)) for work in works]


def _size_label(work: Work, among: Sequence[Work]) -> str:
    if work.size is None:
        return units.many(work.requests, "request")
    if work.mode == "sequential":
        return "sequential"
    if len({other.mode for other in among}) > 1:
        return f"{work.mode} {work.size}"  # beside another mode it keeps its name
    return f"{size_name(among).removesuffix(' size')} {work.size}"


def size_name(among: Sequence[Work]) -> str:
    """Return the name of the works' size: "batch size" if all requests are sent at once, otherwise
    "concurrency"."""
    batches = [work for work in among if work.mode == "batch" and work.size is not None]
    capped = any(work.size != work.requests for work in batches)
    return "concurrency" if capped or not batches else "batch size"


def differing_labels(work: Work, among: Sequence[Work]) -> list[str]:
    """Return labels of what differs between works, apart from their size. A minor field that only
    some of them use differs if its value is not the default."""
    facts, labels = [dict(each.others) for each in among], []
    for name, value in work.others:
        values = list(dict.fromkeys(each.get(name, _default(name)) for each in facts))
        if len(values) > 1:
            labels.append(_fact_label(name, value, values.index(value)))
    return labels


def _default(name: str) -> Hashable:
    """Return a minor field's value where it is not used; None for those in WORDS."""
    field = RunConfig.model_fields.get(name)
    return None if field is None or name in WORDS else _fact(field.default)


def _fact_label(name: str, value: Any, index: int) -> str:
    if name in NUMBERED:
        return f"{NUMBERED[name]} {index + 1}"
    if name in WORDS:
        return WORDS[name].format(value)
    if isinstance(value, tuple):
        value = link.text_of(value) or None
    plain = {True: "yes", False: "no", None: "not set"}
    shown = plain[value] if value is None or isinstance(value, bool) else value
    return f"{name.removesuffix('_s').replace('_', ' ')} {shown}"


NUMBERED = {"prompt": "prompts", "prompts": "prompts", "trace": "trace"}  # contents are not shown
WORDS = {
    "mode": "{}",
    "workload": "{}",
    "input_tokens": "{:,} tokens in",
    "long_input_tokens": "long prompts {:,} tokens in",
    "max_tokens": "{:,} tokens out",
    "pause_s": "pause {:g} s",
    "interval_s": "interval {:g} s",
}
