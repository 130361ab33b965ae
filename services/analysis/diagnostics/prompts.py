"""Diagnostics of prompts: whether the server received what was planned."""

from __future__ import annotations

from collections.abc import Sequence

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import Summary
from services.analysis.summary.repeats import successes
from services.ask import workloads
from services.ask.measurement import Measurement, Run
from services.base import units

OFF_SHARE = 0.1  # limit, of the planned tokens


def other_length(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    """Check the server's own count of prompt tokens against the plan."""
    planned = workloads.prompt_tokens(run.config)
    if planned is None or run.source is not None:
        return None
    good = successes(measurements)
    good = good.where(good.numbers("prompt_tokens") > 0)
    if not len(good):
        return None
    counted = float(good.numbers("prompt_tokens").sum()) / len(good)
    wanted = sum(planned(int(index)) for index in good.numbers("index")) / len(good)
    off = counted / wanted - 1
    how = f"{units.share(abs(off))} {'more' if off > 0 else 'fewer'}"
    if abs(off) <= OFF_SHARE:
        return None
    return Diagnostic(
        "note",
        f"Prompts have {how} tokens than planned",
        f"On average the server counted {units.significant(counted)} for "
        f"{units.significant(wanted)} planned. Its chat template adds 5 to 40 to each, and models "
        "with another vocabulary count differently: go by the server's count, and change "
        "input_tokens to come closer.",
    )


CHECKS = (other_length,)
