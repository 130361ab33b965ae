"""What a mix shows, in sentences that a reader may quote; `slowdown` works it out."""

from __future__ import annotations

from collections.abc import Mapping

from services.analysis.compare.findings import Finding, Word
from services.analysis.compare.wording import clause, within
from services.analysis.statistics import MINIMUM_REPEATS, detectable
from services.ask.workloads.mixed import SHORT
from services.ask.workloads.mixed import alone as alone
from services.base.units import share
from services.studies.slowdown import FAMILY, Judged, chunked
from services.studies.slowdown import InvalidMixing as InvalidMixing
from services.studies.slowdown import Mixing as Mixing
from services.studies.slowdown import mixing as mixing
from services.studies.slowdown import table as table


def sentence(mixing: Mixing) -> str:
    """Say whether short requests wait for long ones, then how each class fared."""
    fair = mixing.fairness
    index = "" if fair is None else f" Jain's index of tokens/s is {fair:.2f} in the mix."
    return _said(mixing.slowdowns, WAITING, "alone") + index


def chunking(on: Mixing, off: Mixing) -> str:
    """Say whether chunked prefill helps the short requests of a mix, and what it costs the long.

    Raises:
        InvalidMixing: the mixes are not the same.
    """
    return _said(chunked(on, off), CHUNKING, "without it")


def _said(judged: Judged, claims: Mapping[Word, str], than: str) -> str:
    first = judged.deciding(SHORT)
    claim = claims[first.word].format(within=within(judged.margin))
    what = FAMILY[first.name][0].partition(" of ")[0]
    if judged.refused:
        return f"{claim}, because {judged.refused}."
    if first.ratio is None:
        return f"{claim}, because the {what} of short requests is not known for both."
    begins = f"{claim}. Their" if first.word == "no verdict" else f"{claim}: their"
    figures = clause(first, judged.margin, than)
    return f"{begins} {what} is {figures}.{_more(first)}{_also(judged, first)}"


def _also(judged: Judged, first: Finding) -> str:
    """The rest of the family, a clause each."""
    said = "; ".join(
        f"{one.label} {clause(one, judged.margin)}"
        for one in judged.findings
        if one is not first and one.ratio is not None
    )
    return f" Also: {said}." if said else ""


def _more(found: Finding) -> str:
    """What more repeats would tell, where these do not."""
    ratio = found.ratio
    assert ratio is not None
    if found.word == "no verdict":
        now = min(ratio.n_reference, ratio.n_other)
        return f" A verdict needs {MINIMUM_REPEATS} or more repeats of each run ({now} now)."
    seen = detectable(ratio, len(FAMILY)) if found.word == "inconclusive" else None
    if seen is None:
        return ""
    return (
        f" Repeats like these detect a difference of {share(seen - 1)} or more four times in five."
    )


WAITING: dict[Word, str] = {
    "slower": "Short requests wait for long ones",
    "faster": "Short requests do not wait for long ones, but are faster beside them",
    "equivalent": "Short requests do not wait for long ones, {within}",
    "inconclusive": "Whether short requests wait for long ones is inconclusive",
    "no verdict": "Whether short requests wait for long ones: no verdict",
}
CHUNKING: dict[Word, str] = {
    "faster": "Chunked prefill helps short requests beside long ones",
    "slower": "Chunked prefill makes short requests beside long ones slower",
    "equivalent": "Chunked prefill makes no difference to short requests, {within}",
    "inconclusive": "Whether chunked prefill helps short requests is inconclusive",
    "no verdict": "Whether chunked prefill helps short requests: no verdict",
}
