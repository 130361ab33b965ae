"""Judge whether runs are faster than the baseline, or why there is no verdict.

One measure decides: output throughput, unless it includes the client's own waiting (a pause after
each answer, an interval between requests), because it then reflects the client as much as the
server. In that case the speed of each request decides: tokens/s, or E2E latency if both runs are
sequential.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from services.analysis.compare.candidate import Candidate, labels_of
from services.analysis.compare.cause import cause_of
from services.analysis.compare.findings import (
    E2E,
    FAMILY,
    MARGIN,
    RATE,
    THROUGHPUT,
    TTFT,
    Finding,
    finding,
    judge,
)
from services.analysis.compare.rows import Row
from services.analysis.compare.wording import Verdict, describe
from services.analysis.statistics import Ratio
from services.ask import modes
from services.ask.measurement import ACTIVE, RunStatus
from services.base import units

ERROR_GAP = 0.01  # share of requests; beyond it, different requests are compared


def verdicts(
    candidates: Sequence[Candidate], rows: Sequence[Row], margin: float = MARGIN
) -> tuple[Verdict, ...]:
    """Judge every run against the first. Differences within `margin` (a share, to be chosen before
    looking at the results) do not matter."""
    names = labels_of(candidates)
    results: list[Verdict] = []
    for index in range(1, len(candidates)):
        baseline, other = candidates[0], candidates[index]
        findings, why_not = findings_of(candidates, rows, index, margin)
        pair, waits = (names[index], names[0]), waits_of(baseline, other)
        waiting = waiting_of(pair, waits)
        cause = cause_of(pair, (other, baseline), finding(findings, TTFT), margin)
        results.append(describe(other.run.id, pair, findings, why_not, margin, waiting, cause))
    return tuple(results)


def findings_of(
    candidates: Sequence[Candidate], rows: Sequence[Row], index: int, margin: float = MARGIN
) -> tuple[tuple[Finding, ...], str]:
    """Judge the candidate at `index` against the first: the findings, the deciding one first, and
    the reason why there is no verdict, or ""."""
    baseline, candidate = candidates[0], candidates[index]
    ratios = {row.metric: row.ratios[index] for row in rows if row.metric in FAMILY}
    why_not = why_no_verdict(
        (baseline.run.status, candidate.run.status),
        (baseline.summary.error_rate, candidate.summary.error_rate),
    )
    waits = any(waits_of(baseline, candidate))
    deciding = deciding_measures([candidate.run.config.mode, baseline.run.config.mode], waits)
    unjudged = (THROUGHPUT,) if waits and not same_pace(baseline, candidate) else ()
    return judge_family(ratios, why_not, deciding, margin, unjudged), why_not


def waits_of(baseline: Candidate, other: Candidate) -> list[str]:
    """Return a description of the client's own waiting in each run, the other run first; "" for no
    waiting."""
    return [modes.client_wait(candidate.run.config) for candidate in (other, baseline)]


def same_pace(baseline: Candidate, other: Candidate) -> bool:
    """Whether the client waits equally in both runs, so that differences in wall time come from
    the server."""
    return modes.client_wait(baseline.run.config) == modes.client_wait(other.run.config) and (
        baseline.run.config.mode == other.run.config.mode
    )


def waiting_of(names: Sequence[str], waits: Sequence[str]) -> str:
    """Describe the client's own waiting: "an interval of 0.2 s", "A: a pause of 2 s"; or ""."""
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
    """Judge one run against the baseline by the ratios of FAMILY; `why_not` is a reason for no
    verdict, or "". The deciding finding comes first: that of the first measure in `deciding` that
    both runs have."""
    findings = judge(ratios, margin, no_verdicts=bool(why_not), without=without)
    ordered = [finding(findings, name) for name in deciding]
    first = next((candidate for candidate in ordered if candidate.ratio is not None), ordered[0])
    return (first, *(candidate for candidate in findings if candidate is not first))


def why_no_verdict(
    statuses: tuple[RunStatus, RunStatus], error_rates: tuple[float | None, float | None]
) -> str:
    """Return the reason why there is no verdict, or "". Arguments are (baseline, other)."""
    return _unfinished(*statuses) or _errors(*error_rates)


def deciding_measures(used: Sequence[str], waits: bool) -> tuple[str, ...]:
    """Return the measures that decide between runs of these modes, by preference. `waits`: the
    throughput of one of them includes the client's own waiting."""
    if all(mode == "sequential" for mode in used):
        return (E2E,)
    return (RATE, E2E) if waits else (THROUGHPUT,)


def errors_differ(baseline: Candidate, other: Candidate) -> bool:
    """Whether the error rates differ by more than one percentage point; False if one is unknown."""
    return bool(_errors(baseline.summary.error_rate, other.summary.error_rate))


def _unfinished(baseline: RunStatus, other: RunStatus) -> str:
    """Why an unfinished run gets no verdict: an incomplete repeat is not comparable with a complete
    one, and stopping when a difference shows up finds false ones (optional stopping)."""
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
    first, second = (units.share(rate) for rate in (baseline, other))
    numbers = "the numbers are those of different requests"
    if 1 in (baseline, other):
        numbers = "there are no numbers to compare"
    return f"the error rates are {first} and {second}, so {numbers}"
