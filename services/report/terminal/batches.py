"""Batches of tasks as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from services.ask.tasks import STATUSES, TaskBatch
from services.report.terminal.text import cut, minute, table


def batches_text(batches: Sequence[TaskBatch]) -> str:
    """List batches, one per line."""
    if not batches:
        return "There are no batches of tasks."
    return table(
        ["batch", "caller", "queued at", "tasks"],
        [
            [each.batch_id, cut(each.caller), minute(each.created_at), counts_text(each)]
            for each in batches
        ],
    )


def counts_text(batch: TaskBatch) -> str:
    """Return how many tasks have which status: `3 queued, 12 completed`."""
    known = [(batch.counts.get(status, 0), status) for status in STATUSES]
    return ", ".join(f"{count:,} {status}" for count, status in known if count)
