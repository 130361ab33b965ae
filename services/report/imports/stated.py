"""Reported by the tool of an imported run, beside what our metrics make of its requests."""

from __future__ import annotations

from services.analysis.compare import Candidate
from services.analysis.figures import STATISTICS, named
from services.analysis.summary import summary_row
from services.base.table import Table
from services.base.units import NOTHING, many, show, significant
from services.report.tables import unsaid

NONE = "none"
MOST_NAMES = 12
NOISE = 1e-12  # what is left of numbers that are alike, where their difference is taken
SAME = 5e-5  # relative: closer than that is the same in five digits


def table(candidate: Candidate) -> Table:
    """Return each number that the file states, and ours where its requests give it; no rows for a
    run of our own."""
    both = ("Paceline", "Difference") if candidate.measurements else ()
    columns = ("", tool_of(candidate), *both)
    rows = tuple(_row(*found)[: len(columns)] for found in _numbers(candidate))
    return Table("Reported by the tool", columns, rows, _note(candidate) if rows else "")


def definitions(candidate: Candidate) -> Table:
    """Return how the tool defines what it states; what it defines alike stands together."""
    alike: dict[str, dict[str, list[str]]] = {}
    for name, definition in (candidate.run.source or {}).get("definitions", {}).items():
        of, _, statistic = named_here(name)[0].partition(", ")
        alike.setdefault(definition, {}).setdefault(of, []).append(statistic)
    rows = tuple(
        ("; ".join(", ".join([of, *filter(None, some)]) for of, some in found.items()), definition)
        for definition, found in alike.items()
    )
    return Table(f"How {tool_of(candidate)} defines it", ("", "Definition"), rows)


def sentence(candidate: Candidate) -> str:
    """Return how many of the tool's numbers are ours, in words; "" where none can be compared."""
    both = [found for found in _numbers(candidate) if found[2] is not None]
    if not both:
        return ""
    apart = sum(_difference(theirs, ours) != NONE for _, theirs, ours in both)
    tool, total = tool_of(candidate), many(len(both), "number")
    if not apart:
        all_of_them = "its one number matches" if len(both) == 1 else f"all its {total} match"
        return f"{tool}: {all_of_them} ours."
    return f"{tool}: {len(both) - apart} of its {total} match ours, {apart} do not."


def reasons(candidate: Candidate) -> list[tuple[str, str]]:
    """Return the numbers that are not as ours, each with its difference, and how the tool defines
    them; what it defines alike stands together."""
    definitions = (candidate.run.source or {}).get("definitions", {})
    alike: dict[str, list[str]] = {}
    for name, theirs, ours in _numbers(candidate):
        if ours is not None and (share := _difference(theirs, ours)) != NONE:
            label = f"{named_here(name)[0]} {share}"
            alike.setdefault(definitions.get(name, ""), []).append(label)
    return [(" · ".join(labels), definition) for definition, labels in alike.items()]


def tool_of(candidate: Candidate) -> str:
    """Return whose file an imported run is."""
    return str((candidate.run.source or {}).get("tool", "The file"))


def named_here(name: str) -> tuple[str, str]:
    """Return the label and the unit of a number that a tool states; one that only another version
    of Paceline knows goes by its name."""
    of, _, statistic = name.rpartition("_")
    try:
        if of == "inter_chunk_s":
            return f"Inter-chunk latency, {STATISTICS[statistic]}", "s"
        return named(name)
    except KeyError:
        return name, ""


def _numbers(candidate: Candidate) -> list[tuple[str, float, float | None]]:
    """Each stated number, by our name, and ours."""
    ours = summary_row(candidate.summary) if candidate.measurements else {}
    stated = (candidate.run.source or {}).get("stated", {})
    return [(name, theirs, ours.get(name)) for name, theirs in stated.items()]


def _row(name: str, theirs: float, ours: float | None) -> tuple[str, ...]:
    label, unit = named_here(name)
    shown = unsaid(unit, label)
    return label, show(theirs, shown), show(ours, shown), _difference(theirs, ours)


def _difference(theirs: float, ours: float | None) -> str:
    """By how much the tool's number is above ours."""
    if ours is not None and abs(theirs - ours) < NOISE:
        return NONE
    if not ours:
        return NOTHING
    share = theirs / ours - 1
    if abs(share) < SAME:
        return NONE
    return f"{'+' if share > 0 else '−'}{significant(abs(share) * 100)} %"


def _note(candidate: Candidate) -> str:
    if not candidate.measurements:
        return (
            "The file contains only this summary: nothing can be recomputed, and in comparisons it "
            f"counts as one repeat, by the tool's definitions.{_unread(candidate)}"
        )
    note = (
        "Paceline's numbers are recomputed from the requests in the file; percentiles with too few "
        "requests are shown as –."
    )
    if not candidate.run.placed:
        note += " It does not say when each request was sent, so rates come from the tool only."
    return note + _unread(candidate)


def _unread(candidate: Candidate) -> str:
    """What the file holds besides, by name."""
    names = (candidate.run.source or {}).get("unread", [])
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f" Not read from the file: {', '.join(names[:MOST_NAMES])}{more}." if names else ""
