"""Why one run's TTFT differs from another's, if both servers report its parts."""

from __future__ import annotations

from services.analysis.compare.candidate import Candidate
from services.analysis.compare.findings import Finding
from services.analysis.compare.ratio_text import TIME, change, conjunction
from services.analysis.summary.repeats import successes
from services.analysis.ttft_phases import (
    LOAD,
    NETWORK,
    PREFILL,
    QUEUE,
    REST,
    TtftPhases,
    ttft_phases,
)
from services.base.units import show

ENOUGH = 0.9  # share of the requests whose parts must be known
WORDS = {
    QUEUE: "queueing in the server",
    LOAD: "loading the model",
    PREFILL: "prefill",
    NETWORK: "network and other",
    REST: "queueing, network and other, which the server does not report separately",
}


def cause_of(
    names: tuple[str, str], candidates: tuple[Candidate, Candidate], ttft: Finding, margin: float
) -> str:
    """Return a sentence on the part of TTFT that contributes most to a difference; "" if there is
    no significant difference, or the parts of one run are unknown. `names` and `candidates` are
    (run, baseline)."""
    if ttft.word not in ("faster", "slower"):
        return ""
    found = [ttft_phases(successes(candidate.measurements)) for candidate in candidates]
    run, baseline = found
    if run is None or baseline is None or run.queue_known != baseline.queue_known:
        return ""
    if min(_covered(run), _covered(baseline)) < ENOUGH or not baseline.mean_s:
        return ""
    ratio, more = run.mean_s / baseline.mean_s, run.mean_s - baseline.mean_s
    if abs(ratio - 1) <= margin:
        return ""
    parts = _differences(run, baseline)
    name = max(parts, key=lambda part: parts[part] / more)
    share = parts[name] / more
    much = f"{share * 100:.0f} %" if share < 0.995 else "all" if share < 1.005 else "more than all"
    return (
        f"The mean TTFT of {names[0]} is {change(ratio, TIME)} "
        f"{conjunction(ratio)} that of {names[1]} "
        f"({show(run.mean_s, 's')} against {show(baseline.mean_s, 's')}); "
        f"{much} of the difference is {WORDS[name]}."
    )


def _covered(phases: TtftPhases) -> float:
    return phases.requests / phases.of


def _differences(run: TtftPhases, baseline: TtftPhases) -> dict[str, float]:
    """By how many seconds the mean of each part is longer; a part that a run lacks counts as 0."""
    ours, theirs = ({p.name: p.mean_s for p in phases.phases} for phases in (run, baseline))
    return {n: ours.get(n, 0.0) - theirs.get(n, 0.0) for n in WORDS if n in ours or n in theirs}
