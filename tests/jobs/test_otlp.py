"""Batches of spans on their way, against a real receiver."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from jobs.otlp import GIVE_UP_S, Receiver, SpansRefused, connected, retry_after_s
from services.report.spans.run_spans import request_body
from services.report.spans.settings import span_settings
from tests.receiver import Received, receiving

KEY = "sk-lf-0123456789abcdef"
BODY = request_body([Span(name="one", trace_id=b"t" * 16, span_id=b"s" * 8)] * 50, ())


@pytest.fixture
def received() -> Iterator[Received]:
    with receiving() as receiver:
        yield receiver


class Clock:
    """Advances only by the time that is waited."""

    def __init__(self) -> None:
        self.now, self.waits = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def post(url: str, clock: Clock | None = None, **more: str) -> str:
    clock = clock or Clock()
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **more}
    settings = span_settings(env)
    with connected(settings, env) as client:
        return Receiver(settings, client, clock.pause, clock).post(BODY)


def test_a_batch_is_gzipped_protobuf_with_the_headers_of_the_settings(received: Received) -> None:
    assert post(received.url, OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer {KEY}") == ""
    (headers,) = received.headers
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["content-encoding"] == "gzip"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert received.paths == ["/v1/traces"]
    assert received.raw == [BODY] and received.sizes[0] < len(BODY) / 5


def test_compression_can_be_switched_off(received: Received) -> None:
    post(received.url, OTEL_EXPORTER_OTLP_COMPRESSION="none")
    assert "content-encoding" not in received.headers[0] and received.raw == [BODY]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_receiver_is_retried_with_growing_waits(received: Received, status: int) -> None:
    received.answers = [(status, {}, b"busy")] * 7
    clock = Clock()
    assert post(received.url, clock) == ""
    assert clock.waits == [1, 2, 4, 8, 16, 30, 30]
    assert (received.refused, len(received.spans)) == (7, 50)


def test_each_wait_is_reported_with_its_reason(received: Received) -> None:
    received.answers = [(503, {}, b"busy"), (503, {}, b"busy")]
    clock, reasons = Clock(), list[str]()
    settings = span_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": received.url})
    with connected(settings, {}) as client:
        Receiver(settings, client, clock.pause, clock, reasons.append).post(BODY)
    assert len(reasons) == 2 and "does not accept spans now (HTTP 503: busy)" in reasons[0]


def test_a_receiver_is_retried_after_the_time_it_requests(received: Received) -> None:
    received.answers = [(429, {"Retry-After": "17"}, b""), (503, {"Retry-After": "0"}, b"")]
    clock = Clock()
    post(received.url, clock)
    assert clock.waits == [17, 0]


@pytest.mark.parametrize("answer", [(503, {}, b"down"), (429, {"Retry-After": "3600"}, b"")])
def test_a_receiver_that_stays_busy_is_abandoned(received: Received, answer: Any) -> None:
    received.answers = [answer] * 100
    clock = Clock()
    with pytest.raises(SpansRefused, match=rf"does not accept spans now \(HTTP {answer[0]}"):
        post(received.url, clock)
    assert clock.now <= GIVE_UP_S and received.refused < 20


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "rejects the spans"),
        (401, "requires a key"),
        (403, "requires a key"),
        (404, "does not accept spans at that path"),
        (307, "redirects"),
        (500, "rejects the spans"),
    ],
)
def test_a_refusal_is_not_retried_and_shows_no_key(
    received: Received, status: int, said: str
) -> None:
    echo = f"not for Bearer {KEY} or {KEY}".encode()
    received.answers = [(status, {"Location": "http://127.0.0.1:9/"}, echo)]
    with pytest.raises(SpansRefused, match=said) as refused:
        post(received.url, OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer {KEY}")
    assert KEY not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_rejected_spans_are_reported(received: Received) -> None:
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 3
    partial.partial_success.error_message = "too old"
    received.answers = [(200, {}, partial.SerializeToString())]
    assert post(received.url).endswith("rejected 3 spans: too old.")


def test_a_response_in_json_is_accepted(received: Received) -> None:
    received.answers = [(200, {"Content-Type": "application/json"}, b'{"partialSuccess":{}}')]
    assert post(received.url) == ""


def test_an_unreachable_receiver_is_retried_and_then_reported() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clock = Clock()
    with pytest.raises(SpansRefused, match="cannot be reached"):
        post(f"http://127.0.0.1:{port}", clock)
    assert clock.waits[:3] == [1, 2, 4] and clock.now <= GIVE_UP_S


def test_a_silent_server_fails_after_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(32)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SpansRefused, match=r"within 0.05 s"):
            post(url, OTEL_EXPORTER_OTLP_TIMEOUT="50")


def test_an_invalid_certificate_file_is_reported() -> None:
    with pytest.raises(SpansRefused, match="OTEL_EXPORTER_OTLP_CERTIFICATE"):
        post("https://127.0.0.1:9", OTEL_EXPORTER_OTLP_CERTIFICATE="/nowhere")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-1", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(written: str, seconds: float | None) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert retry_after_s({"retry-after": written}, noon) == seconds
