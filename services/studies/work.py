"""What a cell asks of its engine: how much at once, how long, and what else differs.

Cells that ask the same of different engines can be held against each other; cells that differ only
in how much they ask at once are the points of one curve.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.analysis.compare.differences import read_fields
from services.ask import link
from services.ask.config import RunConfig
from services.ask.modes import MODES
from services.base import units

Facts = tuple[tuple[str, Hashable], ...]

# Which server answers, how often it is measured, when it is given up.
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
LOAD = ("requests", "concurrency")  # they are in the size


@dataclass(frozen=True, slots=True)
class Work:
    """`size` is the batch size: how many requests are in flight at once, as asked; None in an
    open loop, where the server decides it. `others` are the fields which are neither."""

    size: int | None
    requests: int
    others: Facts

    @property
    def length(self) -> int | None:
        """Input tokens of a prompt, where the workload is made to a length."""
        found = dict(self.others).get("input_tokens")
        return found if isinstance(found, int) else None

    @property
    def mode(self) -> str:
        return str(dict(self.others).get("mode", ""))

    @property
    def order(self) -> tuple[str, int, int]:
        """Where it stands in a table: small before large."""
        rest = repr([fact for fact in self.others if fact[0] != "input_tokens"])
        return rest, self.length or 0, self.size or self.requests


def work_of(config: RunConfig) -> Work:
    """Return what a cell asks, without the fields that its mode and workload do not read."""
    read = read_fields(config).items()
    others = tuple((name, _fact(value)) for name, value in read if name not in (*ASIDE, *LOAD))
    return Work(size_of(config), config.requests, others)


def _fact(value: Any) -> Hashable:
    """An object by its JSON; None where it is empty."""
    return link.text_of(value) or None if isinstance(value, Mapping) else value


def size_of(config: RunConfig) -> int | None:
    """Return the most requests that are asked to be in flight; None in an open loop."""
    if config.mode == "sequential":
        return 1
    if MODES[config.mode].loop == "open":
        return None
    return min(config.concurrency or config.requests, config.requests)


def label_of(work: Work, among: Sequence[Work]) -> str:
    """Return a work in words: how much at once, and what is not the same in all of `among`. A
    person's own prompts are told apart by number, never by text."""
    said = [_at_once(work, among)]
    alike = [one for one in among if (one.size, one.others) == (work.size, work.others)]
    if work.size and len({one.requests for one in alike}) > 1:
        said.append(units.many(work.requests, "request"))
    named = work.mode if work.size else ""  # the size says the mode, but of an open loop
    return " · ".join([*said, *(one for one in series_words(work, among) if one != named)])


def _at_once(work: Work, among: Sequence[Work]) -> str:
    if work.size is None:
        return units.many(work.requests, "request")
    if work.mode == "sequential":
        return "sequential"
    return f"{size_word(among).removesuffix(' size')} {work.size}"


def size_word(among: Sequence[Work]) -> str:
    """Return what the size of works is called: of those that are sent all at once the batch size,
    else the concurrency, which is below the number of requests."""
    batches = [work for work in among if work.mode == "batch" and work.size is not None]
    capped = any(work.size != work.requests for work in batches)
    return "concurrency" if capped or not batches else "batch size"


def series_words(work: Work, among: Sequence[Work]) -> list[str]:
    """Return what differs among works, apart from how much is asked at once."""
    said = []
    for name, value in work.others:
        values = list(dict.fromkeys(dict(one.others).get(name) for one in among))
        if len(values) > 1:
            said.append(_word(name, value, values.index(value)))
    return said


def _word(name: str, value: Any, place: int) -> str:
    if name in ("prompt", "prompts"):
        return f"prompts {place + 1}"
    if name in WORDS:
        return WORDS[name].format(value)
    if isinstance(value, tuple):
        value = link.text_of(value) or None
    plain = {True: "yes", False: "no", None: "not set"}
    shown = plain[value] if value is None or isinstance(value, bool) else value
    return f"{name.removesuffix('_s').replace('_', ' ')} {shown}"


WORDS = {
    "mode": "{}",
    "workload": "{}",
    "input_tokens": "{:,} tokens in",
    "max_tokens": "{:,} tokens out",
    "pause_s": "pause {:g} s",
    "interval_s": "interval {:g} s",
}
