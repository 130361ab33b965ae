"""genai-perf: Perf Analyzer's export of every response (`profile_export.json`, nanoseconds), and
genai-perf's summary of it, which looks like aiperf's.

Only times and the server's usage are read from the responses: no text is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from services.ask.measurement import Measurement
from services.report.imports import aiperf, fields
from services.report.imports.imported import Imported, Load, StatedMetric, imported
from services.report.imports.parse import Document

TOOL = "genai-perf"
NS = 1e-9
TEXTS = ("content", "reasoning_content", "reasoning", "tool_calls", "text", "text_output")


def recognise(document: Document) -> bool:
    experiments = fields.as_list(document.first.get("experiments"))
    return bool(experiments) and isinstance(fields.inside(experiments[0], "requests"), list)


def recognise_summary(document: Document) -> bool:
    first = document.first
    return (
        "input_config" in first
        and "aiperf_version" not in first
        and (
            fields.inside(first, "request_latency", "unit") is not None and not aiperf.is_old(first)
        )
    )


def read_summary(document: Document) -> list[Imported]:
    return [aiperf.aggregate(TOOL, document.first, None, STATED)]


def read(document: Document) -> list[Imported]:
    export = document.first
    facts = fields.facts({k: v for k, v in export.items() if k != "version"})
    experiments = [
        experiment
        for experiment in fields.as_list(export["experiments"])
        if isinstance(experiment, dict)
    ]
    return [_run(experiment, export.get("version"), facts) for experiment in experiments]


def _run(experiment: Mapping[str, Any], version: Any, facts: Mapping[str, Any]) -> Imported:
    requests = [row for row in fields.as_list(experiment.get("requests")) if isinstance(row, dict)]
    ordered = sorted((at, n) for n, row in enumerate(requests) if (at := _ns(row.get("timestamp"))))
    start = ordered[0][0] if ordered else 0.0
    measurements = [_request(i, requests[n], at, start) for i, (at, n) in enumerate(ordered)]
    mode, value = (fields.inside(experiment, "experiment", part) for part in ("mode", "value"))
    return imported(
        TOOL,
        Load(
            rate=fields.number(value) if mode == "request_rate" else None,
            concurrency=fields.count(value) or None if mode == "concurrency" else None,
        ),
        model=next(filter(None, map(_model, requests)), ""),
        started_at=fields.moment(start),
        measurements=measurements,
        facts={**facts, "perf_analyzer": fields.line(version)},
    )


class Responses(NamedTuple):
    """The responses to one request."""

    times: tuple[float, ...]  # arrivals of those with a token
    ended: float | None
    tokens: int  # events with a token
    usage: dict[str, Any]
    error: Any


def _responses(stamps: list[Any], outputs: list[Any], start: float) -> Responses:
    """Return what the responses contain, with times since `start`."""
    times: list[float] = []
    tokens = 0
    usage: dict[str, Any] = {}
    error: Any = None
    ended: float | None = None
    for stamp, output in zip(stamps, outputs, strict=False):
        moment = _ns(stamp)
        ended = fields.seconds(moment - start) if moment is not None else ended
        for event in _events(output):
            usage = fields.as_dict(event.get("usage")) or usage
            error = error or event.get("error")
            tokens += _has_token(event)
            if _has_token(event) and ended is not None and ended not in times[-1:]:
                times.append(ended)
    return Responses(tuple(times), ended, tokens, usage, error)


def _request(index: int, row: Mapping[str, Any], at: float, start: float) -> Measurement:
    sent = at - start
    stamps, outputs = (fields.as_list(row.get(f"response_{n}")) for n in ("timestamps", "outputs"))
    times, ended, tokens, usage, error = _responses(stamps, outputs, start)
    if error or not times:
        message, kind = fields.failure(fields.inside(error, "message") or error)
        return Measurement(
            0,
            index,
            "failed",
            sent,
            sent,
            t_end=ended,
            error_class=kind if error else "empty",
            error=message or ("it failed" if error else "none of its responses contains a token"),
        )
    first = None if _is_whole(outputs) else times[0]
    return Measurement(
        0,
        index,
        "ok",
        sent,
        sent,
        first,
        first,
        times[-1],
        ended,
        () if first is None else times,
        fields.count(usage.get("prompt_tokens")),
        fields.count(usage.get("completion_tokens")),
        token_source="usage" if usage else "unknown",
        coalesced_reads=0 if first is None else max(tokens - len(times), 0),
    )


def _is_whole(outputs: list[Any]) -> bool:
    """Whether the answer was not streamed: a single response that is not an event."""
    text = fields.inside(outputs[0], "response")
    return len(outputs) == 1 and not str(text or "").lstrip().startswith("data:")


def _events(output: Any) -> Iterator[dict[str, Any]]:
    """Yield the events of one response: Perf Analyzer may read several at once. With Triton's own
    generate endpoint the response is the event."""
    response = fields.inside(output, "response")
    if not isinstance(response, str):
        if isinstance(output, dict):
            yield output
        return
    for line in response.split("\n"):
        try:
            event = json.loads(line.removeprefix("data:"))
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _has_token(event: Mapping[str, Any]) -> bool:
    """Whether an event holds a token, which the first (the role) and the last do not."""
    choices = fields.as_list(event.get("choices"))
    choice = fields.as_dict(choices[0]) if choices else event
    delta = fields.as_dict(choice.get("delta")) or fields.as_dict(choice.get("message")) or choice
    return any(delta.get(name) for name in TEXTS)


def _model(row: Mapping[str, Any]) -> str:
    payload = fields.inside(row, "request_inputs", "payload")
    try:
        body = json.loads(payload) if isinstance(payload, str) else None
    except (ValueError, RecursionError):
        return ""
    return fields.line(fields.inside(body, "model"))


def _ns(value: Any) -> float | None:
    """Return seconds since 1970 from nanoseconds; differences are precise to a microsecond."""
    return fields.number(value, NS)


_DEFINITIONS = {  # where they differ from aiperf's
    "requests_per_s": "Requests / time from the first send to the last response with text.",
    "output_tokens_per_s": "Output tokens, by its own tokenizer, / time from the first send to "
    "the last response with text.",
    "ttft_s": "First response with text − the time Perf Analyzer hands over the request.",
    "e2e_s": "Last response with text − the time Perf Analyzer hands over the request.",
}


def _with_own_definition(entry: StatedMetric) -> StatedMetric:
    """Return aiperf's metric with genai-perf's definition if that differs; the note on the
    statistic is kept."""
    metric, _, statistic = entry.name.rpartition("_")
    definition = (
        None if statistic == "sd" else _DEFINITIONS.get(entry.name) or _DEFINITIONS.get(metric)
    )
    extra = aiperf.EXTRA.get(statistic, "")
    return entry._replace(definition=definition + extra) if definition else entry


STATED = tuple(map(_with_own_definition, aiperf.STATED))
