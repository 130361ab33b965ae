"""What is taken out of a server's answer: numbers, switches and words. Words are as the server
wrote them, that of a model may be a path: `facts.engine_facts` passes them through the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.base.untrusted import integer, number

Take = Callable[[Any], Any]
Names = Mapping[str, tuple[str, Take]]


def taken(data: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return {fact: value} of what `data` says, for `names` of {key: (fact, how it is read)}. What
    is not said, or is not what it should be, is left out."""
    found = {fact: read(data.get(key)) for key, (fact, read) in names.items()}
    return {fact: value for fact, value in found.items() if value is not None}


def whole(value: Any) -> int | None:
    """Return a count: a whole number from 0 that fits 64 bits."""
    count = integer(value)
    return count if count is not None and count >= 0 else None


def share(value: Any) -> float | None:
    """Return a share from 0 to 1."""
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None


def flag(value: Any) -> bool | None:
    """Return a switch."""
    return value if isinstance(value, bool) else None


def word(value: Any) -> Any:
    """Return a word as it was written, or a whole number; nothing that holds a folder."""
    if isinstance(value, str):
        return value if value and not {"/", "\\"} & set(value) else None
    return whole(value)


def of_torch(value: Any) -> Any:
    """Return a word without PyTorch's name before it: "bfloat16"."""
    return word(value.removeprefix("torch.") if isinstance(value, str) else value)


def off(value: Any) -> bool | None:
    """Return the opposite of a switch: what is "disabled"."""
    return None if flag(value) is None else not value


def path(value: Any) -> str | None:
    """Return the path of a model as it was written, or its name."""
    return value if isinstance(value, str) and value else None


def last_part(text: str) -> str:
    """Return the name of a model: of a folder or "owner/name" only what comes last."""
    return text.replace("\\", "/").rstrip("/").rpartition("/")[2]
