"""A diagnostic of the warm-up: whether its requests succeeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.analysis.diagnostics.advice import advice_on
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import Summary
from services.ask.measurement import OK, WARM_UP_ENDS, Measurement, Run


def failed(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Diagnostic | None:
    """Check the warm-up requests of all repeats, by how they ended. Stored values that are not
    counts are ignored."""
    ended: Counter[str] = Counter()
    for repeat in run.repeats:
        if isinstance(counts := repeat.health.get(WARM_UP_ENDS), dict):
            ended.update({name: n for name, n in counts.items() if isinstance(n, int)})
    total, good = ended.total(), ended.pop(OK, 0)
    if total <= good:
        return None
    classes = ", ".join(f"{count:,} {name}" for name, count in ended.most_common())
    return Diagnostic(
        "warning",
        f"{total - good:,} of {total:,} warm-up requests failed",
        f"Errors by class: {classes}. {advice_on(ended)} They do not count as failed, and the "
        "first measured requests may have met a server that was not warm.",
    )
