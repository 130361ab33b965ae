"""A target in two halves: what may be stored, and what only goes from hand to hand.

What is in no repr is in no database either: the fields of `Target` say which those are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from services.ask.backends import Target

PRIVATE = tuple(field.name for field in fields(Target) if not field.repr)


def public(target: Target) -> dict[str, Any]:
    """Return what may be stored of a target, JSON-ready."""
    return {f.name: getattr(target, f.name) for f in fields(Target) if f.name not in PRIVATE}


def private(target: Target) -> dict[str, Any]:
    """Return the rest, where there is any, JSON-ready."""
    found = {name: getattr(target, name) for name in PRIVATE}
    return {name: value for name, value in found.items() if value}


def whole(public: Mapping[str, Any], private: Mapping[str, Any]) -> Target:
    """Return the target of which these are the halves, as they were or read from JSON."""
    return Target(**{name: _frozen(value) for name, value in {**public, **private}.items()})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
