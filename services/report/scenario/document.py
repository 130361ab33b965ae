"""A scenario as it was read: plain values, and the line of the file in which each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.base.errors import Invalid

Location = tuple[str | int, ...]  # of a value: ("compare", 0, "mode")


class InvalidScenario(Invalid):
    """An unusable scenario: a sentence for each problem, with the file and the line."""


@dataclass(frozen=True, slots=True)
class Document:
    """The contents of a scenario file. `lines`: the line of each key and entry."""

    name: str
    values: Mapping[str, Any]
    lines: Mapping[Location, int] = field(default_factory=dict)

    def sentence(self, problem: str, *location: str | int) -> str:
        """Return a problem with the file and the line of a value, or of what contains it."""
        known = location
        while known and known not in self.lines:
            known = known[:-1]
        where = f", line {self.lines[known]:,}" if known else ""
        if not self.lines and len(location) > 1 and isinstance(location[1], int):  # it is from JSON
            where = f", entry {location[1] + 1} of {location[0]}"
        return f"{self.name}{where}: {problem}"

    def problem(self, problem: str, *location: str | int) -> InvalidScenario:
        """Return the error for one problem."""
        return InvalidScenario(self.sentence(problem, *location))

    def problems(self, problems: Mapping[str, str], *location: str | int) -> InvalidScenario:
        """Return the error for the invalid fields of the value at `location`."""
        return InvalidScenario(
            "\n".join(self.of_field(text, *location, name) for name, text in problems.items())
        )

    def of_field(self, problem: str, *location: str | int) -> str:
        """Return a problem of a field. If YAML read an unquoted text as a number, say what to
        do."""
        if problem.endswith("must be text.") and isinstance(self.value(*location), int | float):
            problem = f"{problem[:-1]}: put it in quotes."
        return self.sentence(problem, *location)

    def value(self, *location: str | int) -> Any:
        """Return the value at a location; None if there is none."""
        value: Any = self.values
        for part in location:
            here = isinstance(value, Mapping) and part in value
            here = here or (isinstance(value, list) and part in range(len(value)))
            value = value[part] if here else None
        return value

    def mapping(self, *location: str | int) -> Mapping[str, Any]:
        """Return the keys and values at a location. Raises InvalidScenario."""
        value = self.value(*location)
        if not isinstance(value, Mapping):
            what = f"{location[0]} must be" if len(location) == 1 else "Each entry must be"
            raise self.problem(f"{what} keys and values, such as `requests: 16`.", *location)
        return value
