"""Checks of a run as a whole: did it finish, which requests failed or are missing, and how much do
its repeats say?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from services.analysis.diagnostics import answers, sessions
from services.analysis.diagnostics.advice import advice
from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.statistics import FLOORS
from services.analysis.statistics.geometric_mean import geometric_mean
from services.analysis.summary import Summary
from services.analysis.summary.cached import cached_share
from services.analysis.summary.repeats import successes
from services.analysis.turns import first_turns
from services.ask import modes
from services.ask.config import MOST
from services.ask.measurement import ACTIVE, Measurement, Run
from services.ask.measurements import as_table
from services.ask.workloads import begin_alike
from services.base import units

CACHED_SHARE = 0.05  # limit, of the prompt tokens
WIDE = 2.0  # limit, of an interval's upper end over its lower one


def times_removed(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if run.token_times_removed_at is None:
        return None
    return Diagnostic(
        "note",
        "Token times were removed",
        f"On {run.token_times_removed_at:%Y-%m-%d} the arrival times of tokens were removed, "
        "because the run is old. Gaps between tokens and the charts of them are no longer "
        "available; all other times, counts and totals are unchanged.",
    )


def unfinished(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if run.status in ACTIVE:
        return Diagnostic(
            "note",
            "The run is not finished",
            "These are the numbers so far. They will change until it finishes: wait before "
            "comparing them.",
        )
    if run.status == "done":
        return None
    return Diagnostic(
        "warning",
        {"failed": "The run failed"}.get(run.status, f"The run was {run.status}"),
        f"{_measured(run, summary)} is kept, but the last repeat may be incomplete, so its "
        "throughput may be wrong. Run it again before comparing it."
        if measurements
        else "No request was measured. Run it again.",
    )


def _measured(run: Run, summary: Summary) -> str:
    """What was measured of a run that did not finish, as the beginning of a sentence."""
    each, ended = modes.count(run.config), summary.ok + summary.failed
    if each is None:
        return f"What was measured before that ({units.many(ended, 'request')})"
    planned = units.many(each * run.config.repeats, "request")
    return f"What was measured before that ({ended:,} of {planned})"


def measured_elsewhere(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if run.source is None or any(repeat.health for repeat in run.repeats):
        return None  # another Paceline's file says how well that client kept up
    return Diagnostic(
        "note",
        f"Measured by {run.source.get('tool', 'another tool')}",
        "The file does not say how well that client kept up with its load, and its overhead is "
        "part of every time. Metrics of the same name may be defined differently: see how the tool "
        "defines them.",
    )


def failures(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Diagnostic | None:
    if not summary.failed:
        return None
    by_count = sorted(summary.errors.items(), key=lambda item: (-item[1], item[0]))
    classes = ", ".join(f"{count:,} {name}" for name, count in by_count)
    caveat = (
        " Latencies and rates cover successful requests only, so a failing server can look faster "
        "than it is: fix the cause before relying on the rest."
    )
    return Diagnostic(
        "warning",
        f"{summary.failed} of {summary.ok + summary.failed} requests failed",
        f"Errors by class: {classes}. {advice(measurements)}{caveat if summary.ok else ''}",
    )


def retried(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Diagnostic | None:
    table = as_table(measurements)
    resent = table.where(table.numbers("attempts") > 1)
    if not len(resent):
        return None
    classes = resent.texts("first_error_class").counts().most_common()
    causes = ", ".join(f"{count:,} {name}" for name, count in classes)
    waits = np.nan_to_num(resent.numbers("retry_wait_s"), nan=0.0).tolist()
    return Diagnostic(
        "warning",
        f"{units.many(len(resent), 'request')} sent more than once",
        f"Their first attempts failed ({causes}), so they were sent again after waiting "
        f"{units.seconds(fmean(waits))} on average, {units.seconds(max(waits))} at most. The error "
        "rate and objectives count first attempts. TTFT and E2E latency are those of the last "
        "attempt; Scheduled TTFT and Scheduled latency are measured from when a request was due, "
        "including the waits.",
    )


def stopped_early(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    planned = modes.count(run.config)
    if planned is None:
        return _max_requests_reached(summary) or _cut_at_end(run, measurements, summary)
    left_out = {repeat.index: sessions.unsent(run, repeat.index).total() for repeat in run.repeats}
    short = [
        repeat
        for repeat in summary.repeats
        if repeat.ok + repeat.failed + left_out.get(repeat.index, 0) < planned
    ]
    if run.status != "done" or not short:
        return None
    sentence = (
        f"{len(short)} of {len(summary.repeats)} repeats ended before all {planned} requests were "
    )
    most = run.config.stop_after_errors
    if most is not None and any(repeat.failed >= most for repeat in short):
        sentence += f"sent, because {most} had failed. Fix the failures first."
    else:
        sentence += "answered, because the time limit was reached. Raise it to measure them all."
    return Diagnostic("note", "Not every request was answered", sentence)


def _max_requests_reached(summary: Summary) -> Diagnostic | None:
    """Of a repeat limited by time that reached the maximum number of requests."""
    if not any(repeat.ok + repeat.failed >= MOST for repeat in summary.repeats):
        return None
    return Diagnostic(
        "warning",
        f"Ended after {MOST:,} requests, before the duration was over",
        "That is the maximum of a repeat. Choose a shorter duration, and more repeats.",
    )


def _cut_at_end(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    """Of a run that ends after a duration."""
    if run.status != "done" or not summary.cancelled:
        return None
    share = units.share(summary.cancelled / len(measurements))
    return Diagnostic(
        "warning",
        f"{units.many(summary.cancelled, 'request')} cut off at the end",
        f"{share} of the requests were still unanswered when their repeat ended, and are not "
        "counted here. The slowest answers are the most likely to be cut, so latencies may be too "
        "short: choose a longer drain, or one without a limit.",
    )


def unknown_tokens(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    unknown = int(np.isnan(successes(measurements).numbers("output_tokens")).sum())
    if not unknown:
        return None
    return Diagnostic(
        "warning",
        f"{unknown} of {summary.ok} answers have no token count",
        "The server did not report usage for them, and chunks are not tokens. They have no "
        "tokens/s, and the throughput of their repeats is unknown. Use a server that "
        "reports usage (stream_options.include_usage).",
    )


def cached_prompts(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    share = cached_share(first_turns(successes(measurements), run.config))
    if share is None or share <= CACHED_SHARE or begin_alike(run.config):
        return None
    return Diagnostic(
        "warning",
        f"{units.share(share)} of the prompt tokens came from a cache",
        "Each prompt begins with a unique nonce, so little should be cached: TTFT may be shorter "
        "than for new prompts. With short prompts this can be the fixed beginning of the "
        "chat template; use longer ones, or switch the server's prefix cache off.",
    )


def all_at_token_limit(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    good = successes(measurements)
    if answers.fixes_lengths(run.config) or not len(good):
        return None
    if not good.texts("finish_reason").are("length").all():
        return None
    if answers.too_short(run, measurements, summary):  # not cut at max_tokens
        return None
    limits = _number_range(np.unique(answers.max_tokens_of(run.config, good)).tolist())
    return Diagnostic(
        "note",
        "Every answer was cut off at the token limit",
        f"All of them have as many tokens as allowed ({limits}). Equal lengths make runs "
        "comparable, but E2E latency is then that of cut answers: raise the limit to measure "
        "whole ones.",
    )


def _number_range(numbers: Sequence[int]) -> str:
    if len(numbers) > 2:
        return f"{numbers[0]:,} to {numbers[-1]:,}"
    return " or ".join(map(str, numbers))


def few_requests(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if not 0 < summary.ok < FLOORS[95]:
        return None
    return Diagnostic(
        "note",
        f"Too few requests for the 95th percentile ({summary.ok})",
        f"p90 needs {FLOORS[90]} successful requests, p95 {FLOORS[95]} and p99 {FLOORS[99]}: with "
        "fewer, they are mostly noise. Send more requests, or use the median.",
    )


def one_repeat(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    if len(summary.repeats) != 1:
        return None
    return Diagnostic(
        "note",
        "One repeat: no uncertainty",
        "It is unknown how much these numbers vary between repeats. With 3 or more repeats a "
        "comparison can say whether a difference is real.",
    )


def repeats_differ(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    rates = [rate for each in summary.repeats if (rate := each.output_tokens_per_s) is not None]
    over = geometric_mean(rates)
    if over is None or over.low is None or over.high is None or over.high <= WIDE * over.low:
        return None
    least, most = map(units.significant, (min(rates), max(rates)))
    return Diagnostic(
        "note",
        f"Output throughput is uncertain: {units.between(over.low, over.high, '')} tokens/s",
        f"That is its 95 % interval, since the {len(rates)} repeats range from {least} to {most}. "
        "Add repeats to narrow it, or find out what changes from one repeat to the next.",
    )
