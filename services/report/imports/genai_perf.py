"""genai-perf: Perf Analyzer's export of every response (`profile_export.json`, nanoseconds), and
genai-perf's summary of it, which looks like aiperf's.

Of the responses only what tells their times and the server's usage is read: no text is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.ask.measurement import Measurement
from services.report.imports import aiperf, fields
from services.report.imports.imported import Imported, Load, Says, imported
from services.report.imports.parse import Document

TOOL = "genai-perf"
NS = 1e-9
TEXTS = ("content", "reasoning_content", "reasoning", "tool_calls", "text", "text_output")


def recognise(document: Document) -> bool:
    experiments = fields.several(document.first.get("experiments"))
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
    return [aiperf.aggregate(TOOL, document.first, None, SAYS)]


def read(document: Document) -> list[Imported]:
    found = document.first
    facts = fields.facts({k: v for k, v in found.items() if k != "version"})
    experiments = [one for one in fields.several(found["experiments"]) if isinstance(one, dict)]
    return [_run(one, found.get("version"), facts) for one in experiments]


def _run(one: Mapping[str, Any], version: Any, facts: Mapping[str, Any]) -> Imported:
    requests = [row for row in fields.several(one.get("requests")) if isinstance(row, dict)]
    kept = sorted((at, n) for n, row in enumerate(requests) if (at := _ns(row.get("timestamp"))))
    start = kept[0][0] if kept else 0.0
    measurements = [_request(i, requests[n], at, start) for i, (at, n) in enumerate(kept)]
    mode, value = (fields.inside(one, "experiment", part) for part in ("mode", "value"))
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


def _request(index: int, row: Mapping[str, Any], at: float, start: float) -> Measurement:
    sent, tokens = at - start, 0
    times: list[float] = []
    usage: dict[str, Any] = {}
    wrong: Any = None
    stamps, outputs = (fields.several(row.get(f"response_{n}")) for n in ("timestamps", "outputs"))
    ended: Any = None
    for stamp, output in zip(stamps, outputs, strict=False):
        moment = _ns(stamp)
        ended = fields.seconds(moment - start) if moment is not None else ended
        for event in _events(output):
            usage = fields.mapping(event.get("usage")) or usage
            wrong = wrong or event.get("error")
            tokens += _carries(event)
            if _carries(event) and ended is not None and ended not in times[-1:]:
                times.append(ended)
    if wrong or not times:
        said, kind = fields.failure(fields.inside(wrong, "message") or wrong)
        return Measurement(
            0,
            index,
            "failed",
            sent,
            sent,
            t_end=ended,
            error_class=kind if wrong else "empty",
            error=said or ("it failed" if wrong else "no response of it carries a token"),
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
        () if first is None else tuple(times),
        fields.count(usage.get("prompt_tokens")),
        fields.count(usage.get("completion_tokens")),
        token_source="usage" if usage else "unknown",
        coalesced_reads=0 if first is None else max(tokens - len(times), 0),
    )


def _is_whole(outputs: list[Any]) -> bool:
    """Whether the answer came at once, without streaming: one response that is no event."""
    written = fields.inside(outputs[0], "response")
    return len(outputs) == 1 and not str(written or "").lstrip().startswith("data:")


def _events(output: Any) -> Iterator[dict[str, Any]]:
    """The events of one response: Perf Analyzer may read several at once. Of Triton's own generate
    endpoint the response is the event."""
    response = fields.inside(output, "response")
    if not isinstance(response, str):
        if isinstance(output, dict):
            yield output
        return
    for written in response.split("\n"):
        try:
            event = json.loads(written.removeprefix("data:"))
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _carries(event: Mapping[str, Any]) -> bool:
    """Whether an event holds a token: neither one that says who speaks, nor one that ends."""
    choices = fields.several(event.get("choices"))
    choice = fields.mapping(choices[0]) if choices else event
    said = fields.mapping(choice.get("delta")) or fields.mapping(choice.get("message")) or choice
    return any(said.get(name) for name in TEXTS)


def _model(row: Mapping[str, Any]) -> str:
    payload = fields.inside(row, "request_inputs", "payload")
    try:
        asked = json.loads(payload) if isinstance(payload, str) else None
    except (ValueError, RecursionError):
        return ""
    return fields.line(fields.inside(asked, "model"))


def _ns(value: Any) -> float | None:
    """Seconds of nanoseconds since 1970; differences are taken of these, good to a microsecond."""
    return fields.number(value, NS)


_OWN = {  # the others are aiperf's
    "requests_per_s": "Requests over the time from the first send to the last response with text.",
    "output_tokens_per_s": "Output tokens, by its tokenizer, over the time from the first send to "
    "the last response with text.",
    "ttft_s": "First response with text − the moment Perf Analyzer hands the request on.",
    "e2e_s": "Last response with text − the moment Perf Analyzer hands the request on.",
}


def _own(entry: Says) -> Says:
    """The entry with genai-perf's definition, where it is not aiperf's; the words on the statistic
    stay."""
    metric, _, statistic = entry.name.rpartition("_")
    said = None if statistic == "sd" else _OWN.get(entry.name) or _OWN.get(metric)
    extra = aiperf.EXTRA.get(statistic, "")
    return entry._replace(definition=said + extra) if said else entry


SAYS = tuple(map(_own, aiperf.SAYS))
