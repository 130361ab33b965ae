"""Which parts of a file were read: an object that notes what is asked of it."""

from __future__ import annotations

from typing import Any

DEEPEST = 2  # a tool's metric stands no deeper than this below its run
MOST, LONGEST = 40, 80


class Noted(dict[str, Any]):
    """A JSON object of a file that notes which of its names were asked for, and those of the
    objects in it."""

    def __init__(self, found: dict[str, Any], depth: int = DEEPEST) -> None:
        super().__init__(found)
        self.asked: set[str] = set()
        self._depth = depth

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        value = super().__getitem__(name)
        if type(value) is dict and self._depth:
            value = Noted(value, self._depth - 1)
            super().__setitem__(name, value)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def unread(self, inner: bool = False) -> list[str]:
        """Return what was never asked for and is not empty, as `name` or `outer.name`; `inner`
        without single numbers: of a metric that was read, a minimum is nothing that is missed."""
        found: list[str] = []
        for name, value in self.items():
            if name not in self.asked:
                wanted = isinstance(value, dict) if inner else value not in (None, "", [], {})
                found += [name] if wanted else []
            elif isinstance(value, Noted) and value.asked:
                found += [f"{name}.{below}" for below in value.unread(inner=True)]
        return found
