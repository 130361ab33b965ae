"""A study's report: its headline, its sentences, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.analysis.compare import FEWEST, MOST, Verdict, compare
from services.base.units import many
from services.servers.engines import ray_serve
from services.studies.best import BestConfiguration, best
from services.studies.best_wording import best_sentence
from services.studies.cell import MeasuredCell
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
from services.studies.swept import swept_axis
from services.studies.wording import (
    batch_sentence,
    law_sentence,
    speedup_details,
    speedup_headline,
    speedup_sentence,
    swept_sentence,
    varied_sentence,
)
from services.studies.work import differing_labels, size_name

Device = Literal["GPU", "core", "device"]
MAX_PROBLEMS = 5  # in a sentence; the table has all


class MainFinding(NamedTuple):
    """The first finding of a report: as a headline with details, and as one sentence."""

    headline: str
    details: str
    sentence: str


@dataclass(frozen=True)
class Report:
    """The result of a study. `sentence` is the main finding, `sentences` are the others; `headline`
    and `details` are the main finding in two parts, for a title. `notes` are caveats."""

    scaling: Scaling
    devices: tuple[DeviceCurve, ...]
    batches: tuple[BatchCurve, ...]
    best: tuple[BestConfiguration, ...]
    device: Device
    headline: str
    details: str
    sentence: str
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    mixes: tuple[Mix, ...] = ()
    pending: int = 0  # cells that are still to be measured

    @property
    def varied(self) -> str:
        """A sentence on what was varied and how many cells were measured."""
        return varied_sentence(self.scaling)


def report(
    measured: Iterable[MeasuredCell],
    usd_per_gpu_hour: float | None = None,
    device: Device = "device",
) -> Report:
    """Return the report on what has been measured so far. `device` is what one rank runs on; it is
    a GPU if GPU memory was sampled."""
    cells = list(measured)
    scaled, mixed = scaling(cells, usd_per_gpu_hour), mixes(cells)
    if any(row.memory and row.memory.gpu for row in scaled.rows):
        device = "GPU"
    devices, batches = device_curves(scaled), batch_curves(scaled)
    winners = tuple(winner for winner in best(scaled) if _is_worth_reporting(winner, scaled))
    row = _largest_speedup(scaled)
    pending = sum(cell.candidate is None and cell.problem is None for cell in cells)
    finding = _main_finding(scaled, row, batches, device, ended=not pending)
    sentences = list(_sentences(scaled, row, devices, batches, winners, device, not pending))
    if mixed:  # the mixes are the subject of such a study; its classes alone are not a batch sweep
        sentence, *sentences = [*of_mixes(mixed), *_failed(scaled)]
        headline, _, details = sentence.partition(": ")
        finding = MainFinding(headline, details, sentence)
    elif verdicts := _mode_verdicts(scaled):
        first, *others = verdicts
        finding = MainFinding(first.headline, first.details, _joined(first))
        sentences = [*map(_joined, others), *_failed(scaled)]
    if pending and any(cell.candidate for cell in cells):
        finding = _so_far(finding, len(cells) - pending, len(cells))
    return Report(
        scaled,
        devices,
        batches,
        winners,
        device,
        *finding,
        tuple(sentences),
        tuple(_notes(scaled, device)),
        tuple(mixed),
        pending,
    )


def _so_far(finding: MainFinding, ended: int, cells: int) -> MainFinding:
    lead = f"So far, after {ended} of {many(cells, 'cell')}: "
    return MainFinding(lead + finding.headline, finding.details, lead + finding.sentence)


def _is_worth_reporting(winner: BestConfiguration, scaling: Scaling) -> bool:
    """Whether the best was one of several, or all that was measured."""
    return winner.runner_up is not None or len(winner.among) > 1 or len(scaling.works) == 1


def _largest_speedup(scaling: Scaling) -> Row | None:
    """The speed-up for the headline: at the largest work, on the most devices."""
    rows = [row for row in scaling.rows if row.speedup]
    return max(rows, key=_speedup_rank, default=None)


def _speedup_rank(row: Row) -> tuple[bool, int, int]:
    known = row.speedup is not None and row.speedup.p is not None
    return known, row.work.size or row.work.requests, row.configuration.ranks or 0


def _mode_verdicts(scaling: Scaling) -> tuple[Verdict, ...]:
    """Verdicts on the modes of sending the same requests to one server, each compared with the
    first; empty if the study varies anything else."""
    rows = [row for row in scaling.rows if row.candidates]
    modes = {row.cells[0].cell.config.mode for row in rows}
    same = len({row.work.requests for row in rows}) == 1 == len(scaling.configurations)
    if not same or len(modes) < 2 or not FEWEST <= len(rows) <= MOST:
        return ()
    return compare([row.candidates[0] for row in rows]).verdicts


def _main_finding(
    scaling: Scaling,
    row: Row | None,
    batches: Sequence[BatchCurve],
    device: Device,
    ended: bool,
) -> MainFinding:
    if row is None:
        sentence = _without_speedup(scaling, batches, ended)
        return MainFinding(sentence, "", sentence)
    baseline = scaling.labels[row.baseline]
    return MainFinding(
        speedup_headline(row, baseline),
        speedup_details(row, baseline, device),
        speedup_sentence(row, baseline, device),
    )


def _joined(verdict: Verdict) -> str:
    return f"{verdict.headline}. {verdict.details}"


def _without_speedup(scaling: Scaling, batches: Sequence[BatchCurve], ended: bool) -> str:
    axis = swept_axis(scaling.works)
    if axis.field and (sentence := swept_sentence(scaling, axis)):
        return sentence
    if batches:
        best_curve = max(batches, key=lambda curve: rate_of(curve.best))
        return batch_sentence(best_curve, axis.name, ended)
    problems = dict.fromkeys(row.problem for row in scaling.rows if row.problem)
    if problems:
        return f"Nothing could be measured. {' '.join(list(problems)[:MAX_PROBLEMS])}"
    return "Nothing has been measured yet."


def _sentences(
    scaling: Scaling,
    leading: Row | None,
    devices: Sequence[DeviceCurve],
    batches: Sequence[BatchCurve],
    winners: Sequence[BestConfiguration],
    device: Device,
    ended: bool,
) -> Iterator[str]:
    """The findings after the main one, for `leading`: the other speed-ups at the same work, the
    fitted law, the best batch size, and the best configurations."""
    if leading is not None:
        for row in scaling.rows:
            if row.speedup and row.work == leading.work and row is not leading:
                yield speedup_sentence(row, scaling.labels[row.baseline], device)
        for curve in devices:
            first = curve.rows[0]
            if first.work == leading.work and first.is_baseline:
                yield from filter(None, [law_sentence(curve, device)])
    series = series_of(leading.work) if leading else None
    curves = [c for c in batches if c.knee and series in (None, series_of(c.best.work))]
    if leading is not None and curves:
        best_curve = max(curves, key=lambda curve: rate_of(curve.best))
        yield batch_sentence(best_curve, size_name(scaling.works), ended)
    all_series = [series_of(work) for work in scaling.works]
    for winner in winners:
        if series in (None, winner.series):
            yield best_sentence(winner, differing_labels(winner.series, all_series))
    yield from _failed(scaling)


def _failed(scaling: Scaling) -> Iterator[str]:
    """The cells without a result, by reason."""
    labels: dict[str, list[str]] = {}
    for row in scaling.rows:
        if row.problem:
            labels.setdefault(row.problem, []).append(row.label)
    if not labels or not any(row.candidates for row in scaling.rows):
        return
    count = sum(map(len, labels.values()))
    reasons = [f"{', '.join(dict.fromkeys(rows))}: {why}" for why, rows in labels.items()]
    yield " ".join(
        [f"No result for {count} of {many(len(scaling.rows), 'cell')}.", *reasons[:MAX_PROBLEMS]]
    )


def _notes(scaling: Scaling, device: Device) -> Iterator[str]:
    engines = (configuration.engine for configuration in scaling.configurations)
    for wait in dict.fromkeys(e.extra for e in engines if e and ray_serve.only_waits(e)):
        yield (
            f"Each replica waits before it works on a request ({wait}), in place of a larger "
            "model: the times show what replicas change, not how fast the model is."
        )
    if device == "core":
        yield (
            "A device here is a share of one CPU's cores, not a separate machine: devices compete "
            "for cores, memory and caches."
        )
    if any(row.speedup and row.speedup.low is not None for row in scaling.rows):
        yield (
            "Intervals are 95 % intervals over repeats with one start of the engine; another "
            "start, or another hour, may differ by more. The more speed-ups are judged, the "
            "stricter each verdict is (Holm's method)."
        )
