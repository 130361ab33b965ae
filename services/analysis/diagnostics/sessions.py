"""Diagnostics of sessions: turns that were not sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import Summary
from services.ask.measurement import Measurement, Run
from services.base import units


def unsent(run: Run, repeat: int | None = None) -> Counter[str]:
    """Return how many turns were not sent, in all repeats or in one, by reason: `failed`, or
    `ended` (see `load/follow.py`). Stored values that are not counts are ignored."""
    total: Counter[str] = Counter()
    for each in run.repeats:
        counts = each.health.get("unsent_turns")
        if isinstance(counts, dict) and repeat in (None, each.index):
            total.update({name: n for name, n in counts.items() if isinstance(n, int)})
    return total


def after_failures(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not (count := unsent(run)["failed"]):
        return None
    return Diagnostic(
        "warning",
        f"{units.many(count, 'turn')} not sent after a failure",
        "A session ends when one of its turns fails. Its remaining turns count neither as sent "
        "nor as failed, so the error rate is lower than the share of the work that was lost, and "
        "the numbers of later turns cover only sessions that went well. Fix the failures first.",
    )


def at_the_end(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not (count := unsent(run)["ended"]):
        return None
    return Diagnostic(
        "note",
        f"{units.many(count, 'turn')} not sent because the time was up",
        "Sessions that were in progress at the end of a repeat were not completed. Later turns, "
        "which have the longest prompts, are therefore rarer here than in whole sessions: let the "
        "run last much longer than a session.",
    )


CHECKS = (after_failures, at_the_end)
