"""What a server did while it was measured, as a table of texts."""

from __future__ import annotations

from collections.abc import Sequence

from services.analysis.compare import Candidate
from services.analysis.samples import during, grown, highest, mean, values
from services.ask.measurement import Sample
from services.ask.series import Series, place, series_of
from services.base.table import Table
from services.base.units import show


def table(candidate: Candidate) -> Table:
    """Return the mean and the highest of each series while requests were measured, and in the note
    what is counted in all, which has neither; no rows where nothing was seen."""
    seen = during(candidate.run, candidate.samples) or candidate.samples
    known = _known(seen)
    rows = tuple(_row(entry, seen) for entry in known if not entry.total)
    totals = "".join(f"{entry.label}: {_total(entry, seen)}. " for entry in known if entry.total)
    note = (
        f"{totals}Sampled about once a second from outside the client, while requests were "
        "measured. Memory shared by processes counts for each of them."
    )
    return Table("Server", ("", "Mean", "Highest"), rows, note if rows else "")


def _known(seen: Sequence[Sample]) -> list[Series]:
    """The series that were seen, in the order of the table, devices by their numbers."""
    names = {name for sample in seen for name in sample.values if series_of(name) is not None}
    found = (series_of(name) for name in sorted(names, key=place))
    return [entry for entry in found if entry is not None and not entry.fixed]


def _row(entry: Series, seen: Sequence[Sample]) -> tuple[str, str, str]:
    of_mean, of_highest = mean(seen, entry.name), highest(seen, entry.name)
    return entry.label, show(of_mean, entry.unit), show(of_highest, entry.unit)


def _total(entry: Series, seen: Sequence[Sample]) -> str:
    """How far a count has grown; of a share its last value, which is of the whole run."""
    last = grown(seen, entry.name) if entry.unit == "count" else values(seen, entry.name)[-1]
    return show(last, entry.unit)
