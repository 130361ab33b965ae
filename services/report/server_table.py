"""The server's metrics during a run, as a table of texts."""

from __future__ import annotations

from collections.abc import Sequence

from services.analysis.compare import Candidate
from services.analysis.samples import during, highest, increase, mean, values
from services.ask.measurement import Sample
from services.ask.series import Series, order_key, series_of
from services.base.table import Table
from services.base.units import show


def table(candidate: Candidate) -> Table:
    """Return the mean and the maximum of each series while requests were measured, with totals in
    the note; no rows if there are no samples."""
    samples = during(candidate.run, candidate.samples) or candidate.samples
    known = _known(samples)
    rows = tuple(_row(entry, samples) for entry in known if not entry.total)
    totals = "".join(f"{entry.label}: {_total(entry, samples)}. " for entry in known if entry.total)
    note = (
        f"{totals}Sampled about once a second from outside the client, while requests were "
        "measured. Memory that processes share is counted for each of them."
    )
    return Table("Server", ("", "Mean", "Highest"), rows, note if rows else "")


def _known(samples: Sequence[Sample]) -> list[Series]:
    """Return the sampled series in the order of the table, devices by number."""
    names = {name for sample in samples for name in sample.values if series_of(name) is not None}
    series = (series_of(name) for name in sorted(names, key=order_key))
    return [entry for entry in series if entry is not None and not entry.fixed]


def _row(entry: Series, samples: Sequence[Sample]) -> tuple[str, str, str]:
    of_mean, of_highest = mean(samples, entry.name), highest(samples, entry.name)
    return entry.label, show(of_mean, entry.unit), show(of_highest, entry.unit)


def _total(entry: Series, samples: Sequence[Sample]) -> str:
    """Return the growth of a counter; of a ratio the last value, which covers the whole run."""
    last = (
        increase(samples, entry.name) if entry.unit == "count" else values(samples, entry.name)[-1]
    )
    return show(last, entry.unit)
