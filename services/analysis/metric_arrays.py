"""The metrics of METRICS for many requests at once: the same formulas over arrays, in which NaN
means unknown.

Each gives the same result as the function for a single measurement, to the last bit; a test checks
this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from services.ask.measurement import Measurement
from services.ask.measurements import Floats, Measurements, as_table


def metric_array(measurements: Sequence[Measurement], name: str) -> Floats:
    """Return the metric `name` of each request; NaN: unknown.

    Raises:
        KeyError: there is no such metric.
    """
    return ARRAYS[name](as_table(measurements))


def known(values: Floats) -> Floats:
    """Return the known values."""
    return values[~np.isnan(values)]


def latenesses(measurements: Sequence[Measurement]) -> Floats:
    """Return the lateness of each request, in seconds, as `metrics.lateness` does."""
    table = as_table(measurements)
    return _queues(table) - _cap_waits(table)


def first_sends(measurements: Sequence[Measurement]) -> Floats:
    """Return when each request was first sent, in seconds since its repeat began; NaN: never. Only
    the last attempt is timed: a request that was sent more than once was first sent when it was due
    and had a place in flight."""
    table = as_table(measurements)
    again = table.numbers("attempts") > 1
    if not again.any():
        return table.numbers("t_send")
    return np.where(again, table.numbers("t_due") + _cap_waits(table), table.numbers("t_send"))


def _cap_waits(table: Measurements) -> Floats:
    return np.nan_to_num(table.numbers("cap_wait_s"), nan=0.0)


def _queues(table: Measurements) -> Floats:
    return np.where(table.numbers("attempts") > 1, np.nan, _between(table, "t_due", "t_send"))


def _between(table: Measurements, start: str, end: str) -> Floats:
    return table.numbers(end) - table.numbers(start)


def _since(start: str, end: str) -> Callable[[Measurements], Floats]:
    return lambda table: _between(table, start, end)


def _of_success(start: str, end: str) -> Callable[[Measurements], Floats]:
    return lambda table: np.where(table.are("ok"), _between(table, start, end), np.nan)


def _decode_s(table: Measurements) -> Floats:
    span, tokens = _between(table, "t_first", "t_last"), table.numbers("output_tokens")
    return np.where((span != 0) & (tokens >= 2), span, np.nan)


def _network(table: Measurements) -> Floats:
    server = table.numbers("server_queue_s"), np.nan_to_num(table.numbers("load_s"))
    return ARRAYS["ttft_s"](table) - server[0] - server[1] - table.numbers("prefill_s")


def _tpot(table: Measurements) -> Floats:
    return _decode_s(table) / (table.numbers("output_tokens") - 1)


def _decode_rate(table: Measurements) -> Floats:
    return _rate(table.numbers("output_tokens") - 1, _decode_s(table))


def _tokens_per_s(table: Measurements) -> Floats:
    tokens = table.numbers("output_tokens")
    return _rate(np.where(tokens == 0, np.nan, tokens), ARRAYS["e2e_s"](table))


def _rate(amounts: Floats, spans: Floats) -> Floats:
    """The same as `finite.rate`."""
    rates = np.divide(amounts, spans, out=np.full_like(spans, np.nan), where=spans != 0)
    return np.where(np.isfinite(rates), rates, np.nan)


def _column(name: str) -> Callable[[Measurements], Floats]:
    return lambda table: table.numbers(name)


ARRAYS: dict[str, Callable[[Measurements], Floats]] = {
    "ttft_s": _since("t_send", "t_first"),
    "ttfa_s": _since("t_send", "t_answer"),
    "e2e_s": _of_success("t_send", "t_last"),
    "scheduled_s": _of_success("t_due", "t_last"),
    "scheduled_ttft_s": _since("t_due", "t_first"),
    "queue_s": _queues,
    "retry_wait_s": _column("retry_wait_s"),
    "cap_wait_s": _column("cap_wait_s"),
    "server_queue_s": _column("server_queue_s"),
    "load_s": _column("load_s"),
    "prefill_s": _column("prefill_s"),
    "network_s": _network,
    "tpot_s": _tpot,
    "tokens_per_s": _tokens_per_s,
    "decode_tokens_per_s": _decode_rate,
    "output_tokens": _column("output_tokens"),
    "prompt_tokens": _column("prompt_tokens"),
}
