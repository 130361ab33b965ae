"""A scenario: a run, a comparison, a study or a capacity search as a YAML file, to keep, to change
and to run again.

`yaml_text` reads the file into a `Document`, plain values with their lines; `run`, `comparison`,
`study` and `capacity` turn it into configs, and write configs back. Keys have the names of the API,
and only what differs from the defaults is written. docs/scenarios.md describes the format, and
`shape` writes its JSON Schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.report.scenario import keys, yaml_text
from services.report.scenario.capacity import (
    CapacityScenario,
    read_capacity,
    write_capacity,
)
from services.report.scenario.comparison import (
    ComparisonScenario,
    keys_of,
    read_comparison,
    write_comparison,
)
from services.report.scenario.document import Document, InvalidScenario
from services.report.scenario.keys import VERSION, Keys, RunKeys
from services.report.scenario.run import Reading, RunScenario, Written, read_run, write_run
from services.report.scenario.study import StudyScenario, read_study, write_study
from services.report.scenario.unread_fields import notes, runs_of
from services.report.scenario.yaml_text import MAX_BYTES

__all__ = [
    "KINDS",
    "MAX_BYTES",
    "MIME",
    "VERSION",
    "CapacityScenario",
    "ComparisonScenario",
    "Document",
    "InvalidScenario",
    "Keys",
    "Kind",
    "Reading",
    "RunKeys",
    "RunScenario",
    "Scenario",
    "StudyScenario",
    "document_of",
    "file_name",
    "keys_of",
    "kind_of",
    "left_out",
    "notes",
    "read",
    "read_capacity",
    "read_comparison",
    "read_run",
    "read_study",
    "runs_of",
    "scenario_of",
    "write",
]

MIME = "application/yaml"
Scenario = RunScenario | ComparisonScenario | StudyScenario | CapacityScenario


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of scenario, and how it is read and written."""

    name: str
    type: type[Scenario]
    command: str  # of the command line, which starts it
    read: Callable[[Document, Reading], Scenario]
    write: Callable[[Any, bool], Written]


def read(data: bytes, name: str) -> Document:
    """Parse a scenario file, and check that all its keys are known.

    Raises:
        InvalidScenario: with a sentence for each problem, the file and the line.
    """
    return _check(yaml_text.read(data, name))


def document_of(values: Mapping[str, Any]) -> Document:
    """Return a scenario from JSON. Raises InvalidScenario."""
    return _check(Document("The scenario", values))


def _check(document: Document) -> Document:
    keys.check(document, keys.kind_of(document))
    return document


def kind_of(document: Document) -> Kind:
    """Return what a scenario describes."""
    return KINDS[keys.kind_of(document)]


def scenario_of(document: Document, reading: Reading) -> Scenario:
    """Return the run, comparison, study or search that a scenario describes.

    Raises:
        InvalidScenario: with a sentence for each problem, the file and the line.
        InvalidConfig: a field that overrides the file's is invalid.
    """
    return kind_of(document).read(document, reading)


def write(scenario: Scenario, own_prompts: bool = False) -> bytes:
    """Return a scenario as the text of a file. `own_prompts`: include custom prompts, which are
    left out otherwise."""
    kind = _kind(scenario)
    values, comments = kind.write(scenario, own_prompts)
    return yaml_text.write(values, (f"Start it with: paceline {kind.command} FILE", *comments))


def left_out(scenario: Scenario, now: Scenario) -> list[str]:
    """Return the keys of a scenario that are missing or different in another one made from it."""
    before, after = _values(scenario), _values(now)
    return [name for name in before if not _is_unchanged(before[name], after.get(name))]


def _is_unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, dict) and isinstance(after, dict):
        return all(_is_unchanged(value, after.get(name)) for name, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_is_unchanged, before, after))
    return bool(before == after)


def _values(scenario: Scenario) -> Mapping[str, Any]:
    return _kind(scenario).write(scenario, True)[0]


def _kind(scenario: Scenario) -> Kind:
    return next(each for each in KINDS.values() if isinstance(scenario, each.type))


def file_name(scenario: Scenario, ids: Sequence[int] = ()) -> str:
    """Return the file name of a scenario; `ids` are those of what is stored, if it is."""
    return "-".join(["paceline", _kind(scenario).name, *map(str, ids)]) + ".yaml"


_ENTRIES = (
    Kind("run", RunScenario, "run", read_run, write_run),
    Kind("comparison", ComparisonScenario, "compare", read_comparison, write_comparison),
    Kind("study", StudyScenario, "study", read_study, write_study),
    Kind("capacity", CapacityScenario, "capacity", read_capacity, write_capacity),
)

KINDS: dict[str, Kind] = {entry.name: entry for entry in _ENTRIES}
