"""Which parts of a file were read: a mapping that tracks access to its keys."""

from __future__ import annotations

from typing import Any

DEEPEST = 2  # no tool nests a metric deeper than this in its run
MOST, LONGEST = 40, 80


class Tracked(dict[str, Any]):
    """A JSON object that records which of its names, and of the names of the objects in it, were
    read."""

    def __init__(self, content: dict[str, Any], depth: int = DEEPEST) -> None:
        super().__init__(content)
        self.read_names: set[str] = set()
        self._depth = depth

    def __getitem__(self, name: str) -> Any:
        self.read_names.add(name)
        value = super().__getitem__(name)
        if type(value) is dict and self._depth:
            value = Tracked(value, self._depth - 1)
            super().__setitem__(name, value)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def unread(self, inner: bool = False) -> list[str]:
        """Return the names that were never read and are not empty, as `name` or `outer.name`. With
        `inner`, only names in nested objects that were not read: the unread minimum of a metric
        that was read is left out."""
        names: list[str] = []
        for name, value in self.items():
            if name not in self.read_names:
                wanted = isinstance(value, dict) if inner else value not in (None, "", [], {})
                names += [name] if wanted else []
            elif isinstance(value, Tracked) and value.read_names:
                names += [f"{name}.{below}" for below in value.unread(inner=True)]
        return names
