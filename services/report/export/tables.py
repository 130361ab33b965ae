"""Requests, summaries and comparisons as CSV (RFC 4180, UTF-8), safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from services.analysis.compare import Candidate, compare
from services.analysis.compare.candidate import row_of
from services.analysis.diagnostics import client
from services.analysis.metrics import FIELDS, metric, request_row
from services.analysis.nodes import node_of
from services.analysis.statistics import Ratio
from services.ask.measurement import Measurement
from services.ask.series import order_key
from services.base.text_file import safe_cell
from services.report import slices
from services.report.export.document import about
from services.report.prompt_text import turn_of
from services.report.theme import request_number

AT_ONCE = 1_000  # requests that are written together
UNPLACED = ("due_s", "sent_s")
WAITS = {  # why a request was sent later than due, by the option that allows it
    "retries": ("attempts", "first_error_class", "retry_wait_s"),
    "concurrency": ("cap_wait_s",),
}


def requests_csv(candidates: Sequence[Candidate]) -> Iterator[bytes]:
    """Return one run's requests, in pieces: FIELDS, then the columns of the older scripts'
    results.csv, then those of WAITS that the run can have, session and turn, if it has sessions,
    and the node that sent it, if there were several nodes. The columns in UNPLACED are empty for an
    imported run without send times: who read their zeros would take the requests for
    simultaneous."""
    candidate = candidates[0]
    config = candidate.run.config
    by_node = candidate.run.config.on is not None
    node = ("node",) if by_node else ()
    of = {repeat.index: repeat.health.get("nodes") or () for repeat in candidate.run.repeats}
    waits = [name for option, names in WAITS.items() if getattr(config, option) for name in names]
    unknown = {} if candidate.run.placed else dict.fromkeys(UNPLACED)
    rows = (
        [
            *(request_row(m) | unknown).values(),
            *(column(candidate, m) for column in SYSTEM_D.values()),
            *(getattr(m, name) for name in waits),
            *turn_of(config, m.index).values(),
            *((node_of(config, of.get(m.repeat, ()), m.index),) if by_node else ()),
        ]
        for m in candidate.measurements
    )
    yield from csv_pieces((*FIELDS, *SYSTEM_D, *waits, *turn_of(config, 0), *node), rows)


def slices_csv(candidates: Sequence[Candidate]) -> bytes:
    """Return a row for each time slice of each repeat."""
    return to_csv(slices.FIELDS, ([*row.values()] for row in slices.rows(candidates[0])))


def samples_csv(candidates: Sequence[Candidate]) -> bytes:
    """Return one run's server samples: a row for each time, a column for each series."""
    samples = candidates[0].samples
    names = sorted({name for sample in samples for name in sample.values}, key=order_key)
    rows = ([sample.t, *(sample.values.get(name) for name in names)] for sample in samples)
    return to_csv(("t", *names), rows)


def summary_csv(candidates: Sequence[Candidate]) -> bytes:
    """Return a row for each run: its identity, then its summary."""
    rows = [_identity(candidate) | row_of(candidate) for candidate in candidates]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return to_csv(columns, ([row.get(name) for name in columns] for row in rows))


def comparison_csv(candidates: Sequence[Candidate]) -> bytes:
    """Return a row for each metric: every run's value, then every ratio to the first run."""
    comparison = compare(candidates)
    ids = [candidate.run.id for candidate in candidates]
    columns = ["metric", "label", "unit", "better", *(f"run_{run_id}" for run_id in ids)]
    for run_id in ids[1:]:
        columns += [f"run_{run_id}_{part}" for part in ("ratio", "low", "high", "p")]
    rows = (
        [row.metric, row.label, row.unit, row.better, *row.values, *_ratios(row.ratios[1:])]
        for row in comparison.rows
    )
    return to_csv(columns, rows)


def _identity(candidate: Candidate) -> dict[str, Any]:
    run = candidate.run
    problems = client.past_limits(run, candidate.measurements, candidate.summary)
    return {
        "run_id": run.id,
        **about(run),
        "client_warnings": "; ".join(diagnostic.title for diagnostic in problems),
        **{f"client_{name}": value for name, value in (run.calibration or {}).items()},
    }


def _ratios(ratios: Iterable[Ratio | None]) -> list[float | None]:
    parts: list[float | None] = []
    for ratio in ratios:
        parts += [ratio.value, ratio.low, ratio.high, ratio.p] if ratio else [None] * 4
    return parts


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Return rows as CSV, safe to open in a spreadsheet."""
    return _lines([columns, *rows])


def csv_pieces(
    columns: Sequence[str], rows: Iterator[Sequence[Any]], at_once: int = AT_ONCE
) -> Iterator[bytes]:
    """Return rows as CSV, safe to open in a spreadsheet, in pieces of `at_once` rows."""
    yield to_csv(columns, ())
    while some := list(islice(rows, at_once)):
        yield _lines(some)


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return safe_cell(value) if isinstance(value, str) else value


def _metric(name: str) -> Callable[[Candidate, Measurement], float | None]:
    return lambda _, m: metric(name).of(m)


# The columns of the older benchmark scripts, so that their plots can read the file.
SYSTEM_D: dict[str, Callable[[Candidate, Measurement], float | None]] = {
    "Request Number": request_number,
    "Total Time Taken": _metric("e2e_s"),
    "Prompt Tokens": _metric("prompt_tokens"),
    "Tokens Generated": _metric("output_tokens"),
    "Tokens per Second": _metric("tokens_per_s"),
}
