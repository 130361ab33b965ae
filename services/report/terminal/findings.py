"""The findings of `doctor` as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MARKS = {"ok": "ok", "note": "note", "problem": "PROBLEM"}


def findings_text(findings: Sequence[Any]) -> str:
    """Return findings, a line each: `subject`, `level`, `text`, and below it what `todo` says."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.subject:<11} {MARKS[finding.level]:<8} {finding.text}")
        if finding.todo:
            lines.append(f"{'':<20} → {finding.todo}")
    wrong = sum(finding.level == "problem" for finding in findings)
    end = "No problems found." if not wrong else f"Problems: {wrong}. See PROBLEM above."
    return "\n".join((*lines, "", end))
