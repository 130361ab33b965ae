"""A summary as plain data and back, to the last bit: the summary of a large run is computed only
once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from services.analysis.summary import Summary


def to_dict(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain data."""
    return asdict(summary)


def from_dict(data: Mapping[str, Any]) -> Summary:
    """Return the summary from the output of `to_dict`."""
    return _ADAPTER.validate_python(data)


_ADAPTER = TypeAdapter(Summary)
