"""A study's report: its first sentence, what else there is to say, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from services.analysis.compare import FEWEST, MOST, Verdict, compare
from services.base.units import many
from services.studies.best import Best, best
from services.studies.cell import Measured
from services.studies.curves import (
    BatchCurve,
    DeviceCurve,
    batch_curves,
    device_curves,
    rate_of,
    series_of,
)
from services.studies.mixes import Mix, mixes
from services.studies.mixes import sentences as of_mixes
from services.studies.scaling import Row, Scaling, scaling
from services.studies.wording import (
    batch_sentence,
    best_sentence,
    law_sentence,
    speedup_details,
    speedup_headline,
    speedup_sentence,
    varied_sentence,
)
from services.studies.work import series_words

Device = Literal["GPU", "core", "device"]
MOST_PROBLEMS = 5  # said in a sentence; the table has all


@dataclass(frozen=True)
class Report:
    """What a study says. `sentence` comes first; `sentences` are the rest of it, for what was asked
    there; the tables have all. `headline` and `details` are the first sentence in two parts, for
    a title. `notes` say what the numbers do not."""

    scaling: Scaling
    devices: tuple[DeviceCurve, ...]
    batches: tuple[BatchCurve, ...]
    best: tuple[Best, ...]
    device: Device
    headline: str
    details: str
    sentence: str
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    mixes: tuple[Mix, ...] = ()

    @property
    def varied(self) -> str:
        """What was varied, in a sentence, and how much of it has been measured."""
        return varied_sentence(self.scaling)


def report(
    measured: Iterable[Measured],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> Report:
    """Work a study out, whatever of it has been measured. `device` is what one rank runs on: a
    GPU where its memory was sampled, whatever is said."""
    cells = list(measured)
    found, mixed = scaling(cells, usd_per_gpu_hour), mixes(cells)
    if any(row.memory and row.memory.gpu for row in found.rows):
        device = "GPU"
    devices, batches, firsts = device_curves(found), batch_curves(found), best(found)
    head = _head(found)
    first = _first(found, head, batches, device)
    said = list(_sentences(found, head, devices, batches, firsts, device))
    if mixed:  # what such a study is for; the classes alone are other work, no larger batch
        sentence, *said = [*of_mixes(mixed), *_failed(found)]
        headline, _, details = sentence.partition(": ")
        first = (headline, details, sentence)
    elif ways := _ways(found):
        first = (ways[0].headline, ways[0].details, f"{ways[0].headline} {ways[0].details}")
        said = [f"{one.headline} {one.details}" for one in ways[1:]] + list(_failed(found))
    return Report(
        found,
        devices,
        batches,
        firsts,
        device,
        *first,
        tuple(said),
        tuple(_notes(found, device)),
        tuple(mixed),
    )


def _head(found: Scaling) -> Row | None:
    """The speed-up that is said first: the largest work, and on it the most devices."""
    rows = [row for row in found.rows if row.speedup]
    return max(rows, key=_weight, default=None)


def _weight(row: Row) -> tuple[bool, int, int]:
    known = row.speedup is not None and row.speedup.p is not None
    return known, row.work.size or row.work.requests, row.configuration.ranks or 0


def _ways(found: Scaling) -> tuple[Verdict, ...]:
    """Ways of sending the same requests to one server, each against the first: what a study that
    varies nothing else is for."""
    rows = [row for row in found.rows if row.candidates]
    modes = {row.cells[0].cell.config.mode for row in rows}
    same = len({row.work.requests for row in rows}) == 1 == len(found.configurations)
    if not same or len(modes) < 2 or not FEWEST <= len(rows) <= MOST:
        return ()
    return compare([row.candidates[0] for row in rows]).verdicts


def _first(
    found: Scaling, head: Row | None, batches: Sequence[BatchCurve], device: Device
) -> tuple[str, str, str]:
    """The headline, its details, and both in one sentence."""
    if head is not None:
        against = found.labels[head.baseline]
        return (
            speedup_headline(head, against),
            speedup_details(head, against, device),
            speedup_sentence(head, against, device),
        )
    said = _without_speedup(found, batches)
    return said, "", said


def _without_speedup(found: Scaling, batches: Sequence[BatchCurve]) -> str:
    if batches:
        return batch_sentence(max(batches, key=lambda curve: rate_of(curve.best)))
    problems = dict.fromkeys(row.problem for row in found.rows if row.problem)
    if problems:
        return f"Nothing could be measured. {' '.join(list(problems)[:MOST_PROBLEMS])}"
    return "Nothing has been measured yet."


def _sentences(
    found: Scaling,
    head: Row | None,
    devices: Sequence[DeviceCurve],
    batches: Sequence[BatchCurve],
    firsts: Sequence[Best],
    device: Device,
) -> Iterator[str]:
    at_head = [row for row in found.rows if head and row.work == head.work and row is not head]
    for row in at_head:
        if row.speedup:
            yield speedup_sentence(row, found.labels[row.baseline], device)
    law = [c for c in devices if head and c.rows[0].work == head.work and c.rows[0].is_baseline]
    yield from filter(None, (law_sentence(curve, device) for curve in law))
    series = series_of(head.work) if head else None
    known = [c for c in batches if c.knee and series in (None, series_of(c.best.work))]
    if head is not None and known:
        yield batch_sentence(max(known, key=lambda curve: rate_of(curve.best)))
    every = [series_of(work) for work in found.works]
    for one in firsts:
        if series in (None, one.series):
            yield best_sentence(one, series_words(one.series, every))
    yield from _failed(found)


def _failed(found: Scaling) -> Iterator[str]:
    """Cells that came to nothing are results, too."""
    lost: dict[str, list[str]] = {}
    for row in found.rows:
        if row.problem:
            lost.setdefault(row.problem, []).append(row.label)
    if not lost or not any(row.candidates for row in found.rows):
        return
    count = sum(map(len, lost.values()))
    said = [f"{', '.join(dict.fromkeys(of))}: {problem}" for problem, of in lost.items()]
    yield " ".join(
        [f"No result for {count} of {many(len(found.rows), 'cell')}.", *said[:MOST_PROBLEMS]]
    )


def _notes(found: Scaling, device: Device) -> Iterator[str]:
    if device == "core":
        yield (
            "A device here is a share of one CPU's cores, not a machine of its own: devices "
            "compete for cores, memory and caches."
        )
    if any(row.speedup and row.speedup.low is not None for row in found.rows):
        yield (
            "Intervals are 95 % intervals over repeats with one start of the engine; another "
            "start, or another hour, may differ by more. Verdicts are adjusted for several "
            "speed-ups (Holm)."
        )
