"""Whether a run is faster than the reference, or why nobody can judge it; `wording` says it.

One measure decides: output throughput, or E2E latency where every run
is sequential (with one request at a time, and a pause after it, throughput is mostly the pause).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from services import units
from services.compare.findings import (
    E2E,
    FAMILY,
    MARGIN,
    THROUGHPUT,
    Finding,
    finding,
    judge,
)
from services.compare.rows import Candidate, Row, names_of
from services.compare.wording import Verdict, verdict
from services.measurement import ACTIVE, RunStatus
from services.statistics import (
    Ratio,
)

ERROR_GAP = 0.01  # of the requests; beyond it the answers that count are not the same ones


def verdicts(
    candidates: Sequence[Candidate], rows: Sequence[Row], margin: float = MARGIN
) -> tuple[Verdict, ...]:
    """Judge every run but the first against the first. `margin` is chosen before the runs are
    seen: a difference of that share is too small to matter."""
    names = names_of(candidates)
    decides = deciding(c.run.config.mode for c in candidates)
    found: list[Verdict] = []
    for place in range(1, len(candidates)):
        reference, other = candidates[0], candidates[place]
        ratios = {row.metric: row.ratios[place] for row in rows if row.metric in FAMILY}
        why = refused(
            (reference.run.status, other.run.status),
            (reference.summary.error_rate, other.summary.error_rate),
        )
        findings = judged(ratios, why, decides, margin)
        found.append(verdict(other.run.id, (names[place], names[0]), findings, why, margin))
    return tuple(found)


def judged(
    ratios: Mapping[str, Ratio | None], why_not: str, decides: str, margin: float = MARGIN
) -> tuple[Finding, ...]:
    """Judge one run against the reference, by the ratios of FAMILY; none of them where `refused`
    says why not. The finding of the measure which decides comes first."""
    findings = judge(ratios, margin, refused=bool(why_not))
    first = finding(findings, decides)
    return (first, *(one for one in findings if one is not first))


def refused(
    statuses: tuple[RunStatus, RunStatus], error_rates: tuple[float | None, float | None]
) -> str:
    """Return why there must be no verdict, the reference's status and error rate first; or ""."""
    return _unfinished(*statuses) or _errors(*error_rates)


def deciding(modes: Iterable[str]) -> str:
    """Return the name of the measure that decides among runs of these modes."""
    return E2E if all(mode == "sequential" for mode in modes) else THROUGHPUT


def errors_differ(one: Candidate, other: Candidate) -> bool:
    """Whether the error rates are more than one point apart; not when either is not known."""
    return bool(_errors(one.summary.error_rate, other.summary.error_rate))


def _unfinished(reference: RunStatus, other: RunStatus) -> str:
    """A repeat that was cut short is not like a whole one, and who stops looking when a difference
    shows finds differences that are not there."""
    for status, which in ((other, "this run"), (reference, "its reference")):
        if status in ACTIVE:
            return f"{which} is still being measured"
        if status != "done":
            how = "failed" if status == "failed" else f"was {status}"
            return f"{which} {how}, and has not been measured to its end"
    return ""


def _errors(reference: float | None, other: float | None) -> str:
    if reference is None or other is None or abs(reference - other) <= ERROR_GAP:
        return ""
    rates = [units.share(rate) for rate in (reference, other)]
    return f"the error rates are {rates[0]} and {rates[1]}, so different requests count"
