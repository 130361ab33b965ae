"""A summary as plain data and back, to the last bit: the summary of a large run is computed only
once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from services.analysis.summary import Summary

ANALYSIS = Path(__file__).resolve().parent.parent


@cache
def version() -> str:
    """Return a hash of the code that computes summaries. Stored summaries of other code are not
    read."""
    seen = blake2b(digest_size=8)
    for file in sorted(ANALYSIS.rglob("*.py")):
        seen.update(file.read_bytes())
    return seen.hexdigest()


def to_dict(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain data."""
    return asdict(summary)


def from_dict(data: Mapping[str, Any]) -> Summary:
    """Return the summary from the output of `to_dict`."""
    return _ADAPTER.validate_python(data)


_ADAPTER = TypeAdapter(Summary)
