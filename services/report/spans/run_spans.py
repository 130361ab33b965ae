"""The spans of one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from services import VERSION
from services.ask.measurement import Measurement, Run
from services.ask.sessions import sessions_of
from services.base.surrogates import clean
from services.report.spans import conventions
from services.report.spans.conventions import Attribute
from services.report.spans.messages import AnswerOf, text_attributes
from services.report.spans.progress import RepeatCount

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_NAME = 200  # characters


class RunSpans:
    """Builds the spans of a run. `server`: the host and port of its requests. `answer_of`: looks up
    earlier answers; None: prompts and answers are left out."""

    def __init__(
        self, run: Run, server: tuple[str, int] | None = None, answer_of: AnswerOf | None = None
    ) -> None:
        self._run, self._answer_of = run, answer_of
        self._trace_id = _hash(16, run.created_at.isoformat(), run.id)
        self._began_ns = {repeat.index: _ns(repeat.began_at) for repeat in run.repeats}
        self._common = _attributes(conventions.common_attributes(run, server))
        self._max_tokens = conventions.max_tokens(run)
        self._sessions = sessions_of(run.config) if run.source is None else None
        model = f" {run.config.model}" if run.config.model else ""
        self._name = _cut(f"{conventions.operation(run.config)}{model}")

    def parent_spans(self, counts: Sequence[RepeatCount]) -> list[Span]:
        """Return the span of the run, and one for each repeat."""
        by_index = {count.repeat: count for count in counts}
        repeats = [
            self._repeat_span(index, by_index.get(index) or RepeatCount(index, 0, 0))
            for index in self._began_ns
        ]
        return [self._run_span(repeats, counts), *repeats]

    def request_span(self, m: Measurement) -> Span | None:
        """Return the span of a request; None if its repeat, and so its time, is unknown."""
        began_ns = self._began_ns.get(m.repeat)
        if began_ns is None:
            return None
        start = m.t_due if m.t_send is None else m.t_send
        end = next((t for t in (m.t_end, m.t_last, m.t_first) if t is not None), start)
        span = Span(
            trace_id=self._trace_id,
            span_id=self._id("request", m.repeat, m.index),
            parent_span_id=self._id("repeat", m.repeat),
            name=self._name,
            kind=Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=_at(began_ns, start),
            end_time_unix_nano=_at(began_ns, max(start, end)),
            events=_events(m, began_ns),
            status=_status(m),
        )
        span.attributes.extend(self._common)
        span.attributes.extend(_attributes(self._request_attributes(m, began_ns)))
        return span

    def _request_attributes(self, m: Measurement, began_ns: int) -> Iterator[Attribute]:
        if self._max_tokens is not None:
            yield "gen_ai.request.max_tokens", self._max_tokens(m.index)
        if self._sessions is not None:
            session = self._sessions.locate(m.index)[0]
            name = f"{self._trace_id.hex()}-{m.repeat + 1}-{session + 1}"
            yield "gen_ai.conversation.id", name
        yield from conventions.request_attributes(m, began_ns)
        if self._answer_of is not None:
            yield from text_attributes(self._run, m, self._answer_of)

    def _run_span(self, repeats: Sequence[Span], counts: Sequence[RepeatCount]) -> Span:
        run = self._run
        requests, failed = sum(c.requests for c in counts), sum(c.failed for c in counts)
        starts = [_ns(at) for at in (run.started_at,) if at]
        ends = [_ns(at) for at in (run.ended_at,) if at]
        starts += [span.start_time_unix_nano for span in repeats]
        ends += [span.end_time_unix_nano for span in repeats]
        start = min(starts, default=_ns(run.created_at))
        wrong = Status(code=Status.STATUS_CODE_ERROR, message=clean(run.error or ""))
        return Span(
            trace_id=self._trace_id,
            span_id=self._id("run"),
            name=_cut(run.name),
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=start,
            end_time_unix_nano=max([start, *ends]),
            attributes=_attributes(conventions.run_attributes(run, requests, failed)),
            status=wrong if run.error else None,
        )

    def _repeat_span(self, index: int, count: RepeatCount) -> Span:
        repeat = next(each for each in self._run.repeats if each.index == index)
        began_ns = self._began_ns[index]
        lasted = max(repeat.duration_s or 0.0, count.last_s or 0.0)
        about = conventions.repeat_attributes(self._run, index, count.requests, count.failed)
        return Span(
            trace_id=self._trace_id,
            span_id=self._id("repeat", index),
            parent_span_id=self._id("run"),
            name=f"repeat {index + 1}",
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=began_ns,
            end_time_unix_nano=_at(began_ns, lasted),
            attributes=_attributes(about),
        )

    def _id(self, *parts: object) -> bytes:
        return _hash(8, self._trace_id.hex(), *parts)


def request_body(spans: Iterable[Span], resource: Iterable[Attribute]) -> bytes:
    """Return a batch of spans as the body of a request."""
    request = ExportTraceServiceRequest()
    of_one = request.resource_spans.add()
    about = [("service.version", VERSION), ("telemetry.sdk.name", "paceline")]
    of_one.resource.attributes.extend(_attributes(chain(about, resource)))
    scope = of_one.scope_spans.add()
    scope.scope.name, scope.scope.version = "paceline", VERSION
    scope.spans.extend(spans)
    return bytes(request.SerializeToString())


def _hash(size: int, *parts: object) -> bytes:
    return blake2b("\n".join(map(str, parts)).encode(), digest_size=size).digest()


def _ns(moment: datetime) -> int:
    """Nanoseconds since 1970, without floating-point error."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def _at(began_ns: int, t: float) -> int:
    return max(0, began_ns + round(t * 1e9))


def _events(m: Measurement, began_ns: int) -> list[Span.Event]:
    """The first token, and the first token of the answer if the model reasons first."""
    moments = {"first token": m.t_first}
    if m.t_answer is not None and m.t_answer != m.t_first:
        moments["first token of the answer"] = m.t_answer
    return [
        Span.Event(name=name, time_unix_nano=_at(began_ns, t))
        for name, t in moments.items()
        if t is not None
    ]


def _status(m: Measurement) -> Status | None:
    """According to the conventions, a successful span has no status."""
    if m.status != "failed":
        return None
    return Status(
        code=Status.STATUS_CODE_ERROR, message=clean(m.error or m.error_class or "unknown")
    )


def _attributes(pairs: Iterable[Attribute]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_any_value(value)) for name, value in pairs]


def _any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(_any_value, value)))
        case _:
            return AnyValue(string_value=clean(str(value)))


def _cut(text: str) -> str:
    text = clean(text)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
