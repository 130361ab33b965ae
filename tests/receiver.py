"""A receiver of spans: OTLP over HTTP, decoded and kept, refusing when it is told to."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Received:
    """What came. `answers`: (status, headers, body) for the next requests; then 200."""

    port: int = 0
    bodies: list[ExportTraceServiceRequest] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)  # unpacked
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  # of requests as sent, in bytes
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    refused: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for body in self.bodies
            for resource in body.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def by_id(self) -> dict[bytes, Span]:
        return {span.span_id: span for span in self.spans}


def attributes(pairs: Any) -> dict[str, Any]:
    """Attributes as Python's own values."""
    return {pair.key: value(pair.value) for pair in pairs}


def value(any_value: AnyValue) -> Any:
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(each) for each in any_value.array_value.values]
    return getattr(any_value, kind)


@contextmanager
def receiving() -> Iterator[Received]:
    """Listen on a free port of this machine meanwhile."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            status, headers, body = 200, {}, ExportTraceServiceResponse().SerializeToString()
            if received.answers:
                status, headers, body = received.answers.pop(0)
            if status == 200:
                self.take(content)
            else:
                received.refused += 1
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def take(self, content: bytes) -> None:
            received.sizes.append(len(content))
            packed = self.headers.get("content-encoding") == "gzip"
            unpacked = gzip.decompress(content) if packed else content
            received.bodies.append(ExportTraceServiceRequest.FromString(unpacked))
            received.raw.append(unpacked)
            received.headers.append({k.lower(): v for k, v in self.headers.items()})
            received.paths.append(self.path)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.port = server.server_port
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield received
        server.shutdown()
