"""A run in a comparison, with its data, its label and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from services.analysis.metric_arrays import known, metric_array
from services.analysis.summary import Summary, summary_row
from services.analysis.summary.repeats import by_class, by_repeat, successes
from services.ask import modes
from services.ask.measurement import Measurement, Run, Sample
from services.ask.measurements import Floats, Measurements, as_table


@dataclass(frozen=True)
class Candidate:
    """A run in a comparison, with its data."""

    run: Run
    measurements: Sequence[Measurement]
    summary: Summary
    samples: Sequence[Sample] = ()  # server metrics, in time order
    label: str = ""  # its name beside the others, see `labels.labelled`

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or label_of_single(self.run))
        object.__setattr__(self, "measurements", as_table(self.measurements))

    @property
    def table(self) -> Measurements:
        """The measurements as a table: one array per field."""
        return as_table(self.measurements)

    @cached_property
    def groups(self) -> list[Measurements]:
        """The measurements of each repeat, in order."""
        return list(by_repeat(self.measurements).values())

    @cached_property
    def per_repeat(self) -> int:
        """The number of requests in its largest repeat."""
        last = self.table.numbers("index").max(initial=0)
        return modes.count(self.run.config) or 1 + int(last)

    @cached_property
    def row(self) -> dict[str, Any]:
        """The numbers of `row_of`, computed once."""
        return row_of(self)

    @cached_property
    def _known(self) -> dict[str, list[Floats]]:
        return {}

    def values(self, name: str) -> list[Floats]:
        """Return the known values of the metric `name` for the successes of each repeat."""
        if name not in self._known:
            good = map(successes, self.groups)
            self._known[name] = [known(metric_array(group, name)) for group in good]
        return self._known[name]

    @cached_property
    def classes(self) -> dict[str, Candidate]:
        """Each request class of a mixed workload as a candidate; {} for other workloads."""
        groups = by_class(self.measurements, self.run.config)
        return {
            name: Candidate(self.run, some, self.summary.classes[name], label=self.label)
            for name, some in groups.items()
        }


def only_stated(candidate: Candidate) -> dict[str, float]:
    """Return the numbers that an imported run's tool reports and that cannot be computed from its
    requests; names as in `summary_row`."""
    row = _measured_row(candidate)
    stated = (candidate.run.source or {}).get("stated", {})
    return {name: number for name, number in stated.items() if row.get(name) is None}


def row_of(candidate: Candidate) -> dict[str, Any]:
    """Return a run's numbers as in `summary_row`, for an imported run completed with those that its
    tool reports. Counts of an imported run without requests are None, not 0."""
    row = _measured_row(candidate) | only_stated(candidate)
    if row["sent"] is None and row["ok"] is not None and row["failed"] is not None:
        row["sent"] = row["ok"] + row["failed"] + (row["cancelled"] or 0)
    return row


def _measured_row(candidate: Candidate) -> dict[str, Any]:
    row = summary_row(candidate.summary)
    if candidate.run.source is None or candidate.measurements:
        return row
    return {name: value or None for name, value in row.items()}


def label_of_single(run: Run) -> str:
    """Return the label of a run that is shown alone."""
    return " · ".join(filter(None, (f"Run {run.id}", run.through)))


def labels_of(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Return the label of each run."""
    return tuple(candidate.label for candidate in candidates)
