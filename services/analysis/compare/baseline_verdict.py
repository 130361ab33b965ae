"""How a run stands to its reference, by what both have kept in short: the verdict of Compare,
without reading a request again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from services.analysis.compare.baseline import Pin, fitting, of_run
from services.analysis.compare.findings import FAMILY, MARGIN, Finding, Word, margin_among
from services.analysis.compare.headline import by_place
from services.analysis.compare.rows import ratio_of
from services.analysis.compare.served import differing, listed
from services.analysis.compare.verdicts import deciding, judged, refused
from services.analysis.compare.wording import changed, verdict, within
from services.ask.measurement import RunStatus
from services.ask.modes import MODES, WAITS

REFERENCE, OTHER_WORK, OTHER_SERVER = "reference", "other work", "another server"


class Standable(Protocol):
    """What is looked at of a run; `headline` as `services.analysis.compare.headline` keeps it."""

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
    def trial_id(self) -> int | None: ...
    @property
    def margin(self) -> float | None: ...
    @property
    def headline(self) -> Mapping[str, Any]: ...
    @property
    def server(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What is said of one run against its reference.

    `word` is a verdict's, or REFERENCE of the reference itself, or OTHER_WORK, which allows none.
    `findings` has every measure of the family, that one first by which the word is; it is empty
    where nothing was compared. `why_not` says why there must be no verdict, or ""; `waiting` where
    the client itself waits in both, or ""; `differs` what is not the same of their servers.
    """

    run_id: int
    reference: int  # a run's id
    pins: tuple[Pin, ...]  # by which it is the reference
    word: str
    findings: tuple[Finding, ...] = ()
    why_not: str = ""
    margin: float = MARGIN
    waiting: str = ""
    differs: tuple[str, ...] = ()


def standings(
    runs: Iterable[Standable],
    pins: Sequence[Pin],
    references: Mapping[int, Standable],
    tag: str = "",
    model: str = "",
) -> dict[int, Standing]:
    """Return how each run stands, by id; those without a reference, and those that are older than
    it or not done, are left out. `references` holds the pinned runs; `tag` and `model` are what a
    list is narrowed to, see `fitting`."""
    found = {run.id: _standing(run, pins, references, tag, model) for run in runs}
    return {run_id: standing for run_id, standing in found.items() if standing is not None}


def _standing(
    run: Standable,
    pins: Sequence[Pin],
    references: Mapping[int, Standable],
    tag: str,
    model: str,
) -> Standing | None:
    if own := of_run(run.id, pins):
        return Standing(run.id, run.id, own, REFERENCE)
    if run.status != "done":
        return None
    for pin in fitting(run, pins, tag, model):
        reference = references.get(pin.run_id)
        if reference is not None and reference.began < run.began:
            return against(reference, run, pin)
    return None


def against(reference: Standable, run: Standable, pin: Pin) -> Standing | None:
    """Judge a run against a reference; None where an older Paceline kept too little of either."""
    one, other = reference.headline, run.headline
    if "by_repeat" not in one or "by_repeat" not in other:
        return None
    if one.get("work") != other.get("work"):
        return Standing(run.id, reference.id, (pin,), OTHER_WORK)
    turns = run.trial_id is not None and run.trial_id == reference.trial_id
    ratios = {name: ratio_of(by_place(one, name), by_place(other, name), turns) for name in FAMILY}
    rates = one.get("error_rate"), other.get("error_rate")
    why_not = refused((reference.status, run.status), rates)
    margin = margin_among((reference.margin, run.margin))
    waiting = waiting_in(other, run.mode)
    decides = deciding((reference.mode, run.mode), bool(waiting))
    findings = judged(ratios, why_not, decides, margin)
    word = findings[0].word
    apart = differing(reference.server, run.server)
    return Standing(run.id, reference.id, (pin,), word, findings, why_not, margin, waiting, apart)


def waiting_in(headline: Mapping[str, Any], mode: str) -> str:
    """Return where the client itself waits, as a headline keeps it; of a run that an older Paceline
    measured, as its mode does."""
    field = MODES[mode].waits if mode in MODES else ""
    return str(headline.get("waiting", WAITS.get(field, "")))


def sentence(standing: Standing) -> str:
    """Return what there is to say, in full: for one run, since a part of it takes a while."""
    if standing.word == REFERENCE:
        of = ", ".join(f"{pin.kind} {pin.value}" for pin in standing.pins)
        return f"Run {standing.run_id} is the reference of {of}."
    names = f"Run {standing.run_id}", f"run {standing.reference}"
    if standing.word == OTHER_WORK:
        return (
            f"{names[0]} was asked for other work than {names[1]}, its reference: another load, "
            "other prompts, lengths or sampling, or another client. There is no verdict on that."
        )
    said = verdict(
        standing.run_id,
        names,
        standing.findings,
        standing.why_not,
        standing.margin,
        standing.waiting,
    )
    other = f" {another(standing)}" if standing.differs else ""
    return said.sentence + other


def another(standing: Standing) -> str:
    """Say that another server was measured."""
    verb = "differs" if len(standing.differs) == 1 else "differ"
    return f"It ran on a different server than the reference: {listed(standing.differs)} {verb}."


def brief(standing: Standing) -> str:
    """Return a standing in a cell of a table: `faster, 8 % higher`, `≈ within ±5 %`."""
    other = f" ({OTHER_SERVER})" if standing.differs else ""
    if standing.word == "equivalent":
        return f"≈ {within(standing.margin)}{other}"
    first = standing.findings[0] if standing.findings else None
    if first is None or first.ratio is None or standing.word == "no verdict":
        return standing.word
    return f"{standing.word}, {changed(first)}{other}"


def as_row(standing: Standing) -> dict[str, Any]:
    """Return a standing as one flat, JSON-ready row; `speed` says how many times as fast, with its
    95 % interval, by `measure`. None: not known."""
    first = standing.findings[0] if standing.findings else None
    speed, low, high = (first.speed if first else None) or (None, None, None)
    return {
        "reference": standing.reference,
        "kind": standing.pins[0].kind,
        "value": standing.pins[0].value,
        "word": standing.word,
        "measure": first and first.name,
        "speed": speed,
        "low": low,
        "high": high,
        "differs": list(standing.differs),
    }


def word_by(standing: Standing, measure: str) -> Word | None:
    """Return what is said by one measure; None where nothing can be."""
    return next((one.word for one in standing.findings if one.name == measure), None)
