"""The estimate of a study before it starts: cells, engine starts, time and cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.ask.answer_times import Pace
from services.ask.plan import duration, plan, span
from services.base.units import many
from services.servers.engines import EngineConfig
from services.studies.capacity_wording import search_seconds
from services.studies.cell import Cell
from services.studies.grid import GridCell
from services.studies.study_config import StudyConfig

START_S = 60.0  # assumed start-up time of an engine that has never been started here
SOON_S = 1.0  # a shorter time is not worth a number

Seconds = Callable[[str], float | None]
PaceOf = Callable[[Cell], Pace | None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """`seconds` is the expected time with the starts, and `between` its range. `at_least` is true
    if the pace of a cell is unknown; it then counts as 0 s. `usd` is None without a price or
    without an engine to start. `source` is where the paces are from."""

    cells: int
    impossible: int
    starts: int
    seconds: float
    at_least: bool
    usd: float | None
    between: tuple[float, float] = (0.0, 0.0)
    source: str = ""
    fresh: int | None = None  # starts of each of the two best; None: no capacities are searched

    @property
    def cells_text(self) -> str:
        """The number of cells: "12", or "6 of 12" if the others cannot be measured here."""
        if not self.impossible:
            return f"{self.cells:,}"
        return f"{self.cells - self.impossible:,} of {self.cells:,}"

    @property
    def sentence(self) -> str:
        """The estimate as a sentence."""
        noun, plural = ("cell", "cells") if self.fresh is None else ("search", "searches")
        noun = noun if self.cells == 1 else plural
        if self.impossible == self.cells:
            return f"{self.cells:,} {noun}, and none of them can be measured here."
        subject = f"{self.cells_text} {noun}"
        if self.impossible:
            subject += " can be measured here,"
        if self.starts:
            subject += f" on {many(self.starts, 'engine')}, started one after another"
        if self.fresh:
            subject += f", among them {self.fresh:,} fresh starts of each of the two best"
        cost = "" if self.usd is None else f", and costs {self._about} ${self.usd:,.2f}"
        return f"{subject.removesuffix(',')}. It {self._takes}{cost}."

    @property
    def _about(self) -> str:
        return "at least" if self.at_least else "about"

    @property
    def _takes(self) -> str:
        if not self.at_least:
            return f"takes about {span(*self.between)}, {self.source}"
        because = "because there is no run on such a server yet"
        if self.between[0] < SOON_S:
            return f"takes an unknown time, {because}"
        least = f"takes at least {duration(self.between[0])}"
        return f"{least} (the duration of answers is unknown, {because})"


def estimate(
    study: StudyConfig, grid: Sequence[GridCell], ready_s: Seconds, pace: PaceOf
) -> Estimate:
    """Estimate a study. `ready_s` returns how long an engine of that name took to start, in
    seconds, and `pace` the expected speed of a cell's answers."""
    possible = [planned.cell for planned in grid if planned.obstacle is None]
    starts = list(dict.fromkeys(cell.engine for cell in possible if cell.engine is not None))
    took = {engine: ready_s(engine.engine) or START_S for engine in starts}
    total, usd, unknown = sum(took.values()), 0.0, False
    low = high = total
    sources: list[str] = []
    for cell in possible:
        ahead = plan(cell.config, None, pace(cell))
        unknown |= ahead.seconds_about is None
        seconds = ahead.seconds_about or ahead.seconds_at_least or 0.0
        least, most = ahead.seconds_between or (seconds, seconds)
        total, low, high = total + seconds, low + least, high + most
        sources += [ahead.source] * bool(ahead.source)
        usd += _usd(study, cell.engine, seconds)
    usd += sum(_usd(study, engine, seconds) for engine, seconds in took.items())
    priced = study.usd_per_gpu_hour is not None and bool(starts)
    impossible = len(grid) - len(possible)
    return Estimate(
        len(grid),
        impossible,
        len(starts),
        total,
        unknown,
        usd if priced else None,
        (low, high),
        _sources(sources),
    )


def estimate_searches(study: StudyConfig, grid: Sequence[GridCell], ready_s: Seconds) -> Estimate:
    """Estimate a study that searches for capacities, from the usual to the longest duration of its
    searches. `ready_s`: see `estimate`."""
    assert study.search is not None
    possible = [planned.cell for planned in grid if planned.obstacle is None]
    engines = list(dict.fromkeys(cell.engine for cell in possible if cell.engine is not None))
    works = len(dict.fromkeys(cell.config for cell in possible))
    fresh = study.search.starts if len(engines) > 1 else 0
    fresh_searches = 2 * fresh * works
    usual_s, most_s = search_seconds(study.search)
    again_s = max((ready_s(engine.engine) or START_S for engine in engines), default=0.0)
    starts_s = (
        sum(ready_s(engine.engine) or START_S for engine in engines) + fresh_searches * again_s
    )
    searches = len(possible) + fresh_searches
    seconds = starts_s + searches * usual_s
    usd = sum(_usd(study, engine, ready_s(engine.engine) or START_S) for engine in engines)
    usd += sum(_usd(study, cell.engine, usual_s) for cell in possible)
    largest = max(engines, key=lambda engine: engine.ranks, default=None)  # it may be the best
    usd += _usd(study, largest, fresh_searches * (again_s + usual_s))
    return Estimate(
        len(grid) + fresh_searches,
        len(grid) - len(possible),
        len(engines) + fresh_searches,
        seconds,
        False,
        usd if study.usd_per_gpu_hour is not None and engines else None,
        (seconds, starts_s + searches * most_s),
        "because windows near a capacity may be up to five times as long",
        fresh,
    )


def _sources(sources: Sequence[str]) -> str:
    """The distinct sources combined: "from earlier runs" if they differ between cells; of several
    assumptions, which differ by load, the last."""
    distinct = list(dict.fromkeys(sources))
    assumed = [source for source in distinct if source.startswith("assuming")]
    measured = [source for source in distinct if source not in assumed]
    if len(measured) > 1:
        measured = ["from earlier runs"]
    return "; ".join((*measured, *assumed[-1:]))


def _usd(study: StudyConfig, engine: EngineConfig | None, seconds: float) -> float:
    ranks = engine.ranks if engine else 0
    return (study.usd_per_gpu_hour or 0.0) * ranks * seconds / 3600
