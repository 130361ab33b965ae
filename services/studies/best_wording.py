"""The best configuration of a study in a sentence, with its distance to the runner-up."""

from __future__ import annotations

from collections.abc import Sequence

from services.analysis.compare import MARGIN
from services.analysis.compare.ratio_text import AMOUNT, TIME, TWICE, change, within
from services.analysis.compare.ratio_text import times as format_ratio
from services.analysis.statistics import MINIMUM_REPEATS
from services.base import units
from services.studies.best import BestConfiguration
from services.studies.wording import interval_text
from services.studies.work import size_name

LEVELS = {"batch size": "batch sizes", "concurrency": "concurrency levels"}


def best_sentence(best: BestConfiguration, labels: Sequence[str]) -> str:
    """Return a sentence on the best by one criterion, and how far the runner-up is behind. `labels`
    distinguish its series from the others."""
    level = best.row.level(best.criterion.measure)
    assert level is not None
    where = f" ({', '.join(labels)})" if labels else ""
    sentence = f"{best.criterion.label}{where}: {best.row.label} at {best.row.work_label}, "
    sentence += units.show(level.value, best.criterion.unit)
    return f"{sentence}; {_runner_up(best)}."


def _runner_up(best: BestConfiguration) -> str:
    if best.runner_up is None:
        return _no_runner_up(best)
    name = best.runner_up.label
    if best.word == "inconclusive":
        return f"no clear difference from {name}"
    if best.word == "equivalent":
        return f"{name} is equally good, {within(MARGIN)}"
    if best.word == "no verdict":
        why = best.why_not or f"that needs {MINIMUM_REPEATS} or more repeats of each"
        return f"{_difference(best, name)}, without a verdict: {why}"
    return _difference(best, name)


def _no_runner_up(best: BestConfiguration) -> str:
    """How many loads the only configuration was measured at."""
    if len(best.among) < 2:
        return "nothing else was measured"
    works = [row.work for row in best.among]
    lowest = best.criterion.name == "latency"  # judged only at the lowest load
    levels = "loads"
    if len({work.size for work in works}) == len(works):
        levels = LEVELS[size_name(works)]
    which = "the lowest of" if lowest else "the best of"
    return f"{which} {len(works)} {levels}; no other configuration was measured"


def _difference(best: BestConfiguration, name: str) -> str:
    """The difference to the runner-up, "44 % higher than TP 1 (1.44×, 95 % 1.28–1.62)"."""
    ratio = best.ratio
    if ratio is None:
        return name
    difference = change(ratio.value, TIME if best.criterion.unit == "s" else AMOUNT)
    than = "that of" if ratio.value >= TWICE else "as of" if ratio.value == 1 else "than"
    inside = interval_text(ratio)
    if inside and ratio.value < TWICE:
        inside = f"{format_ratio(ratio.value)}×, {inside}"
    return f"{difference} {than} {name}" + (f" ({inside})" if inside else "")
