"""What a study will take: cells, starts, time, and money where a GPU has a price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.config import RunConfig
from services.engines import EngineConfig
from services.plan import duration, plan
from services.studies.asked import StudyConfig
from services.studies.grid import Planned
from services.units import many

START_S = 60.0  # of an engine that has never been started here

Seconds = Callable[[str], float | None]
Pace = Callable[[RunConfig], float | None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """`seconds`: about, with the starts; `at_least`: where the pace of a cell is not known, so
    that it counts as nothing. `usd` None: no price was given, or no engine is started."""

    cells: int
    impossible: int
    starts: int
    seconds: float
    at_least: bool
    usd: float | None

    @property
    def sentence(self) -> str:
        """Say it."""
        what = f"{many(self.cells, 'cell')}"
        if self.impossible == self.cells:
            return f"{what}, and none of them can be measured here."
        if self.starts:
            what += f" on {many(self.starts, 'engine')}, started one after the other"
        if self.impossible:
            what += f"; {self.impossible:,} cannot be measured here"
        takes = f"takes {'at least' if self.at_least else 'about'} {duration(self.seconds)}"
        cost = "" if self.usd is None else f" and costs about ${self.usd:,.2f}"
        return f"{what}. It {takes}{cost}."


def estimate(study: StudyConfig, grid: Sequence[Planned], ready_s: Seconds, pace: Pace) -> Estimate:
    """Estimate a study. `ready_s` tells how long an engine of a name took to start, `pace` the
    tokens/s of a request of earlier runs like one."""
    possible = [one.cell for one in grid if one.obstacle is None]
    starts = list(dict.fromkeys(cell.engine for cell in possible if cell.engine is not None))
    took = {engine: ready_s(engine.engine) or START_S for engine in starts}
    total, usd, unknown = sum(took.values()), 0.0, False
    for cell in possible:
        ahead = plan(cell.config, None, pace(cell.config))
        unknown |= ahead.seconds_about is None
        seconds = ahead.seconds_about or ahead.seconds_at_least or 0.0
        total += seconds
        usd += _usd(study, cell.engine, seconds)
    usd += sum(_usd(study, engine, seconds) for engine, seconds in took.items())
    priced = study.usd_per_gpu_hour is not None and bool(starts)
    impossible = len(grid) - len(possible)
    return Estimate(len(grid), impossible, len(starts), total, unknown, usd if priced else None)


def _usd(study: StudyConfig, engine: EngineConfig | None, seconds: float) -> float:
    ranks = engine.ranks if engine else 0
    return (study.usd_per_gpu_hour or 0.0) * ranks * seconds / 3600
