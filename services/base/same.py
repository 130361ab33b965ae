"""A long tuple as a cache key."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class ByIdentity(Generic[T]):
    """A cache key of values that are compared by identity, since hashing thousands of them is slow.
    It keeps them alive, so that no other tuple gets their identity."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[T, ...]) -> None:
        self.values = values

    def __hash__(self) -> int:
        return id(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.values is self.values
