"""The result of a mix in sentences; `slowdown` computes it."""

from __future__ import annotations

from collections.abc import Mapping

from services.analysis.compare.findings import Finding, Word
from services.analysis.compare.ratio_text import within
from services.analysis.compare.wording import clause
from services.analysis.statistics import MINIMUM_REPEATS, detectable
from services.ask.workloads.mixed import SHORT
from services.ask.workloads.mixed import alone as alone
from services.base.units import share
from services.studies.slowdown import FAMILY, ClassComparison, chunked
from services.studies.slowdown import InvalidMixing as InvalidMixing
from services.studies.slowdown import Mixing as Mixing
from services.studies.slowdown import mixing as mixing
from services.studies.slowdown import table as table


def sentence(mixing: Mixing) -> str:
    """Return a sentence on whether short requests wait for long ones, and the effect on each
    class."""
    fair = mixing.fairness
    index = "" if fair is None else f" Jain's index of tokens/s is {fair:.2f} in the mix."
    return _compared(mixing.slowdowns, WAITING, "alone") + index


def chunking(on: Mixing, off: Mixing) -> str:
    """Return a sentence on whether chunked prefill helps the short requests of a mix, and what it
    costs the long ones.

    Raises:
        InvalidMixing: the mixes are not the same.
    """
    return _compared(chunked(on, off), CHUNKING, "without it")


def _compared(compared: ClassComparison, claims: Mapping[Word, str], than: str) -> str:
    first = compared.deciding(SHORT)
    claim = claims[first.word].format(within=within(compared.margin))
    measure = FAMILY[first.name][0].partition(" of ")[0]
    if compared.why_not:
        return f"{claim}, because {compared.why_not}."
    if first.ratio is None:
        return f"{claim}, because the {measure} of short requests is not known for both."
    begins = f"{claim}. Their" if first.word == "no verdict" else f"{claim}: their"
    figures = clause(first, compared.margin, than)
    return (
        f"{begins} {measure} is {figures}.{_more_repeats(first)}{_other_findings(compared, first)}"
    )


def _other_findings(compared: ClassComparison, first: Finding) -> str:
    """A clause for each of the other findings."""
    clauses = "; ".join(
        f"{other.label} {clause(other, compared.margin)}"
        for other in compared.findings
        if other is not first and other.ratio is not None
    )
    return f" Also: {clauses}." if clauses else ""


def _more_repeats(finding: Finding) -> str:
    """How many repeats a verdict needs, or which difference these repeats can detect."""
    ratio = finding.ratio
    assert ratio is not None
    if finding.word == "no verdict":
        now = min(ratio.n_reference, ratio.n_other)
        return f" A verdict needs {MINIMUM_REPEATS} or more repeats of each run ({now} now)."
    smallest = detectable(ratio, len(FAMILY)) if finding.word == "inconclusive" else None
    if smallest is None:
        return ""
    percent = share(smallest - 1)
    return f" In 80 % of cases, repeats like these detect a difference of {percent} or more."


WAITING: dict[Word, str] = {
    "slower": "Short requests wait for long ones",
    "faster": "Short requests do not wait for long ones, but are faster next to them",
    "equivalent": "Short requests do not wait for long ones, {within}",
    "inconclusive": "Whether short requests wait for long ones is inconclusive",
    "no verdict": "Whether short requests wait for long ones: no verdict",
}
CHUNKING: dict[Word, str] = {
    "faster": "Chunked prefill helps short requests next to long ones",
    "slower": "Chunked prefill makes short requests next to long ones slower",
    "equivalent": "Chunked prefill makes no difference to short requests, {within}",
    "inconclusive": "Whether chunked prefill helps short requests is inconclusive",
    "no verdict": "Whether chunked prefill helps short requests: no verdict",
}
