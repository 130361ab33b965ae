"""One request as a table: its times and metrics, next to the medians of its run."""

from __future__ import annotations

import numpy as np

from services.analysis.compare import Candidate
from services.analysis.metrics import METRICS, metric
from services.analysis.ttft_phases import BEFORE, LABELS
from services.analysis.ttft_phases import ttft_phases as phases_of
from services.ask.measurement import Measurement
from services.base.table import Table
from services.base.units import NOTHING, show
from services.report.tables import unit_beside
from services.report.theme import request_numbers


def request_by_number(candidate: Candidate, number: int) -> Measurement | None:
    """Return the request with this number, counted from 1 over all repeats; None if there is
    none."""
    indices = np.flatnonzero(request_numbers(candidate) == number)
    return candidate.measurements[int(indices[0])] if len(indices) else None


def metrics(candidate: Candidate, m: Measurement) -> Table:
    """Return the metrics of a request, each beside the median over the run's requests."""
    rows = []
    for entry in METRICS:
        value, spread = entry.of(m), candidate.summary.distributions.get(entry.name)
        unit = unit_beside(entry.unit, entry.label)
        if value is not None:
            rows.append(
                (entry.label, show(value, unit), show(spread.median if spread else None, unit))
            )
    return Table("Metrics", ("", "This request", "Median of the run"), tuple(rows))


def events(m: Measurement) -> Table:
    """Return the events of a request, in seconds since its repeat began."""
    answered = m.t_answer if m.t_answer != m.t_first else None  # otherwise it is the first token
    times = (
        ("Due", m.t_due),
        ("Sent" if m.attempts == 1 else "Sent for the last time", m.t_send),
        ("First token", m.t_first),
        ("First token of the answer", answered),
        ("Last token", m.t_last),
        ("Ended", m.t_end if m.t_end != m.t_last else None),
    )
    rows = tuple((name, show(at, "s")) for name, at in times if at is not None)
    return Table("Times", ("", "Since the repeat began"), rows)


def ttft_parts(m: Measurement) -> Table:
    """Return the parts of a request's TTFT, as the server reports them, after the time spent in
    this client; no rows if the server reports none."""
    title, found = "Where its TTFT went", phases_of([m])
    if found is None:
        return Table(title, (), ())
    parts = ((LABELS[p.name], show(p.mean_s, "s"), show(p.share, "share")) for p in found.phases)
    late = metric("queue_s").of(m)
    client = (
        (BEFORE, show(late, "s"), NOTHING),
        ("Connecting, before sending", show(m.connect_s, "s"), NOTHING),
    )
    known = (late, m.connect_s)
    before = (row for row, value in zip(client, known, strict=True) if value is not None)
    return Table(title, ("", "Time", "Share of TTFT"), (*before, *parts))


def outcome(m: Measurement) -> str:
    """Return how a request ended, in a sentence or two."""
    if m.attempts > 1:
        waited = show(m.retry_wait_s, "s")
        why = f"it was {m.first_error_class} at first, and waited {waited} between attempts"
        return f"{_outcome(m)} This was attempt {m.attempts}: {why}."
    return _outcome(m)


def _outcome(m: Measurement) -> str:
    if m.status == "ok":
        counted = {"usage": "as counted by the server", "tokenizer": "as counted by a tokenizer"}
        source = counted.get(m.token_source, "not counted")
        tokens = NOTHING if m.output_tokens is None else f"{m.output_tokens:,}"
        end = ENDS.get(m.finish_reason or "", "")
        return f"It succeeded with {tokens} output tokens, {source}.{end}"
    if m.status == "cancelled":
        sent = m.t_send is not None or m.attempts > 1
        return "It was cancelled." if sent else "It was cancelled before it was sent."
    status = f" (HTTP {m.http_status})" if m.http_status else ""
    return f"It failed: {m.error_class or 'unknown'}{status}. {m.error or ''}".strip()


ENDS = {
    "stop": " The model ended it.",
    "length": " It was cut off at the token limit.",
}
