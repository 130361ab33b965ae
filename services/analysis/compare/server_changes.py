"""Where the server changes in a sequence of runs: a step in a trend may come from the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.analysis.compare.served import FACTS, differing_facts, join_labels
from services.base.units import many

NAMED = 4  # the most changes to name in a sentence
WORDLESS = "machine"  # consists of several facts, which are not worth listing


class Served(Protocol):
    """A run of a trend; `server` holds the known facts about its server, see `served`."""

    @property
    def run_id(self) -> int: ...
    @property
    def began(self) -> datetime: ...
    @property
    def server(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Change:
    """The first run with a different server, and what changed: labels, and a text with the values
    before and after."""

    run_id: int
    began: datetime
    labels: tuple[str, ...]
    text: str


def changes(runs: Iterable[Served]) -> tuple[Change, ...]:
    """Return the changes along runs in time order. A fact that a run does not state counts as
    unchanged."""
    last_facts: dict[str, Any] = {}
    all_changes = []
    for run in runs:
        if labels := differing_facts(last_facts, run.server):
            text = ", ".join(_change(label, last_facts, run.server) for label in labels)
            all_changes.append(Change(run.run_id, run.began, labels, text))
        last_facts |= run.server
    return tuple(all_changes)


def warning(all_changes: Sequence[Change]) -> str:
    """Return a sentence that lists the changes and what they mean for the trend; "" if there are
    none."""
    if not all_changes:
        return ""
    if len(all_changes) > NAMED:
        labels = tuple(dict.fromkeys(label for change in all_changes for label in change.labels))
        how_often = many(len(all_changes), "time")
        return f"The server changes {how_often} along this line ({join_labels(labels)}). {FILTER}"
    where = "; ".join(f"from run {change.run_id} on, {change.text}" for change in all_changes)
    return f"The server changes along this line: {where}. {STEP}"


def _change(label: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """`engine version 0.10.2 → 0.11.0`."""
    if label == WORDLESS:
        return f"another {label}"
    fact = next(fact for fact, name in FACTS.items() if name == label)
    return f"{label} {before[fact]} → {after[fact]}"


STEP = "A step there may come from the change."
FILTER = "Points on either side of a change cannot be compared. Filter by backend, model or tag."
