"""Reads numbers, switches and texts out of a server's answer. Texts are as the server wrote them,
and a model may be a path: `facts.engine_facts` makes them safe to publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.base.untrusted import integer, number

Take = Callable[[Any], Any]
Names = Mapping[str, tuple[str, Take]]


def extract(data: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return {fact: value} from `data`, where `names` maps each key to its fact and reader. Missing
    and invalid values are left out."""
    values = {fact: read(data.get(key)) for key, (fact, read) in names.items()}
    return {fact: value for fact, value in values.items() if value is not None}


def count(value: Any) -> int | None:
    """Return a whole number from 0 that fits 64 bits, or None."""
    number = integer(value)
    return number if number is not None and number >= 0 else None


def share(value: Any) -> float | None:
    """Return a share from 0 to 1, or None."""
    result = number(value)
    return result if result is not None and 0 <= result <= 1 else None


def flag(value: Any) -> bool | None:
    """Return a bool, or None."""
    return value if isinstance(value, bool) else None


def text(value: Any) -> Any:
    """Return a text without folders, or a whole number, or None."""
    if isinstance(value, str):
        return value if value and not {"/", "\\"} & set(value) else None
    return count(value)


def torch_dtype(value: Any) -> Any:
    """Return a dtype without the prefix of PyTorch: "bfloat16"."""
    return text(value.removeprefix("torch.") if isinstance(value, str) else value)


def negated(value: Any) -> bool | None:
    """Return the negation of a bool, for fields such as "disable_…"."""
    return None if flag(value) is None else not value


def path(value: Any) -> str | None:
    """Return the path or the name of a model, or None."""
    return value if isinstance(value, str) and value else None


def last_part(path: str) -> str:
    """Return the last part of a folder or of "owner/name"."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
