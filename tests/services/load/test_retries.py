"""A server that refuses for a while: every refusal counts, and with retries every request comes
through in the end, with what it waited."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock, Thread
from time import monotonic
from typing import Any

import pytest

from services.analysis.summary import summarize
from services.ask.backends import Target
from services.ask.config import RunConfig
from services.base.ipc import Message
from services.load.protocol import Job, ProgressSeen
from services.load.repeat import RepeatPlayer
from services.load.retries import FIRST_S, LONGEST_S, retry_after_s, wait_s
from tests.conftest import ReferenceServer
from tests.services.load.test_arrivals_played import now, played

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANSWER = (
    b'data: {"choices":[{"delta":{"content":"yes"},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: [DONE]\n\n'
)


class Refusing(BaseHTTPRequestHandler):
    """Refuses `to_refuse` requests with 429."""

    protocol_version = "HTTP/1.1"
    to_refuse = 0
    refused = 0
    answered = 0
    lock = Lock()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            refuses = self.refused < self.to_refuse
            type(self).refused += refuses
            type(self).answered += not refuses
        if refuses:
            self._answer(429, b'{"error":{"message":"slow down"}}', {"Retry-After": "0.3"})
        else:
            self._answer(200, ANSWER, {"Content-Type": "text/event-stream"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[ReferenceServer]:
    Refusing.to_refuse, Refusing.refused, Refusing.answered = 50, 0, 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    yield ReferenceServer(server.server_port)
    server.shutdown()
    server.server_close()


TWENTY = {"mode": "constant", "rate": 100, "requests": 20}


def test_without_retries_every_refusal_is_a_failure(refusing: ReferenceServer) -> None:
    _, measured = played(refusing, "any", **TWENTY)
    assert [(m.status, m.error_class, m.attempts) for m in measured] == [
        ("failed", "http_429", 1)
    ] * 20
    assert Refusing.refused == 20
    assert summarize(measured).error_rate == 1.0


@pytest.mark.slow
def test_with_retries_every_request_succeeds_and_reports_its_waits(
    refusing: ReferenceServer,
) -> None:
    _, measured = played(refusing, "any", **TWENTY, retries=9)
    assert [m.status for m in measured] == ["ok"] * 20
    assert sum(m.attempts - 1 for m in measured) == Refusing.refused == 50
    for m in measured:
        assert m.first_error_class == "http_429"
        assert m.retry_wait_s == pytest.approx(0.3 * (m.attempts - 1))
        assert m.t_send is not None
        assert m.t_send - m.t_due >= m.retry_wait_s
    assert summarize(measured).error_rate == 1.0  # of first attempts


@pytest.mark.slow
def test_refused_warm_up_requests_are_sent_again_too(refusing: ReferenceServer) -> None:
    """Otherwise the first measured requests would find a server that has not been warmed up."""
    Refusing.to_refuse = 2
    config = RunConfig.model_validate({"prompt": "x", "warmup": 2, "retries": 3})
    target = Target("url", refusing.base_url, "any", None)
    player = RepeatPlayer(Job(config, target, "nonce", 0), lambda message: None)
    began = monotonic()
    assert asyncio.run(player.warm_up()) == {"ok": 2}
    player.client.close()
    assert Refusing.answered == 2 and Refusing.refused == 2
    assert monotonic() - began >= 2 * 0.3


@pytest.mark.slow
def test_retries_are_counted_while_they_wait(refusing: ReferenceServer) -> None:
    messages: list[Message] = []
    config = RunConfig.model_validate({"prompt": "x", **TWENTY, "retries": 9})
    job = Job(config, Target("url", refusing.base_url, "any", None), "nonce", 0)
    player = RepeatPlayer(job, messages.append)
    asyncio.run(player.play(0, now))
    player.client.close()
    counts = [each.progress.sent_again for each in messages if isinstance(each, ProgressSeen)]
    assert counts == sorted(counts) and counts[-1] == 50


@pytest.mark.slow
def test_refused_warm_up_requests_are_counted_apart(refusing: ReferenceServer) -> None:
    Refusing.to_refuse = 7
    result, measured = played(refusing, "any", **TWENTY, load_warmup_s=0.1)
    assert result.health["warm_up"] == {"http_429": 7, "ok": 3}
    assert [m.status for m in measured] == ["ok"] * 20


@pytest.mark.slow
def test_a_request_fails_when_its_retries_are_used_up(refusing: ReferenceServer) -> None:
    Refusing.to_refuse = 10**9
    _, measured = played(refusing, "any", **TWENTY, retries=1)
    assert {m.attempts for m in measured} == {2}
    assert {m.status for m in measured} == {"failed"}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("٣", None),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +99999999999999", None),
    ],
)
def test_a_retry_after_header_is_parsed(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


def test_the_wait_that_a_server_asks_for_is_limited() -> None:
    far = (NOW + timedelta(days=9)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert wait_s(1, far, Random(), NOW) == wait_s(1, "9" * 30, Random(), NOW) == 600.0


def test_waits_grow_without_a_retry_after_header() -> None:
    most = [max(wait_s(n, "", Random(seed)) for seed in range(200)) for n in (1, 2, 3, 20)]
    assert most == sorted(most)
    assert 0.9 * FIRST_S < most[0] <= FIRST_S
    assert most[-1] <= LONGEST_S
