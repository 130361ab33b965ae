"""Diagnostics of the server's answers: their framing and their lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analysis.diagnostics.diagnostic import Diagnostic
from services.analysis.summary import Summary
from services.analysis.summary.repeats import successes
from services.ask import irregularities
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Run
from services.ask.measurements import Floats, Measurements
from services.ask.workloads import max_tokens_of_each
from services.base import units

SHORT = 0.9  # of the requested tokens; an answer with fewer is short
SHORT_SHARE = 0.01  # limit, of the answers


def irregular_framing(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    counts = {name: count for name, count in _irregularities(run).items() if name in FRAMING}
    if not counts:
        return None
    each = (f"{FRAMING[name]} ({units.many(n, 'answer')})" for name, n in counts.items())
    framings = "; ".join(each)
    return Diagnostic(
        "note",
        "The server's streaming format is unusual",
        f"There were {framings}. Paceline handles this and times each token correctly, but other "
        "clients may fail or count differently. Report it to whoever runs the server or the proxy "
        "in front of it.",
    )


def not_streamed(
    run: Run, measurements: Sequence[Measurement], summary: Summary
) -> Diagnostic | None:
    count = _irregularities(run)[irregularities.NOT_STREAMED]
    if not count:
        return None
    return Diagnostic(
        "warning",
        f"{units.many(count, 'answer')} came in one piece",
        "A stream was requested. An answer in one piece has no TTFT and no TPOT, so these come "
        "from the other answers only; E2E latency and throughput are still valid. Look for a "
        "setting of the server, or of a proxy in front of it, that prevents streaming.",
    )


def too_short(run: Run, measurements: Sequence[Measurement], summary: Summary) -> Diagnostic | None:
    """Check for answers far below max_tokens that have a finish_reason of length, or that ended
    although the run requests a fixed length."""
    if not run.knows("max_tokens") or "max_tokens" in run.config.omit:
        return None
    insists, good = _asks_for_lengths(run.config), successes(measurements)
    counted = good.where(~np.isnan(good.numbers("output_tokens")))
    tokens, requested = counted.numbers("output_tokens"), max_tokens_of(run.config, counted)
    if insists == AT_LEAST:
        requested = np.minimum(requested, run.config.min_tokens or 0)
    cut = tokens < SHORT * requested
    if not insists:
        cut &= counted.texts("finish_reason").are("length")
    short = np.count_nonzero(cut)
    if short <= SHORT_SHARE * len(counted):
        return None
    unforced = insists in ENDED_BY_THEMSELVES and not run.config.min_tokens
    return Diagnostic(
        "warning",
        f"{short} of {len(counted)} answers are shorter than requested",
        f"They have {_lengths_text(tokens[cut], requested[cut])}, "
        f"{insists or 'with a finish_reason of length'}. "
        f"{UNFORCED if unforced else SHORT_WHY}",
    )


def fixes_lengths(config: RunConfig) -> bool:
    """Return whether a run asks for answers as long as their `max_tokens`, which then cuts none."""
    how = _asks_for_lengths(config)
    return bool(how) and (how != AT_LEAST or (config.min_tokens or 0) >= config.max_tokens)


def _asks_for_lengths(config: RunConfig) -> str:
    """How the run requests answers of a fixed length, as text; "" if it does not."""
    if config.ignore_eos:
        return "although the end of text was to be ignored"
    if config.workload == "trace":
        return AS_TRACED
    if config.output_distribution != "fixed":
        return AS_DRAWN
    return AT_LEAST if config.min_tokens else ""


def max_tokens_of(config: RunConfig, requests: Measurements) -> NDArray[np.int64]:
    """Return the `max_tokens` of each request."""
    return max_tokens_of_each(config, requests.numbers("index").astype(np.int64))


def _lengths_text(had: Floats, requested: NDArray[np.int64]) -> str:
    """The actual and requested length of answers: "24 to 40 of 128 tokens"."""
    share = units.share(float(had.sum() / requested.sum()))
    return f"{_between(had)} of {_between(requested)} tokens, {share} of what was requested"


def _between(numbers: NDArray[Any]) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _irregularities(run: Run) -> Counter[str]:
    """Answers with each irregularity; stored values that are not counts are ignored."""
    total: Counter[str] = Counter()
    for repeat in run.repeats:
        counts = repeat.health.get("oddities")
        if isinstance(counts, dict):
            total.update({name: n for name, n in counts.items() if isinstance(n, int)})
    return total


SHORT_WHY = (
    "The server may cut answers short under load, have its own limit, or support neither a minimum "
    "nor ignoring the end of text: see its log before comparing."
)
AS_TRACED = "although the trace gives a length for each"
AS_DRAWN = "although a length was drawn for each"
AT_LEAST = "although a minimum was set"
ENDED_BY_THEMSELVES = (AS_TRACED, AS_DRAWN)
UNFORCED = (
    "The model may have ended them on its own: ignore the end of text if the server supports it, "
    "or rely on the measured lengths instead of the planned ones."
)

CHECKS = (not_streamed, too_short, irregular_framing)

# Descriptions of the irregularities.
FRAMING = {
    irregularities.EMPTY_EVENT: "events without data",
    irregularities.PING: "keep-alive messages sent as data",
    irregularities.BYTE_ORDER_MARK: "a byte order mark",
    irregularities.ONE_NEWLINE: "events with no empty line between them",
    irregularities.UNENDED: "a last event with no empty line after it",
    irregularities.BARE_JSON: "JSON outside any event",
    irregularities.COMPRESSED: "compressed streams, which may delay tokens",
    irregularities.CONTENT_TYPE: "a stream under another Content-Type",
    irregularities.UNKNOWN_CHUNK: "JSON that is not part of an answer",
}
