"""The metrics of a request: a table, each metric a function of a measurement.

Formulas, and when they have no value, are as in vLLM, guidellm, aiperf and MLPerf LoadGen; `help`
explains each in the UI. A missing value is None, never 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from services.ask.measurement import Measurement
from services.ask.workloads import CLASSES
from services.base.finite import rate

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a request. `of` returns seconds, tokens or tokens per second, or None."""

    name: str
    label: str
    unit: str
    better: Better
    of: Callable[[Measurement], float | None]
    help: str


def metric(name: str) -> Metric:
    """Return the metric named `name`.

    Raises:
        KeyError: there is no such metric.
    """
    return _BY_NAME[name]


def of_class(name: str, label: str) -> str:
    """Return the label of a metric for one request class: `TTFT of short requests, median`."""
    first, comma, rest = label.partition(", ")
    return f"{first.removesuffix(' per request')} of {CLASSES[name]}{comma}{rest}"


def request_row(m: Measurement) -> dict[str, Any]:
    """Return one request as plain data, with the keys of FIELDS in their order.

    Times are seconds since the repeat began, durations seconds, rates tokens per second.
    """
    return {name: of(m) for name, of in _ROW.items()}


def _since(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _queue(m: Measurement) -> float | None:
    """None if it was sent more than once: only its last attempt is timed."""
    return None if m.attempts > 1 else _since(m.t_due, m.t_send)


def lateness(m: Measurement) -> float | None:
    """Return how late the client sent a request, in seconds, without the wait caused by max
    concurrency; None if it was sent more than once."""
    queue = _queue(m)
    return None if queue is None else queue - (m.cap_wait_s or 0.0)


def _ttft(m: Measurement) -> float | None:
    return _since(m.t_send, m.t_first)


def _network(m: Measurement) -> float | None:
    ttft = _ttft(m)
    if ttft is None or m.server_queue_s is None or m.prefill_s is None:
        return None
    return ttft - m.server_queue_s - (m.load_s or 0.0) - m.prefill_s


def _scheduled_ttft(m: Measurement) -> float | None:
    return _since(m.t_due, m.t_first)


def _ttfa(m: Measurement) -> float | None:
    return _since(m.t_send, m.t_answer)


def _e2e(m: Measurement) -> float | None:
    return _since(m.t_send, m.t_last) if m.status == "ok" else None


def _scheduled(m: Measurement) -> float | None:
    return _since(m.t_due, m.t_last) if m.status == "ok" else None


def _decode_s(m: Measurement) -> float | None:
    """The time from the first token to the last; None if unknown, or for one token or chunk."""
    span = _since(m.t_first, m.t_last)
    return span if span and m.output_tokens is not None and m.output_tokens >= 2 else None


def _tpot(m: Measurement) -> float | None:
    span = _decode_s(m)
    return None if span is None or m.output_tokens is None else span / (m.output_tokens - 1)


def _decode_rate(m: Measurement) -> float | None:
    span = _decode_s(m)
    return None if m.output_tokens is None else rate(m.output_tokens - 1, span)


def _rate(m: Measurement) -> float | None:
    return rate(m.output_tokens or None, _e2e(m))


METRICS: tuple[Metric, ...] = (
    Metric(
        "ttft_s",
        "TTFT",
        "s",
        "lower",
        _ttft,
        "Time to first token, of any kind: first token − sent. None if nothing was streamed.",
    ),
    Metric(
        "ttfa_s",
        "TTFA",
        "s",
        "lower",
        _ttfa,
        "Time to first token of the answer itself, after any reasoning: first answer − sent.",
    ),
    Metric(
        "e2e_s",
        "E2E latency",
        "s",
        "lower",
        _e2e,
        "From when the request was sent to the last token. Successful requests only.",
    ),
    Metric(
        "scheduled_s",
        "Scheduled latency",
        "s",
        "lower",
        _scheduled,
        "From when the request was due to the last token, so it includes the wait if it was sent "
        "late.",
    ),
    Metric(
        "scheduled_ttft_s",
        "Scheduled TTFT",
        "s",
        "lower",
        _scheduled_ttft,
        "From when the request was due to the first token, so it includes the wait if it was sent "
        "late.",
    ),
    Metric(
        "queue_s",
        "Client queue",
        "s",
        "lower",
        _queue,
        "From when the request was due to when it was sent: how late it left this client. None if "
        "it was sent more than once.",
    ),
    Metric(
        "retry_wait_s",
        "Retry wait",
        "s",
        "lower",
        lambda m: m.retry_wait_s,
        "Total time between the attempts of a request that was sent more than once.",
    ),
    Metric(
        "cap_wait_s",
        "Concurrency wait",
        "s",
        "lower",
        lambda m: m.cap_wait_s,
        "The part of the client queue spent waiting because the maximum concurrency was reached.",
    ),
    Metric(
        "server_queue_s",
        "Server queue",
        "s",
        "lower",
        lambda m: m.server_queue_s,
        "Time the request waited in the server before the prefill, as the server reports it. Part "
        "of TTFT.",
    ),
    Metric(
        "load_s",
        "Model load",
        "s",
        "lower",
        lambda m: m.load_s,
        "Time the server spent loading the model, as it reports it. Part of TTFT.",
    ),
    Metric(
        "prefill_s",
        "Prefill",
        "s",
        "lower",
        lambda m: m.prefill_s,
        "Time the server spent processing the prompt, as it reports it. Part of TTFT.",
    ),
    Metric(
        "network_s",
        "Network and other",
        "s",
        "lower",
        _network,
        "TTFT without server queue, model load and prefill. Only if the server reports its queue "
        "and its prefill.",
    ),
    Metric(
        "tpot_s",
        "TPOT",
        "s",
        "lower",
        _tpot,
        "Time per output token after the first: (last − first token) / (tokens − 1). "
        "guidellm and aiperf call it ITL.",
    ),
    Metric(
        "tokens_per_s",
        "Tokens/s per request",
        "tokens/s",
        "higher",
        _rate,
        "End to end: output tokens / (last token − sent), including the wait for the first token.",
    ),
    Metric(
        "decode_tokens_per_s",
        "Decode tokens/s per request",
        "tokens/s",
        "higher",
        _decode_rate,
        "Without the wait for the first token: (tokens − 1) / (last − first token).",
    ),
    Metric(
        "output_tokens",
        "Output tokens",
        "tokens",
        "neither",
        lambda m: m.output_tokens,
        "Tokens generated, including reasoning, as counted by the server or otherwise by a "
        "tokenizer.",
    ),
    Metric(
        "prompt_tokens",
        "Prompt tokens",
        "tokens",
        "neither",
        lambda m: m.prompt_tokens,
        "Tokens of the prompt, as counted by the server.",
    ),
)
SESSION_TIME = Metric(  # not of a single request, see `turns.session_times`
    "session_s",
    "Session time",
    "s",
    "lower",
    lambda m: None,
    "From when a session's first turn was due to the end of its last answer.",
)
_BY_NAME = {entry.name: entry for entry in (*METRICS, SESSION_TIME)}

_ROW: dict[str, Callable[[Measurement], Any]] = {
    "index": lambda m: m.index,
    "repeat": lambda m: m.repeat,
    "status": lambda m: m.status,
    "error_class": lambda m: m.error_class,
    "error": lambda m: m.error,
    "http_status": lambda m: m.http_status,
    "due_s": lambda m: m.t_due,
    "sent_s": lambda m: m.t_send,
    "ttft_s": _ttft,
    "ttfa_s": _ttfa,
    "e2e_s": _e2e,
    "tpot_s": _tpot,
    "tokens_per_s": _rate,
    "decode_tokens_per_s": _decode_rate,
    "prompt_tokens": lambda m: m.prompt_tokens,
    "output_tokens": lambda m: m.output_tokens,
    "cached_tokens": lambda m: m.cached_tokens,
    "token_source": lambda m: m.token_source,
    "finish_reason": lambda m: m.finish_reason,
}
FIELDS: tuple[str, ...] = tuple(_ROW)
