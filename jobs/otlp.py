"""Sends batches of spans by OTLP/HTTP, and retries if the receiver asks for that.
https://opentelemetry.io/docs/specs/otlp/#otlphttp defines the responses.
"""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic, sleep

import httpx
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from services import VERSION
from services.ask.address import InvalidAddress
from services.ask.backends.proxy import proxy_for
from services.ask.backends.trust import Trust, UntrustedFile
from services.base import untrusted
from services.base.errors import Unavailable
from services.base.units import many
from services.report.spans.settings import SpanSettings

GIVE_UP_S = 300.0  # after the first attempt of a batch
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
AGAIN = (429, 502, 503, 504)
LEVEL = 3  # of gzip: names repeat, so a higher level takes longer and saves little
READ_BYTES = 64_000  # of an answer
HEADERS = {
    "Content-Type": "application/x-protobuf",
    "User-Agent": f"paceline/{VERSION}",
    "Accept-Encoding": "identity",
}


class SpansRefused(Unavailable):
    """The receiver did not accept the spans; the message says why, in a sentence without a key."""


class _TryLater(Exception):
    """The receiver may accept a batch later. `wait_s`: as it requests; None: it does not say."""

    def __init__(self, sentence: str, wait_s: float | None = None) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


class Receiver:
    """A connection to the receiver of spans. `on_wait` is called with the reason for each wait."""

    def __init__(
        self,
        settings: SpanSettings,
        client: httpx.Client,
        pause: Callable[[float], object] = sleep,
        clock: Callable[[], float] = monotonic,
        on_wait: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._settings, self._client, self._on_wait = settings, client, on_wait
        self._pause, self._clock = pause, clock

    def post(self, body: bytes) -> str:
        """Send a batch, in several attempts if necessary. Return why the receiver rejected some of
        its spans, as a sentence; "" if it accepted them all.

        Raises:
            SpansRefused: it did not accept the batch in any attempt.
        """
        packed = gzip.compress(body, LEVEL, mtime=0) if self._settings.gzip else body
        until, wait_s = self._clock() + GIVE_UP_S, FIRST_WAIT_S
        while True:
            try:
                return self._post_once(packed)
            except _TryLater as problem:
                asked_s = wait_s if problem.wait_s is None else problem.wait_s
                if self._clock() + asked_s > until:
                    raise SpansRefused(str(problem)) from None
                self._on_wait(str(problem))
                self._pause(asked_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _post_once(self, packed: bytes) -> str:
        encoding = {"Content-Encoding": "gzip"} if self._settings.gzip else {}
        url, where = self._settings.url, self._settings.receiver
        until = self._clock() + self._settings.timeout_s  # of all; the client's: one read
        try:
            with self._client.stream("POST", url, content=packed, headers=encoding) as response:
                content = b""
                for part in response.iter_raw():
                    content += part
                    if len(content) > READ_BYTES:
                        break
                    if self._clock() > until:
                        raise httpx.ReadTimeout("")
        except httpx.HTTPError as error:
            raise self._failure(error) from None
        if response.status_code in AGAIN:
            wait_s = retry_after_s(response.headers, datetime.now(UTC))
            raise _TryLater(
                f"{where} does not accept spans now (HTTP "
                f"{response.status_code}{self._message(content)}). Send them later with paceline "
                "traces.",
                wait_s,
            )
        if not response.is_success:
            raise SpansRefused(self._refusal(response.status_code, content))
        return self._rejected(content)

    def _failure(self, error: httpx.HTTPError) -> Exception:
        where = self._settings.receiver
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
            return SpansRefused(
                f"The certificate of {where} is not trusted. Set OTEL_EXPORTER_OTLP_CERTIFICATE to "
                "the certificate of its authority."
            )
        if isinstance(error, httpx.TimeoutException):
            return _TryLater(
                f"{where} did not accept the spans within {self._settings.timeout_s:g} s. Check "
                "it, or raise OTEL_EXPORTER_OTLP_TIMEOUT."
            )
        reason = untrusted.text(str(error), self._settings.secrets).rstrip(".")
        return _TryLater(
            f"{where} cannot be reached ({reason or type(error).__name__}). Check that the "
            "receiver is running, and its address in OTEL_EXPORTER_OTLP_ENDPOINT."
        )

    def _refusal(self, status: int, content: bytes) -> str:
        where, detail = self._settings.receiver, self._message(content)
        if status in (401, 403):
            return (
                f"{where} requires a key, or a different one (HTTP {status}{detail}). Put it in "
                "OTEL_EXPORTER_OTLP_HEADERS."
            )
        if status in (404, 405):
            return (
                f"{where} does not accept spans at that path (HTTP {status}{detail}). /v1/traces "
                "is added to OTEL_EXPORTER_OTLP_ENDPOINT; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is "
                "used as is."
            )
        if 300 <= status < 400:
            return (
                f"{where} redirects (HTTP {status}), and redirects are not followed. Correct the "
                "address."
            )
        return f"{where} rejects the spans (HTTP {status}{detail}). Check what it accepts."

    def _message(self, content: bytes) -> str:
        text = untrusted.text(content.decode("utf-8", "replace"), self._settings.secrets, 200)
        return f": {text}" if text else ""

    def _rejected(self, content: bytes) -> str:
        answer = ExportTraceServiceResponse()
        try:
            answer.ParseFromString(content)
        except DecodeError:  # some receivers answer in JSON: the batch was accepted anyway
            return ""
        partial = answer.partial_success
        if partial.rejected_spans <= 0:
            return ""
        detail = self._message(partial.error_message.encode())
        spans = many(partial.rejected_spans, "span")
        return f"{self._settings.receiver} rejected {spans}{detail}."


@contextmanager
def connected(settings: SpanSettings, env: Mapping[str, str]) -> Iterator[httpx.Client]:
    """Yield a client with the settings' headers and certificates. Redirects are not followed: the
    headers would go with them.

    Raises:
        SpansRefused: the file of certificates or the proxy's address cannot be used.
    """
    try:
        verify, proxy = Trust(settings.ca_file).context(), proxy_for(settings.url, env)
    except UntrustedFile:
        raise SpansRefused(
            "OTEL_EXPORTER_OTLP_CERTIFICATE is not a readable file of certificates (PEM)."
        ) from None
    except InvalidAddress as error:
        raise SpansRefused(str(error)) from None
    headers = httpx.Headers([*HEADERS.items(), *settings.headers])
    with httpx.Client(
        headers=headers, verify=verify, trust_env=False, proxy=proxy, timeout=settings.timeout_s
    ) as client:
        yield client


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds a receiver asks to wait, from a number or a date. None: it does not
    say."""
    written = headers.get("retry-after", "").strip()
    if written.isdecimal():
        return min(float(written), 1e9)
    try:
        return max(0.0, (parsedate_to_datetime(written) - now).total_seconds())
    except (TypeError, ValueError):  # not a date, or one without a time zone
        return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
