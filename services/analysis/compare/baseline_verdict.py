"""Verdicts of runs against their baselines, from their stored summaries: the same as on Compare,
without reading any request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.analysis.compare.baseline import Baseline, matching_baselines, of_run
from services.analysis.compare.findings import FAMILY, MARGIN, Finding, Word, margin_among
from services.analysis.compare.ratio_text import within
from services.analysis.compare.rows import ratio_of
from services.analysis.compare.served import differing_facts, join_labels
from services.analysis.compare.stored_summary import values_by_repeat
from services.analysis.compare.verdicts import deciding_measures, judge_family, why_no_verdict
from services.analysis.compare.wording import changed, describe
from services.ask.measurement import RunStatus
from services.ask.modes import MODES, WAITS

BASELINE, OTHER_WORK, OTHER_SERVER = "baseline", "different work", "different server"


class Comparable(Protocol):
    """The fields of a run that are read; `headline` is its `stored_summary`."""

    @property
    def id(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def status(self) -> RunStatus: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def began(self) -> datetime: ...
    @property
    def comparison_id(self) -> int | None: ...
    @property
    def margin(self) -> float | None: ...
    @property
    def headline(self) -> Mapping[str, Any]: ...
    @property
    def server(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class BaselineVerdict:
    """The verdict of one run against its baseline.

    `word` is a verdict word, BASELINE for the baseline itself, or OTHER_WORK if the runs are not
    comparable. `findings` are those of the whole family, the deciding one first; empty if nothing
    was compared. `why_not` is the reason why there is no verdict, or ""; `waiting` describes the
    client's own waiting in both runs, or ""; `differs` lists the differences of their servers.
    """

    run_id: int
    baseline_id: int  # the id of the baseline run
    baselines: tuple[Baseline, ...]  # that make it the baseline
    word: str
    findings: tuple[Finding, ...] = ()
    why_not: str = ""
    margin: float = MARGIN
    waiting: str = ""
    differs: tuple[str, ...] = ()


def baseline_verdicts(
    runs: Iterable[Comparable],
    baselines: Sequence[Baseline],
    baseline_runs: Mapping[int, Comparable],
    tag: str = "",
    model: str = "",
) -> dict[int, BaselineVerdict]:
    """Return the verdict of each run against its baseline, by run id.

    Runs without a baseline, older than it, or not done are left out. `tag` and `model` are the
    current filters, see `matching_baselines`.
    """
    verdicts = {
        run.id: _baseline_verdict(run, baselines, baseline_runs, tag, model) for run in runs
    }
    return {run_id: verdict for run_id, verdict in verdicts.items() if verdict is not None}


def _baseline_verdict(
    run: Comparable,
    baselines: Sequence[Baseline],
    baseline_runs: Mapping[int, Comparable],
    tag: str,
    model: str,
) -> BaselineVerdict | None:
    if own := of_run(run.id, baselines):
        return BaselineVerdict(run.id, run.id, own, BASELINE)
    if run.status != "done":
        return None
    for baseline in matching_baselines(run, baselines, tag, model):
        baseline_run = baseline_runs.get(baseline.run_id)
        if baseline_run is not None and baseline_run.began < run.began:
            return compare_with_baseline(baseline_run, run, baseline)
    return None


def compare_with_baseline(
    baseline_run: Comparable, run: Comparable, baseline: Baseline
) -> BaselineVerdict | None:
    """Judge a run against a baseline; None if an older version stored too little of either."""
    before, after = baseline_run.headline, run.headline
    if "by_repeat" not in before or "by_repeat" not in after:
        return None
    if before.get("work") != after.get("work"):
        return BaselineVerdict(run.id, baseline_run.id, (baseline,), OTHER_WORK)
    paired = run.comparison_id is not None and run.comparison_id == baseline_run.comparison_id
    ratios = {
        name: ratio_of(values_by_repeat(before, name), values_by_repeat(after, name), paired)
        for name in FAMILY
    }
    error_rates = before.get("error_rate"), after.get("error_rate")
    why_not = why_no_verdict((baseline_run.status, run.status), error_rates)
    margin = margin_among((baseline_run.margin, run.margin))
    waiting = waiting_in(after, run.mode)
    deciding = deciding_measures((baseline_run.mode, run.mode), bool(waiting))
    findings = judge_family(ratios, why_not, deciding, margin)
    return BaselineVerdict(
        run.id,
        baseline_run.id,
        (baseline,),
        findings[0].word,
        findings,
        why_not,
        margin,
        waiting,
        differing_facts(baseline_run.server, run.server),
    )


def waiting_in(summary: Mapping[str, Any], mode: str) -> str:
    """Return the description of the client's own waiting in a stored summary, or that of the mode
    if an older version did not store it."""
    field = MODES[mode].wait_field if mode in MODES else ""
    return str(summary.get("waiting", WAITS.get(field, "")))


def sentence(verdict: BaselineVerdict) -> str:
    """Return the full text of a verdict. Slow for inconclusive ones (see `wording.describe`), so
    call it for single runs."""
    if verdict.word == BASELINE:
        of = ", ".join(f"{baseline.kind} {baseline.value}" for baseline in verdict.baselines)
        return f"Run {verdict.run_id} is the baseline of {of}."
    names = f"Run {verdict.run_id}", f"run {verdict.baseline_id}"
    if verdict.word == OTHER_WORK:
        return (
            f"{names[0]} did different work than {names[1]}, its baseline: a different load, "
            "prompts, lengths, sampling or client. They cannot be compared."
        )
    verdict_text = describe(
        verdict.run_id,
        names,
        verdict.findings,
        verdict.why_not,
        verdict.margin,
        verdict.waiting,
    )
    other = f" {compare_again_sentence(verdict)}" if verdict.differs else ""
    return verdict_text.sentence + other


def compare_again_sentence(verdict: BaselineVerdict) -> str:
    """Return a sentence on the differences of the servers."""
    verb = "differs" if len(verdict.differs) == 1 else "differ"
    return f"It ran on a different server than the baseline: {join_labels(verdict.differs)} {verb}."


def brief(verdict: BaselineVerdict) -> str:
    """Return a verdict as a table cell: `faster, 8 % higher (different server)`."""
    judged = verdict.findings and verdict.word != "no verdict"
    return f"{short(verdict)} ({OTHER_SERVER})" if judged and verdict.differs else short(verdict)


def short(verdict: BaselineVerdict) -> str:
    """Return a verdict without saying whether the servers differ."""
    if verdict.word == "equivalent":
        return f"≈ {within(verdict.margin)}"
    first = _judged(verdict)
    return verdict.word if first is None else f"{verdict.word}, {changed(first)}"


def decided_by(verdict: BaselineVerdict) -> str:
    """Return the measure whose ratio `short` gives, as "output throughput", or ""."""
    first = _judged(verdict)
    return "" if first is None else first.label


def _judged(verdict: BaselineVerdict) -> Finding | None:
    """The finding with the ratio that decided; None if there is no verdict."""
    first = verdict.findings[0] if verdict.findings else None
    unknown = first is None or first.ratio is None or verdict.word == "no verdict"
    return None if unknown else first


def as_row(verdict: BaselineVerdict) -> dict[str, Any]:
    """Return a verdict as one flat, JSON-ready row; `speed` is that of `measure`, with its 95 %
    interval (see `Finding`). None: not known."""
    first = verdict.findings[0] if verdict.findings else None
    speed, low, high = (first.speed if first else None) or (None, None, None)
    return {
        "baseline": verdict.baseline_id,
        "kind": verdict.baselines[0].kind,
        "value": verdict.baselines[0].value,
        "word": verdict.word,
        "measure": first and first.name,
        "speed": speed,
        "low": low,
        "high": high,
        "differs": list(verdict.differs),
    }


def word_for(verdict: BaselineVerdict, measure: str) -> Word | None:
    """Return the verdict by one measure; None if it was not compared."""
    return next((finding.word for finding in verdict.findings if finding.name == measure), None)
