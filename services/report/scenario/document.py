"""A scenario as it was read: plain values, and the line of the file where each stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.base.errors import Invalid

Place = tuple[str | int, ...]  # of a value: ("compare", 0, "mode")


class InvalidScenario(Invalid):
    """A scenario that cannot be used: a sentence for each problem, with the file and the line."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a scenario file holds. `lines`: where each of its keys and entries stands."""

    name: str
    values: Mapping[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)

    def sentence(self, problem: str, *place: str | int) -> str:
        """Return a problem with the file and the line of a value, or of what holds it."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        where = f", line {self.lines[known]:,}" if known else ""
        if not self.lines and len(place) > 1 and isinstance(place[1], int):  # it came as JSON
            where = f", entry {place[1] + 1} of {place[0]}"
        return f"{self.name}{where}: {problem}"

    def problem(self, problem: str, *place: str | int) -> InvalidScenario:
        """Return the error for one problem."""
        return InvalidScenario(self.sentence(problem, *place))

    def problems(self, problems: Mapping[str, str], *place: str | int) -> InvalidScenario:
        """Return the error for the invalid fields of what stands at `place`."""
        return InvalidScenario(
            "\n".join(self.of_field(text, *place, name) for name, text in problems.items())
        )

    def of_field(self, problem: str, *place: str | int) -> str:
        """Return a problem of a field. Where YAML took a text for a number, say what to do."""
        if problem.endswith("must be text.") and isinstance(self.value(*place), int | float):
            problem = f"{problem[:-1]}: put it in quotes."
        return self.sentence(problem, *place)

    def value(self, *place: str | int) -> Any:
        """Return what stands at a place; None if there is nothing."""
        value: Any = self.values
        for part in place:
            here = isinstance(value, Mapping) and part in value
            here = here or (isinstance(value, list) and part in range(len(value)))
            value = value[part] if here else None
        return value

    def mapping(self, *place: str | int) -> Mapping[str, Any]:
        """Return the keys and values that stand at a place. Raises InvalidScenario."""
        value = self.value(*place)
        if not isinstance(value, Mapping):
            what = f"{place[0]} must be" if len(place) == 1 else "Each entry must be"
            raise self.problem(f"{what} keys and values, such as `requests: 16`.", *place)
        return value
