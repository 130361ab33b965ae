"""A summary as plain data and back, to the last bit: that of a large run is worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from services.analysis.objectives import Attainment, Objectives
from services.analysis.statistics import Distribution
from services.analysis.summary import Summary
from services.analysis.summary.repeats import RepeatSummary

ANALYSIS = Path(__file__).resolve().parent.parent


@cache
def version() -> str:
    """Return a hash of the code that works summaries out: one of other code is not read."""
    seen = blake2b(digest_size=8)
    for file in sorted(ANALYSIS.rglob("*.py")):
        seen.update(file.read_bytes())
    return seen.hexdigest()


def to_dict(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain data."""
    return asdict(summary)


def from_dict(data: Mapping[str, Any]) -> Summary:
    """Return the summary that `to_dict` was given."""
    spreads, attained = data["distributions"], data["attainment"]
    parts = {
        "repeats": tuple(RepeatSummary(**repeat) for repeat in data["repeats"]),
        "distributions": {name: _distribution(spread) for name, spread in spreads.items()},
        "inter_chunk": _distribution(data["inter_chunk"]),
        "attainment": attained and _attainment(attained),
        "classes": {name: from_dict(part) for name, part in data["classes"].items()},
    }
    return Summary(**{**data, **parts})


def _distribution(data: Mapping[str, Any] | None) -> Distribution | None:
    return None if data is None else Distribution(**data)


def _attainment(data: Mapping[str, Any]) -> Attainment:
    return Attainment(**{**data, "objectives": Objectives(**data["objectives"])})
