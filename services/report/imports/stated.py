"""The numbers that the tool of an imported run reports, next to Paceline's own."""

from __future__ import annotations

from services.analysis.compare import Candidate
from services.analysis.figures import STATISTICS, figure_name
from services.analysis.summary import summary_row
from services.base.table import Table
from services.base.units import NOTHING, many, show, significant
from services.report.tables import unit_beside

NONE = "none"
MAX_NAMES = 12
NOISE = 1e-12  # rounding error in the difference of equal numbers
SAME = 5e-5  # relative: equal in five digits


def table(candidate: Candidate) -> Table:
    """Return each number that the file states, and Paceline's if the file has requests; no rows for
    a run that was not imported."""
    both = ("Paceline", "Difference") if candidate.measurements else ()
    columns = ("", tool_of(candidate), *both)
    rows = tuple(_row(*entry)[: len(columns)] for entry in _numbers(candidate))
    return Table("Reported by the tool", columns, rows, _note(candidate) if rows else "")


def definitions(candidate: Candidate) -> Table:
    """Return the tool's definitions; metrics with the same definition share a row."""
    alike: dict[str, dict[str, list[str]]] = {}
    for name, definition in (candidate.run.source or {}).get("definitions", {}).items():
        of, _, statistic = label_and_unit(name)[0].partition(", ")
        alike.setdefault(definition, {}).setdefault(of, []).append(statistic)
    rows = tuple(
        (
            "; ".join(", ".join([of, *filter(None, some)]) for of, some in statistics.items()),
            definition,
        )
        for definition, statistics in alike.items()
    )
    return Table(f"How {tool_of(candidate)} defines it", ("", "Definition"), rows)


def sentence(candidate: Candidate) -> str:
    """Return a sentence on how many of the tool's numbers match Paceline's; "" if none can be
    compared."""
    comparable = [entry for entry in _numbers(candidate) if entry[2] is not None]
    if not comparable:
        return ""
    differing = sum(_difference(theirs, ours) != NONE for _, theirs, ours in comparable)
    tool, total = tool_of(candidate), many(len(comparable), "number")
    if not differing:
        one = "the one number that can be compared matches"
        subject = one if len(comparable) == 1 else f"all {total} that can be compared match"
        return f"{tool}: {subject} Paceline's."
    matching = len(comparable) - differing
    return (
        f"{tool}: {matching} of {total} that can be compared match Paceline's, {differing} differ."
    )


def reasons(candidate: Candidate) -> list[tuple[str, str]]:
    """Return the numbers that differ from Paceline's, each with its difference, and the tool's
    definition; metrics with the same definition share an entry."""
    definitions = (candidate.run.source or {}).get("definitions", {})
    alike: dict[str, list[str]] = {}
    for name, theirs, ours in _numbers(candidate):
        if ours is not None and (share := _difference(theirs, ours)) != NONE:
            label = f"{label_and_unit(name)[0]} {share}"
            alike.setdefault(definitions.get(name, ""), []).append(label)
    return [(" · ".join(labels), definition) for definition, labels in alike.items()]


def tool_of(candidate: Candidate) -> str:
    """Return the tool that wrote an imported run's file."""
    return str((candidate.run.source or {}).get("tool", "The file"))


def label_and_unit(name: str) -> tuple[str, str]:
    """Return the label and the unit of a stated number; its name if only another version of
    Paceline knows it."""
    of, _, statistic = name.rpartition("_")
    try:
        if of == "inter_chunk_s":
            return f"Inter-chunk latency, {STATISTICS[statistic]}", "s"
        return figure_name(name)
    except KeyError:
        return name, ""


def _numbers(candidate: Candidate) -> list[tuple[str, float, float | None]]:
    """Return the name of each stated number, the number, and Paceline's."""
    ours = summary_row(candidate.summary) if candidate.measurements else {}
    stated = (candidate.run.source or {}).get("stated", {})
    return [(name, theirs, ours.get(name)) for name, theirs in stated.items()]


def _row(name: str, theirs: float, ours: float | None) -> tuple[str, ...]:
    label, unit = label_and_unit(name)
    shown = unit_beside(unit, label)
    return label, show(theirs, shown), show(ours, shown), _difference(theirs, ours)


def _difference(theirs: float, ours: float | None) -> str:
    """Return how far the tool's number is above Paceline's, as text."""
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
        note += (
            " The file does not state when each request was sent, so rates come from the tool only."
        )
    return note + _unread(candidate)


def _unread(candidate: Candidate) -> str:
    """List the names of everything else in the file."""
    names = (candidate.run.source or {}).get("unread", [])
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f" Not read from the file: {', '.join(names[:MAX_NAMES])}{more}." if names else ""
