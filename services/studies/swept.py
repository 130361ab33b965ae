"""The simplest thing in which the works of a study differ: the number of concurrent requests, the
length of prompts, or the length of answers. Titles, axes and sentences use its name.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from services.studies.work import Work, size_name


@dataclass(frozen=True, slots=True)
class SweptAxis:
    """A field of the runs that a study swept. `field` is its name in the config, or "" for the size
    of a work."""

    name: str
    field: str = ""
    unit: str = ""

    def value(self, work: Work) -> int | None:
        """Return the value of a work on the axis; None if it has none."""
        value: Hashable = dict(work.others).get(self.field) if self.field else work.size
        return value if isinstance(value, int) else None

    def series(self, work: Work) -> Work:
        """Return a work without the swept field: the same for all works of one curve."""
        if not self.field:
            return replace(work, size=None, requests=0)
        return replace(work, others=tuple(f for f in work.others if f[0] != self.field))

    def title(self, scale: str = "") -> str:
        """Return the title of an axis: "Prompt length (tokens, log scale)"."""
        name, inside = self.name[:1].upper() + self.name[1:], filter(None, (self.unit, scale))
        return f"{name} ({', '.join(inside)})" if self.unit or scale else name


def swept_axis(works: Sequence[Work]) -> SweptAxis:
    """Return the axis that was swept; the size if there was none, or if it was one of several."""
    size = SweptAxis(size_name(works))
    for axis in (size, *LENGTHS):
        if len({axis.value(work) for work in works} - {None}) > 1:
            return axis
    return size


LENGTHS = (
    SweptAxis("prompt length", "input_tokens", "tokens"),
    SweptAxis("answer length", "max_tokens", "tokens"),
)
