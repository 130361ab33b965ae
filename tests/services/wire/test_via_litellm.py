"""LiteLLM as the client, in the worker's own process, against the reference server."""

from __future__ import annotations

import asyncio
import gzip
import json
from time import perf_counter_ns
from typing import Any

import aiohttp
import httpx
import pytest
from sqlalchemy import Engine

from db import results, runs
from services.analysis.diagnostics import diagnostics
from services.analysis.summary import summarize
from services.ask.backends import Target
from services.report.export.contents import contents
from services.report.terminal import list_text, run_text
from services.wire import Timeouts
from services.wire.exchange import Exchange
from tests.canned import HEAD, canned, chunked
from tests.conftest import ReferenceServer, Submit, finished

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class"),  # LiteLLM's own types
]


@pytest.mark.long
def test_a_run_through_litellm_is_measured_and_says_so(
    database: Engine, reference_run: Submit
) -> None:
    run_id = reference_run(
        "ref tokens=6 gap=0.02", client="litellm", mode="batch", requests=4, warmup=1
    )
    run = finished(database, run_id)
    assert (run.status, run.error) == ("done", None)
    measured = runs.measurements(database, run_id, texts=True)
    assert [m.output_tokens for m in measured] == [6] * 4
    assert {m.answer for m in measured} == {" w0 w1 w2 w3 w4 w5"}
    assert all(len(m.token_times) == 6 and m.finish_reason == "length" for m in measured)
    assert run.repeats[0].health["clock"] == "loop"
    assert "litellm" in run.environment
    titles = [diagnostic.title for diagnostic in diagnostics(run, measured, summarize(measured))]
    assert any("LiteLLM" in title for title in titles)
    (row,) = runs.search(database)
    assert row.headline["via"] == "via LiteLLM"
    (measured_run,) = results.candidates(database, [run_id])
    assert measured_run.label.endswith(" · via LiteLLM")
    assert "via LiteLLM" in run_text(measured_run).splitlines()[0]
    assert "via LiteLLM" in list_text([row])
    assert "via LiteLLM" in contents([measured_run]).lead


@pytest.mark.long
def test_a_failed_request_of_a_run_is_sent_once(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    before = reference.report()["state"]["requests"]
    run_id = reference_run("ref status=429", client="litellm", mode="batch", requests=2, warmup=0)
    finished(database, run_id)
    measured = runs.measurements(database, run_id)
    assert [(m.status, m.error_class) for m in measured] == [("failed", "http_429")] * 2, measured
    assert reference.report()["state"]["requests"] - before == 2


KEY, PROMPT = "my.own-key_of=no_known+form", "Nobody is to know that the merger is on Monday."
TENANT = "tenant.word-of_no+known form"  # in a header
SAID = f"Bearer {KEY} {PROMPT} {TENANT}"
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


def event(reason: str) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


def sent(url: str, model: str = "m", timeout_s: float = 60) -> Exchange:
    """Send one request through LiteLLM."""
    from services.wire.via_litellm import ViaLiteLLM

    async def ask() -> Exchange:
        target = Target(
            "url", url, model, KEY, "litellm", headers=(("X-T", TENANT),), hidden=(TENANT,)
        )
        client = ViaLiteLLM(target, Timeouts(timeout_s))
        message = {"role": "user", "content": PROMPT}
        body = client.request({"model": model, "messages": [message], "stream": True})
        try:
            return await client.ask(body, perf_counter_ns(), lambda: 0, (KEY, PROMPT))
        finally:
            client.close()

    return asyncio.run(ask())


def exchange_of(*pieces: bytes) -> Exchange:
    """Ask a server that says these bytes, through LiteLLM."""
    with canned(pieces) as url:
        return sent(url)


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "error_class"),
    [
        ("ref status=401", "http_4xx"),
        ("ref status=404", "http_4xx"),
        ("ref status=429", "http_429"),
        ("ref status=503", "http_5xx"),
        ("ref fault=hang", "timeout"),
        ("ref fault=error after=2", "stream_error"),
    ],
)
def test_litellms_exceptions_become_error_classes_without_retries(
    reference: ReferenceServer, model: str, error_class: str
) -> None:
    before = reference.report()["state"]["requests"]
    exchange = sent(reference.base_url, model, 2 if "hang" in model else 60)
    assert exchange.error_class == error_class, exchange.error
    assert reference.report()["state"]["requests"] - before == 1


def refusal(body: bytes) -> list[bytes]:
    return chunked(body, head=b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\n")


PACKED = HEAD + b"Content-Encoding: gzip\r\n"


@pytest.mark.parametrize(
    ("pieces", "error_class", "message"),
    [
        (chunked(TOKEN), "truncated", "without a finish_reason"),
        (chunked(TOKEN, event("abort"), DONE), "stream_error", "finish_reason abort"),
        (chunked(TOKEN, b'data: {"text":"busy","error_code":5}\n\n', DONE), "stream_error", "busy"),
        (chunked(TOKEN, b'event: error\ndata: {"message":"busy"}\n\n'), "stream_error", "busy"),
        (chunked(TOKEN, b'error: {"message":"busy"}\n\n', DONE), "stream_error", "busy"),
        (chunked(b'{"error":{"message":"busy"}}'), "stream_error", "busy"),
        (chunked(b"data: {" + SAID.encode() + b"\n\n"), "stream_error", "not JSON"),
        (chunked(gzip.compress(b": \n" * 10**7), head=PACKED), "stream_error", "compressed (gzip)"),
        (refusal(json.dumps({"error": {"message": SAID}}).encode()), "http_4xx", "400: Bearer"),
        (refusal(b'{"error": "' + b"x" * 2_000_000), "http_4xx", "HTTP 400: "),
        ([b"SSH-2.0\r\n"], "connect", "Connection error"),
    ],
)
def test_a_broken_answer_fails_as_it_would_without_litellm(
    pieces: list[bytes], error_class: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    exchange = exchange_of(*pieces)
    assert exchange.error_class == error_class, exchange.error
    assert exchange.error is not None and message in exchange.error
    shown = f"{exchange.error}{exchange.finish_reason}{''.join(capfd.readouterr())}"
    assert KEY not in shown and "merger" not in shown and "tenant" not in shown


def test_a_finish_reason_is_the_servers_own_and_is_logged_nowhere(
    capfd: pytest.CaptureFixture[str],
) -> None:
    exchange = exchange_of(*chunked(TOKEN, event(f"eos: {SAID}"), DONE))
    assert (exchange.error_class, len(exchange.token_times)) == (None, 1)
    assert exchange.finish_reason is not None and exchange.finish_reason.startswith("eos: Bearer")
    shown = f"{exchange.finish_reason}{''.join(capfd.readouterr())}"
    assert KEY not in shown and "merger" not in shown and "tenant" not in shown


def test_other_requests_of_the_process_are_left_alone() -> None:
    import services.wire.via_litellm  # noqa: F401  # it patches the HTTP clients

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        moved = scope["path"] == "/old"
        head = [(b"location", b"/")] if moved else []
        status = 302 if moved else 202
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": b"x" * 100_000})

    async def read() -> httpx.Response:
        transport = httpx.ASGITransport(answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/old", follow_redirects=True)

    async def follow(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.get(url):
            pass

    response = asyncio.run(read())
    assert (response.status_code, len(response.content)) == (202, 100_000)
    circle = b"HTTP/1.1 302 -\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with canned([circle]) as url, pytest.raises(aiohttp.TooManyRedirects):
        asyncio.run(follow(url))
