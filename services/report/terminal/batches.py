"""Batches of tasks as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from services.ask.tasks import TaskBatch
from services.report import task_texts
from services.report.terminal.text import cut, minute, table


def batches_text(batches: Sequence[TaskBatch]) -> str:
    """List batches, one per line."""
    if not batches:
        return "There are no batches yet."
    return table(
        ["batch", "caller", "queued at", "tasks"],
        [
            [each.batch_id, cut(each.caller), minute(each.created_at), task_texts.counts(each)]
            for each in batches
        ],
    )
