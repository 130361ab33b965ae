"""A comparison as JSON: the verdicts and measures, and the hashes of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from services.analysis.compare import Candidate, compare
from services.report.export.document import about, content_hash
from services.report.export.public import public

SCHEMA = "paceline/comparison/2"
PARTS = ("verdicts", "rows", "differences", "warnings")


def comparison_document(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Return two to eight runs side by side as plain data: `schema`, `runs`, `verdicts`, `rows`,
    `differences`, `warnings`; values and ratios in the order of the runs."""
    cleaned = [public(candidate) for candidate in candidates]
    comparison = compare(cleaned)
    parts = {name: [asdict(each) for each in getattr(comparison, name)] for name in PARTS}
    return {"schema": SCHEMA, "runs": [_identity(candidate) for candidate in cleaned], **parts}


def comparison_json(candidates: Sequence[Candidate]) -> bytes:
    """Write a comparison as JSON."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(comparison_document(candidates), option=options)


def _identity(candidate: Candidate) -> dict[str, Any]:
    run = candidate.run
    return {"id": run.id, **about(run), "content_sha256": content_hash(candidate)}
