"""One measure of many runs over time, each with its verdict against the baseline."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from services.analysis.compare.baseline import Baseline
from services.analysis.compare.baseline_verdict import (
    BASELINE,
    OTHER_SERVER,
    OTHER_WORK,
    BaselineVerdict,
    Comparable,
    baseline_verdicts,
    word_for,
)
from services.analysis.compare.findings import FAMILY
from services.analysis.compare.ratio_text import within
from services.analysis.compare.served import join_labels
from services.analysis.compare.server_changes import Change, changes, warning
from services.analysis.compare.stored_summary import values_by_repeat
from services.analysis.statistics.geometric_mean import GeometricMean, geometric_mean
from services.base.units import many

NO_VERDICT = "no verdict"
LISTED = 8  # the most runs to list in a sentence
KINDS = "kinds of work (by mode, requests, prompts and lengths)"
MIXED = "A step between two may come from that. Filter by mode or tag."


class Named(Comparable, Protocol):
    """A run that can be compared with a baseline, and its name."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Point:
    """One run: when it began, its level in the unit of the measure, and its verdict word or
    BASELINE."""

    run_id: int
    name: str
    began: datetime
    level: GeometricMean
    word: str
    differs: tuple[str, ...] = ()  # differences from the baseline's server
    server: Mapping[str, Any] = field(default_factory=dict)  # known facts, see `served`


@dataclass(frozen=True, slots=True)
class Trend:
    """The runs in time order, their common baseline (None if there is none, or several), sentences
    about them, where the server changes, and how many kinds of work they did."""

    measure: str
    points: tuple[Point, ...]
    baseline: Point | None
    sentences: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    works: int = 0

    @property
    def warning(self) -> str:
        """What else a step along the line may come from: changes of the server, and different work;
        "" if there is neither."""
        mixed = f"These runs have {self.works} {KINDS}. {MIXED}" if self.works > 1 else ""
        return " ".join(filter(None, (warning(self.changes), mixed)))


def trend(
    runs: Sequence[Named],
    baselines: Sequence[Baseline],
    baseline_runs: Mapping[int, Named],
    measure: str,
    tag: str = "",
    model: str = "",
) -> Trend:
    """Return the trend of a measure of FAMILY; arguments as in `baseline_verdicts`.

    If runs are filtered by a tag or model that has a baseline, only that baseline is used. Runs
    that did different work from their baseline are left out, as they are not comparable.
    """
    wanted = {("tag", tag), ("model", model)}
    own = sorted(
        (baseline for baseline in baselines if (baseline.kind, baseline.value) in wanted),
        key=lambda p: p.kind,
    )
    verdicts = baseline_verdicts(
        runs, own[-1:] or baselines, baseline_runs
    )  # "model" < "tag": a tag's takes precedence
    named = {verdict.baseline_id for verdict in verdicts.values()} | {p.run_id for p in own[-1:]}
    baseline = baseline_runs.get(next(iter(named))) if len(named) == 1 else None
    same = [run for run in runs if _same_work(run, verdicts.get(run.id), baseline)]
    points = [p for run in same if (p := _point(run, verdicts.get(run.id), measure)) is not None]
    points.sort(key=lambda point: (point.began, point.run_id))
    line = _point(baseline, None, measure, BASELINE) if baseline else None
    sentences = _sentences(points, line, len(named), len(runs) - len(same), verdicts)
    drawn = {point.run_id for point in points}
    works = {run.headline.get("work") for run in same if run.id in drawn} - {None}
    return Trend(measure, tuple(points), line, sentences, changes(points), len(works))


def _same_work(run: Named, verdict: BaselineVerdict | None, baseline: Named | None) -> bool:
    if baseline is not None:
        return run.headline.get("work") == baseline.headline.get("work")
    return verdict is None or verdict.word != OTHER_WORK


def _point(
    run: Named, verdict: BaselineVerdict | None, measure: str, word: str = ""
) -> Point | None:
    numbers = list(values_by_repeat(run.headline, measure).values())
    if not numbers and (whole := run.headline.get(measure)):  # from an older version
        numbers = [whole]
    run_level = geometric_mean(numbers)
    if run_level is None:
        return None
    if verdict is not None and verdict.word == BASELINE:
        word = BASELINE
    word = word or (verdict and word_for(verdict, measure)) or NO_VERDICT
    differs = verdict.differs if verdict else ()
    return Point(run.id, run.name, run.began, run_level, word, differs, run.server)


def _sentences(
    points: Sequence[Point],
    baseline: Point | None,
    baseline_runs: int,
    other_work: int,
    verdicts: Mapping[int, BaselineVerdict],
) -> tuple[str, ...]:
    judged = [p for p in points if p.run_id in verdicts and p.word != BASELINE]
    others = {p.run_id: p.differs for p in judged if p.differs}
    of = {word: [p.run_id for p in judged if p.word == word] for word in WORDS}
    sentences = (
        [_since(len(judged), of["slower"], of["faster"], baseline, baseline_runs, others)]
        if baseline_runs
        else [NO_BASELINE]
    )
    sentences += [
        f"{_runs_are(ids, others)} {WORDS[word]}{_margin_note(word, ids, verdicts)}."
        for word, ids in of.items()
        if ids and word not in ("slower", "faster")
    ]
    for differs in dict.fromkeys(others.values()):
        ids = [run_id for run_id, other_differs in others.items() if other_differs == differs]
        sentences.append(
            f"{_run_list(ids).capitalize()} ran on a different server than the baseline: "
            f"{join_labels(differs)} {'differs' if len(differs) == 1 else 'differ'}."
        )
    if of["slower"] or of["faster"]:
        sentences.append(CHANCE)
    if baseline_runs > 1:
        sentences.append(
            f"These runs have {baseline_runs} different baselines. Filter the list to one of them."
        )
    if other_work:
        sentences.append(_hidden_runs_sentence(other_work))
    return tuple(sentences)


def _margin_note(word: str, ids: Sequence[int], verdicts: Mapping[int, BaselineVerdict]) -> str:
    """The margin within which runs are equivalent, chosen before each comparison."""
    if word != "equivalent":
        return ""
    margins = {verdicts[run_id].margin for run_id in ids}
    return f", {within(margins.pop())}" if len(margins) == 1 else ", each within its own margin"


def _since(
    judged: int,
    slower: Sequence[int],
    faster: Sequence[int],
    baseline: Point | None,
    baseline_runs: int,
    others: Collection[int],
) -> str:
    """How many of the runs since the baseline are faster and slower than it, and which."""
    since = (
        f"the baseline (run {baseline.run_id})" if baseline else f"their {baseline_runs} baselines"
    )
    if not judged:
        return f"No run has been measured since {since}."
    if judged == 1:
        known = {"faster": faster, "slower": slower}
        found = [f"{word}: {_run_list(ids, others)}" for word, ids in known.items() if ids]
        return f"The only run since {since} is {found[0] if found else 'not measurably different'}."
    runs = f"Of {many(judged, 'run')} since {since},"
    if not slower and not faster:
        return f"{runs} none is measurably faster or slower."
    parts = [
        f"{'one is' if len(ids) == 1 else f'{len(ids)} are'} {word}: {_run_list(ids, others)}"
        if ids
        else f"none is measurably {word}"
        for word, ids in (("faster", faster), ("slower", slower))
    ]
    return f"{runs} {'; '.join(parts)}."


def _runs_are(ids: Sequence[int], others: Collection[int]) -> str:
    return f"{_run_list(ids, others).capitalize()} {'is' if len(ids) == 1 else 'are'}"


def _hidden_runs_sentence(count: int) -> str:
    if count == 1:
        return "One run did different work and is not shown."
    return f"{many(count, 'run')} did different work and are not shown."


def _run_list(ids: Iterable[int], others: Collection[int] = ()) -> str:
    """`run 41`, `runs 41 and 44`, `runs 1, 2, 3, 4, 5, 6, 7, 8 and 12 more`; runs in `others` are
    marked with OTHER_SERVER."""
    numbers = [
        f"{run_id} ({OTHER_SERVER})" if run_id in others else str(run_id) for run_id in sorted(ids)
    ]
    if len(numbers) == 1:
        return f"run {numbers[0]}"
    if len(numbers) > LISTED:
        return f"runs {', '.join(numbers[:LISTED])} and {len(numbers) - LISTED} more"
    return f"runs {', '.join(numbers[:-1])} and {numbers[-1]}"


NO_BASELINE = (
    "To see whether it is getting faster, set a baseline to compare with: open a run, and choose "
    "Baseline in its “…” menu."
)
CHANCE = (
    "Each run is tested separately: about one in twenty identical runs is called different by "
    "chance."
)
WORDS = {  # in the order of the sentence
    "slower": "slower",
    "faster": "faster",
    "equivalent": "equivalent",
    "inconclusive": "inconclusive",
    NO_VERDICT: "without a verdict",
}
MEASURES = tuple(FAMILY)
