"""A run as OpenTelemetry spans: identifiers, times, attributes; and where they are sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from services.ask.config import parse
from services.ask.measurement import Measurement, Repeat, Run
from services.report.spans.conventions import provider
from services.report.spans.progress import Delivered, RepeatCount, SpanExport, sentence
from services.report.spans.run_spans import RunSpans, request_body
from services.report.spans.settings import (
    VARIABLES,
    InvalidSpanSettings,
    SpanSettings,
    is_on,
    span_settings,
)
from tests.receiver import attributes
from tests.values import NOON, failed, measured

NOON_NS = 1_772_366_400_000_000_000  # 2026-03-01 12:00 UTC
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def a_run(**config: Any) -> Run:
    values = {"backend": "vllm", "model": "org/model", "repeats": 2, "requests": 3, **config}
    return Run(
        id=7,
        name="Seven",
        status="done",
        config=parse(values),
        created_at=NOON - timedelta(seconds=9),
        started_at=NOON - timedelta(seconds=1),
        ended_at=NOON + timedelta(seconds=20),
        repeats=(
            Repeat(0, NOON, 4.0),
            Repeat(1, NOON + timedelta(seconds=10, microseconds=1), None),
        ),
        tags=("nightly",),
    )


def span_of(m: Measurement, run: Run | None = None, **options: Any) -> Span:
    span = RunSpans(run or a_run(), **options).request_span(m)
    assert span is not None
    return span


def test_span_ids_are_stable_and_unique_to_a_request() -> None:
    one, again = span_of(measured(1)), span_of(measured(1))
    assert one == again
    assert (len(one.trace_id), len(one.span_id)) == (16, 8)
    others = [measured(2), measured(1, repeat=1)]
    assert one.span_id not in [span_of(m).span_id for m in others]
    elsewhere = replace(a_run(), created_at=NOON)  # the same number in another database
    assert span_of(measured(1), elsewhere).trace_id != one.trace_id


def test_run_and_repeats_are_the_parents() -> None:
    spans = RunSpans(a_run())
    whole, first, second = spans.parent_spans(
        [RepeatCount(0, 3, 1, 3.5), RepeatCount(1, 2, 0, 6.5)]
    )
    assert not whole.parent_span_id
    assert first.parent_span_id == second.parent_span_id == whole.span_id
    child = spans.request_span(measured(repeat=1))
    assert child is not None and child.parent_span_id == second.span_id
    assert {span.trace_id for span in (whole, first, second, child)} == {whole.trace_id}
    about = attributes(whole.attributes)
    assert (about["paceline.requests"], about["paceline.failed"]) == (5, 1)
    assert (whole.name, about["paceline.tags"]) == ("Seven", ["nightly"])
    assert attributes(first.attributes)["openinference.span.kind"] == "CHAIN"


def test_times_are_those_of_the_clock_to_the_nanosecond() -> None:
    span = span_of(measured(repeat=1, send=0.25, ttft=0.5, e2e=2.000000001))
    began = NOON_NS + 10_000_001_000
    assert span.start_time_unix_nano == began + 250_000_000
    assert span.end_time_unix_nano == began + 2_250_000_001
    (event,) = span.events
    assert (event.name, event.time_unix_nano) == ("first token", began + 750_000_000)


def test_a_parent_span_covers_its_children() -> None:
    whole, first, cut = RunSpans(a_run()).parent_spans([RepeatCount(1, 2, 0, 6.5)])
    assert whole.start_time_unix_nano == NOON_NS - 1_000_000_000
    assert whole.end_time_unix_nano == NOON_NS + 20_000_000_000
    assert first.end_time_unix_nano - first.start_time_unix_nano == 4_000_000_000
    assert cut.end_time_unix_nano - cut.start_time_unix_nano == 6_500_000_000


def test_a_request_has_the_attributes_of_the_genai_conventions() -> None:
    m = measured(1, send=0.5, t_due=0.25, cached_tokens=4, reasoning_tokens=2, http_status=200)
    span = span_of(m, a_run(max_tokens=64, top_p=0.5), server=("gpu.example", 8000))
    assert (span.name, span.kind) == ("chat org/model", Span.SPAN_KIND_CLIENT)
    assert attributes(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.system": "vllm",
        "gen_ai.request.model": "org/model",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "gen_ai.response.time_to_first_chunk": 1.0,
        "http.response.status_code": 200,
        "langfuse.observation.completion_start_time": '"2026-03-01T12:00:01.500+00:00"',
        "paceline.run": 7,
        "paceline.repeat": 1,
        "paceline.request": 2,
        "paceline.status": "ok",
        "paceline.sent_late_s": 0.25,
        "server.address": "gpu.example",
        "server.port": 8000,
    }
    assert not span.HasField("status")


def test_a_failure_has_its_class_and_its_words() -> None:
    span = span_of(failed(error_class="http_429", error="Too many.", http_status=429, attempts=3))
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "Too many.")
    about = attributes(span.attributes)
    assert (about["error.type"], about["http.response.status_code"]) == ("http_429", 429)
    assert about["paceline.attempts"] == 3
    assert not [name for name in about if name.startswith(("gen_ai.usage", "gen_ai.response"))]
    assert not span.events


def test_an_unsent_request_takes_no_time_and_is_not_an_error() -> None:
    span = span_of(Measurement(0, 2, "cancelled", 1.5))
    assert span.start_time_unix_nano == span.end_time_unix_nano == NOON_NS + 1_500_000_000
    assert not span.HasField("status")


def test_a_reasoning_model_has_a_second_event() -> None:
    events = span_of(measured(t_answer=2.0)).events
    assert [event.name for event in events] == ["first token", "first token of the answer"]


def test_a_request_of_a_repeat_that_is_not_known_has_no_span() -> None:
    assert RunSpans(a_run()).request_span(measured(repeat=2)) is None


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"backend": "embedded", "model": ""}, "llama.cpp"),
        ({"backend": "openai"}, "openai"),
        ({"backend": "url"}, "openai_compatible"),
        ({"backend": "litellm", "model": "mistral/mistral-small"}, "mistral_ai"),
        ({"backend": "litellm", "model": "groq/llama"}, "groq"),
    ],
)
def test_providers_have_the_names_of_the_conventions(config: Any, name: str) -> None:
    assert provider(parse(config)) == name


def test_completions_are_another_operation_than_chat() -> None:
    assert span_of(measured(), a_run(dialect="completions")).name == "text_completion org/model"


def test_turns_of_a_session_have_one_conversation() -> None:
    run = a_run(workload="synthetic", turns=2, requests=4)
    ids = [
        attributes(span_of(measured(i), run).attributes)["gen_ai.conversation.id"] for i in range(4)
    ]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert "gen_ai.conversation.id" not in attributes(span_of(measured()).attributes)


def test_prompts_and_answers_are_exported_only_on_request() -> None:
    run = a_run(prompt="What is a *span*?", unique_prompts=False)
    m = measured(answer='An "interval".')
    body = request_body([span_of(m, run)], ())
    assert b"span*" not in body and b"interval" not in body
    about = attributes(span_of(m, run, answer_of=lambda *_: None).attributes)
    asked, answered = (json.loads(about[f"gen_ai.{way}.messages"]) for way in ("input", "output"))
    text = {"type": "text", "content": "What is a *span*?"}
    assert asked == [{"role": "user", "parts": [text]}]
    text = {"type": "text", "content": 'An "interval".'}
    assert answered == [{"role": "assistant", "parts": [text], "finish_reason": "stop"}]


def test_texts_that_were_not_stored_are_left_out() -> None:
    imported = replace(a_run(), source={"tool": "vLLM", "placed": True, "known": ["model"]})
    about = attributes(span_of(measured(), imported, answer_of=lambda *_: None).attributes)
    assert not [name for name in about if name.endswith("messages")]
    assert "gen_ai.request.max_tokens" not in about  # nor does the file say how many


def test_text_of_a_server_is_written_as_valid_utf_8() -> None:
    span = span_of(failed(error="half a pair \ud83d and \0"))
    assert span.status.message == "half a pair \ufffd and \ufffd"


def test_a_batch_of_spans_names_its_sender() -> None:
    body = request_body([span_of(measured())], [("service.name", "bench"), ("team", "a")])
    (of_one,) = ExportTraceServiceRequest.FromString(body).resource_spans
    about = attributes(of_one.resource.attributes)
    assert (about["service.name"], about["team"]) == ("bench", "a")
    (scope,) = of_one.scope_spans
    assert (scope.scope.name, len(scope.spans)) == ("paceline", 1)


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({ENDPOINT: "http://127.0.0.1:6006"}, "http://127.0.0.1:6006/v1/traces"),
        (
            {ENDPOINT: "https://c.example/api/public/otel/"},
            "https://c.example/api/public/otel/v1/traces",
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1/x"}, "http://a:1/x"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1"}, "http://a:1/"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1/x", ENDPOINT: "http://b:2"},
            "http://a:1/x",
        ),
    ],
)
def test_the_path_is_added_to_the_common_endpoint_only(env: dict[str, str], url: str) -> None:
    assert span_settings(env).url == url
    assert is_on(env)


def test_settings_follow_the_specification() -> None:
    settings = span_settings(
        {
            ENDPOINT: "http://a:1",
            "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic cGs6c2s=, x-a=b%2Cc%20d",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "500",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,openinference.project.name=p",
            "OTEL_SERVICE_NAME": "bench",
            "PACELINE_TRACES_TEXTS": "yes",
        }
    )
    assert settings.headers == (("Authorization", "Basic cGs6c2s="), ("x-a", "b,c d"))
    assert (settings.timeout_s, settings.gzip, settings.texts) == (0.5, False, True)
    assert dict(settings.resource) == {
        "service.name": "bench",
        "openinference.project.name": "p",
    }
    assert "cGs6c2s" not in repr(settings)
    assert {"Basic cGs6c2s=", "cGs6c2s="} <= set(settings.secrets)


def test_without_an_endpoint_or_switched_off_nothing_is_sent() -> None:
    usual = span_settings({ENDPOINT: "http://a:1"})
    assert usual == SpanSettings("http://a:1/v1/traces")
    assert (usual.timeout_s, usual.gzip, usual.texts) == (10, True, False)
    assert not is_on({})
    assert not is_on({ENDPOINT: " "})
    assert not is_on({ENDPOINT: "http://a:1", "OTEL_SDK_DISABLED": "True"})


@pytest.mark.parametrize(
    "env",
    [
        {},
        *({ENDPOINT: url} for url in ("a:1", "ftp://a", "http://", "http://a:x", "http://a:0")),
        *({ENDPOINT: url} for url in ("http://u:secret@a", "http://a?key=secret", "http://a b")),
        *(
            {ENDPOINT: "http://a", "OTEL_EXPORTER_OTLP_HEADERS": written}
            for written in ("secret", "=secret", "a b=secret", "x=secret%0A", "Host=secret")
        ),
        {ENDPOINT: "http://a", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"},
        {ENDPOINT: "http://a", "OTEL_EXPORTER_OTLP_TIMEOUT": "0"},
        {ENDPOINT: "http://a", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"},
        {ENDPOINT: "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {ENDPOINT: "http://a", "OTEL_RESOURCE_ATTRIBUTES": "x"},
    ],
)
def test_invalid_input_is_reported_without_a_secret(env: dict[str, str]) -> None:
    with pytest.raises(InvalidSpanSettings) as refused:
        span_settings(env)
    assert "secret" not in str(refused.value)
    assert str(refused.value).endswith(".")
    assert any(name in str(refused.value) for name in VARIABLES)


@pytest.mark.parametrize(
    ("status", "delivered", "error", "said"),
    [
        ("waiting", Delivered(), None, "It will be sent as spans when no run is being measured"),
        ("waiting", Delivered("a:1", 5), None, "5 requests sent as spans to a:1 so far."),
        ("sent", Delivered("a:1", 1), None, "1 request sent as spans to a:1."),
        (
            "sent",
            Delivered("a:1", 9),
            "a:1 rejected 2 spans.",
            "9 requests sent as spans to a:1. a:1 r",
        ),
        ("failed", Delivered(), "It is away.", "Not sent as spans: It is away."),
    ],
)
def test_progress_is_described_in_words(
    status: Any, delivered: Delivered, error: str | None, said: str
) -> None:
    assert sentence(SpanExport(status, delivered, error, datetime.now())).startswith(said)
