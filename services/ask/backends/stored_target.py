"""A target in two parts: the fields that may be stored, and the secret ones.

The secret fields are those that the repr of `Target` leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from services.ask.backends import Target

PRIVATE = tuple(field.name for field in fields(Target) if not field.repr)


def public(target: Target) -> dict[str, Any]:
    """Return the fields of a target that may be stored, JSON-ready."""
    return {f.name: getattr(target, f.name) for f in fields(Target) if f.name not in PRIVATE}


def private(target: Target) -> dict[str, Any]:
    """Return the secret fields that are not empty, JSON-ready."""
    values = {name: getattr(target, name) for name in PRIVATE}
    return {name: value for name, value in values.items() if value}


def whole(public: Mapping[str, Any], private: Mapping[str, Any]) -> Target:
    """Return the target from these fields, which may come from JSON."""
    return Target(**{name: _to_tuples(value) for name, value in {**public, **private}.items()})


def _to_tuples(value: Any) -> Any:
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value
