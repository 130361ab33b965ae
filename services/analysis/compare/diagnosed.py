"""All diagnostics of a comparison: its own, and those of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.analysis.compare.candidate import Candidate
from services.analysis.diagnostics import diagnostics
from services.analysis.diagnostics.diagnostic import Diagnostic

EVERY, FEW = "All runs", 2
Named = tuple[Diagnostic, str]  # with the names of its runs; "" for the whole comparison


def diagnosed(candidates: Sequence[Candidate], warnings: Sequence[Diagnostic]) -> Iterator[Named]:
    """Yield the comparison's own `warnings`, then those of the runs. One that several runs share
    appears once, and one of which the comparison has its own, with all runs' values, not again."""
    yield from ((diagnostic, "") for diagnostic in warnings)
    own_titles = {diagnostic.title for diagnostic in warnings}
    shared: dict[Diagnostic, list[str]] = {}
    for candidate in candidates:
        for diagnostic in diagnostics(
            candidate.run, candidate.measurements, candidate.summary, candidate.samples
        ):
            if diagnostic.title not in own_titles:
                shared.setdefault(diagnostic, []).append(candidate.label)
    for diagnostic in sorted(shared, key=lambda diagnostic: diagnostic.level != "warning"):
        runs = shared[diagnostic]
        yield diagnostic, EVERY if len(runs) == len(candidates) > FEW else "; ".join(runs)
