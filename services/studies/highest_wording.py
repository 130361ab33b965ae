"""Which configuration has the highest capacity, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice, takewhile

from services.analysis.capacity import label_of
from services.base.units import many
from services.servers.engines import EngineConfig
from services.studies.capacity_wording import bounds_text, comparison, load_text, with_interval
from services.studies.configuration import engine_labels
from services.studies.highest import ENDED, HighestCapacity, StudySearch, highest
from services.studies.study import Study
from services.studies.work import work_labels

Labels = Mapping[EngineConfig, str]
SEPARATOR = " · "  # between the parts of a label


def highest_of_study(study: Study) -> tuple[HighestCapacity, ...]:
    """Return the result for each workload of a study; () if it does not search for capacities."""
    return highest(study.searches, study.config.search) if study.config.search else ()


def labels_of_study(study: Study) -> Labels:
    """Return a label for each engine: what distinguishes it from the others, "max seqs 64"."""
    whole = engine_labels(search.engine for search in study.searches)
    same = len(_shared_parts(whole))
    return {engine: SEPARATOR.join(_parts(label)[same:]) for engine, label in whole.items()}


def shared_label(study: Study) -> str:
    """Return what all engines have in common, which their labels omit: "vLLM · TP 1"; "" if
    nothing."""
    return SEPARATOR.join(_shared_parts(engine_labels(search.engine for search in study.searches)))


def _shared_parts(labels: Labels) -> list[str]:
    """Return the parts that all labels begin with; each label keeps at least one part of its
    own."""
    parts = [_parts(label) for label in labels.values()]
    most = min(map(len, parts), default=1) - 1 if len(parts) > 1 else 0
    same = takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False))
    return [column[0] for column in islice(same, most)]


def _parts(label: str) -> list[str]:
    return label.split(SEPARATOR)


def works_of(found: Sequence[HighestCapacity]) -> list[str]:
    """Return a label for each workload; "" if there is only one."""
    return work_labels([each.run for each in found])


def sentences(study: Study) -> list[str]:
    """Return the verdict on each workload, if there is one, and the study's progress."""
    found, labels = highest_of_study(study), labels_of_study(study)
    verdicts = [
        f"{f'{work}: ' if work else ''}{_verdict(each, labels, study.active)}"
        for each, work in zip(found, works_of(found), strict=True)
    ]
    return [*verdicts, *([progress(study)] if study.active else [])]


def progress(study: Study) -> str:
    """Return the progress of the searches: "2 of 4 searches ended, 1 of them failed."."""
    ended = [search for search in study.searches if search.capacity.status != "running"]
    failed = sum(search.capacity.status == "failed" for search in ended)
    more = f", {failed:,} of them failed" if failed else ""
    return f"{len(ended):,} of {len(study.searches):,} searches ended{more}."


def capacity_level(search: StudySearch) -> str:
    """Return the result of a search in words, for a table."""
    config = search.capacity.config
    if search.found is not None:
        return with_interval(search.found, config)
    return bounds_text(search.ended, config) if search.ended else ""


def brief(search: StudySearch) -> str:
    """Return the result of a search without its unit, for a column that has it: "47.2
    (45.1–48.3)"."""
    found, config = search.found, search.capacity.config
    if found is None or found.low is None or found.high is None:
        return capacity_level(search)
    ends = f"{load_text(found.low, config)}–{load_text(found.high, config)}"
    return ends if found.kind == "bracket" else f"{load_text(found.value, config)} ({ends})"


def search_state(search: StudySearch) -> str:
    """Return how a search ended, or why it did not."""
    capacity = search.capacity
    if capacity.status == "running":
        made = sum(probe.observation is not None for probe in capacity.probes)
        return f"{many(made, 'probe')} so far" if made else "queued"
    return capacity.error or capacity.status


def _verdict(each: HighestCapacity, labels: Labels, active: bool) -> str:
    two = each.finalists
    more = _unbounded(each, labels)
    if each.ratio is not None and two is not None:
        verdict = f"{'So far, ' if active else ''}{_compared(each, two, labels)}"
        return f"{verdict} {more}." if more else verdict
    if not each.ranked or not each.ranked[0].at_least:
        ended = all(search.capacity.status in ENDED for search in each.ranked)
        return "No configuration sustains a load." if ended else "Nothing is known yet."
    best = each.ranked[0]
    objective = label_of(best.capacity.config.parsed_objectives)
    name, level = labels[best.engine], capacity_level(best)
    if best.found is None:
        first = f"{name} {level} at {objective}."
    elif more:
        first = f"{name} sustains {level} at {objective}; {more}."
    else:
        first = f"{name} sustained the most: {level} at {objective}."
    if each.problem:
        return f"{first} {each.problem}"
    what = "the two best are measured again on fresh starts before there is a verdict."
    return (
        f"{first} "
        f"{what.capitalize() if active else f'The study was interrupted. Resume it: {what}'}"
    )


def _unbounded(each: HighestCapacity, labels: Labels) -> str:
    """Which configuration below the best may have a higher capacity, since no upper limit of it is
    known; "" if there is none."""
    found = next((one for one in each.ranked[1:] if one.at_least and not one.bounds), None)
    if found is None:
        return ""
    return f"{labels[found.engine]} {capacity_level(found)}, so it may sustain more"


def _compared(each: HighestCapacity, two: tuple[StudySearch, StudySearch], labels: Labels) -> str:
    assert each.ratio is not None
    a, b = two
    config = a.capacity.config
    verdict = comparison(
        replace(each.ratio, longer=None), labels[a.engine], labels[b.engine], config
    )
    counts = [sum(search.found is not None for search in starts) for starts in each.finals]
    starts = f"{counts[0]} fresh starts of each"
    if counts[0] != counts[1]:
        starts = f"{counts[0]} fresh starts of the first and {counts[1]} of the second"
    text = f"{verdict} Measured alternately, on {starts}."
    longer = each.ratio.longer
    if longer is not None and longer < 100:
        needed = max(min(counts) + 1, round(longer * min(counts) + 0.5))
        text += f" About {needed:,} fresh starts of each would settle it."
    return text
