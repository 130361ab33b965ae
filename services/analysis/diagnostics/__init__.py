"""Diagnostics of a run: what may be wrong with its numbers, and what to do about it.

A check takes one run and returns a Diagnostic or None. Checks of the client, whose problems look
like the server's, are in `client.py`, `sending.py`, `nodes.py` and `connection.py`; those of the
server in `server.py`, of its answers in `answers.py`, of its prompts in `prompts.py`; those of
everything together in `whole_run.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.analysis.diagnostics import (
    answers,
    connection,
    drift,
    nodes,
    prompts,
    sending,
    sessions,
    warm_up,
    whole_run,
)
from services.analysis.diagnostics import client as client_checks
from services.analysis.diagnostics import server as server_checks
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import Summary
from services.analysis.summary.cached import cached_share
from services.analysis.summary.repeats import successes
from services.ask.measurement import Measurement, Run, Sample

__all__ = ["CHECKS", "Diagnostic", "diagnostics"]

Check = Callable[[Run, Sequence[Measurement], Summary], Diagnostic | None]

FOREMOST = (server_checks.SLOWED_DOWN,)


def diagnostics(
    run: Run,
    measurements: Sequence[Measurement],
    summary: Summary,
    samples: Sequence[Sample] = (),
) -> list[Diagnostic]:
    """Return the diagnostics of a run: warnings first, and of these what makes all its numbers
    wrong. `samples` are its server metrics."""
    checks = CHECKS if run.source is None else [c for c in CHECKS if c not in OF_CLIENT]
    if summary.failed and not summary.ok:  # there are no other numbers
        checks = [check for check in checks if check in OF_FAILURES]
    results = [
        diagnostic
        for check in checks
        if (diagnostic := check(run, measurements, summary)) is not None
    ]
    cache_known = cached_share(successes(measurements)) is not None
    results += server_checks.diagnostics(run, samples, summary, cache_known)
    return sorted(results, key=lambda each: (each.level != "warning", each.title not in FOREMOST))


OF_FAILURES: tuple[Check, ...] = (
    sessions.after_failures,
    whole_run.unfinished,
    whole_run.measured_elsewhere,
    whole_run.failures,
    whole_run.retried,
    whole_run.stopped_early,
    connection.through_proxy,
    connection.certificate_unchecked,
)
OF_CLIENT: tuple[Check, ...] = (
    *client_checks.CHECKS,
    *sending.CHECKS,
    *nodes.CHECKS,
    *connection.CHECKS,
)
CHECKS: tuple[Check, ...] = (
    whole_run.times_removed,
    whole_run.unfinished,
    whole_run.measured_elsewhere,
    whole_run.failures,
    whole_run.retried,
    warm_up.failed,
    whole_run.unknown_tokens,
    whole_run.cached_prompts,
    *prompts.CHECKS,
    *answers.CHECKS,
    *sessions.CHECKS,
    *OF_CLIENT,
    *drift.CHECKS,
    whole_run.stopped_early,
    whole_run.all_at_token_limit,
    whole_run.few_requests,
    whole_run.one_repeat,
    whole_run.repeats_differ,
)
