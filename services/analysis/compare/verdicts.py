"""Whether a run is faster than the baseline, or why nobody can judge it; `wording` says it.

One measure decides: output throughput, unless the client's own waiting is in it (a pause after
each answer, an interval between requests), for then it says as much of the client as of the
server. There the speed of each request decides: E2E latency where both runs are sequential, else
tokens/s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from services.analysis.compare.findings import (
    E2E,
    FAMILY,
    MARGIN,
    RATE,
    THROUGHPUT,
    Finding,
    finding,
    judge,
)
from services.analysis.compare.rows import Candidate, Row, names_of
from services.analysis.compare.wording import Verdict, describe
from services.analysis.statistics import Ratio
from services.ask import modes
from services.ask.measurement import ACTIVE, RunStatus
from services.base import units

ERROR_GAP = 0.01  # of the requests; beyond it the answers that count are not the same ones


def verdicts(
    candidates: Sequence[Candidate], rows: Sequence[Row], margin: float = MARGIN
) -> tuple[Verdict, ...]:
    """Judge every run but the first against the first. `margin` is chosen before the runs are
    seen: a difference of that share is too small to matter."""
    names = names_of(candidates)
    results: list[Verdict] = []
    for index in range(1, len(candidates)):
        baseline, other = candidates[0], candidates[index]
        ratios = {row.metric: row.ratios[index] for row in rows if row.metric in FAMILY}
        why_not = why_no_verdict(
            (baseline.run.status, other.run.status),
            (baseline.summary.error_rate, other.summary.error_rate),
        )
        pair, configs = (names[index], names[0]), (other.run.config, baseline.run.config)
        waits = [modes.client_wait(config) for config in configs]
        deciding = deciding_measures([config.mode for config in configs], any(waits))
        unjudged = (THROUGHPUT,) if any(waits) and not same_pace(baseline, other) else ()
        findings = judge_family(ratios, why_not, deciding, margin, unjudged)
        waiting = waiting_of(pair, waits)
        results.append(describe(other.run.id, pair, findings, why_not, margin, waiting))
    return tuple(results)


def same_pace(baseline: Candidate, other: Candidate) -> bool:
    """Whether the client waits alike in both, so that more by wall time is the server's doing."""
    return modes.client_wait(baseline.run.config) == modes.client_wait(other.run.config) and (
        baseline.run.config.mode == other.run.config.mode
    )


def waiting_of(names: Sequence[str], waits: Sequence[str]) -> str:
    """Say where the client itself waits: "an interval of 0.2 s", "A: a pause of 2 s"; or ""."""
    if len(set(waits)) == 1:
        return waits[0]
    return "; ".join(f"{name}: {wait}" for name, wait in zip(names, waits, strict=True) if wait)


def judge_family(
    ratios: Mapping[str, Ratio | None],
    why_not: str,
    deciding: Sequence[str],
    margin: float = MARGIN,
    without: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Judge one run against the baseline by the ratios of FAMILY, or none of them if there is a
    reason `why_not`. The deciding finding comes first: that of the first measure in `deciding`
    which both runs have."""
    findings = judge(ratios, margin, no_verdicts=bool(why_not), without=without)
    ordered = [finding(findings, name) for name in deciding]
    first = next((candidate for candidate in ordered if candidate.ratio is not None), ordered[0])
    return (first, *(candidate for candidate in findings if candidate is not first))


def why_no_verdict(
    statuses: tuple[RunStatus, RunStatus], error_rates: tuple[float | None, float | None]
) -> str:
    """Return why there must be no verdict, the baseline's status and error rate first; or ""."""
    return _unfinished(*statuses) or _errors(*error_rates)


def deciding_measures(used: Sequence[str], waits: bool) -> tuple[str, ...]:
    """Return the measures that decide between runs of these modes, the first that is known;
    `waits`: the client's own waiting is in the throughput of one of them."""
    if all(mode == "sequential" for mode in used):
        return (E2E,)
    return (RATE, E2E) if waits else (THROUGHPUT,)


def errors_differ(baseline: Candidate, other: Candidate) -> bool:
    """Whether the error rates are more than one point apart; not when either is not known."""
    return bool(_errors(baseline.summary.error_rate, other.summary.error_rate))


def _unfinished(baseline: RunStatus, other: RunStatus) -> str:
    """A repeat that was cut short is not like a whole one, and who stops looking when a difference
    shows finds differences that are not there."""
    for status, which in ((other, "this run"), (baseline, "its baseline")):
        if status in ACTIVE:
            return f"{which} is still being measured"
        if status != "done":
            how = "failed" if status == "failed" else f"was {status}"
            return f"{which} {how} before it finished"
    return ""


def _errors(baseline: float | None, other: float | None) -> str:
    if baseline is None or other is None or abs(baseline - other) <= ERROR_GAP:
        return ""
    rates = [units.share(rate) for rate in (baseline, other)]
    return f"the error rates are {rates[0]} and {rates[1]}, so different requests count"
