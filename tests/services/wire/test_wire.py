"""One request at a time against the reference server: what was seen is what it did."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns

import pytest

from services.wire import Timeouts, Wire
from services.wire.exchange import Exchange
from tests.conftest import ReferenceServer

SECRET = "sk-very-secret-000000"


def chat(base_url: str) -> str:
    return f"{base_url}/chat/completions"


FIVE_SECONDS = Timeouts(5.0)


def ask(
    base_url: str, model: str, prompt: str = "hello", timeouts: Timeouts = FIVE_SECONDS
) -> Exchange:
    return exchange_of(Wire(chat(base_url), SECRET, timeouts), model, prompt)


def exchange_of(wire: Wire, model: str, prompt: str) -> Exchange:
    async def one() -> Exchange:
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": prompt}]}
        try:
            return await wire.ask(wire.request(body), 0, lambda: 0, (SECRET, prompt))
        finally:
            wire.close()

    return asyncio.run(one())


@pytest.mark.timed
def test_a_streamed_token_is_timed_when_it_was_sent(reference: ReferenceServer) -> None:
    seen = ask(reference.base_url, "ref ttft=0.05 gap=0.005 tokens=20", "timed")
    did = reference.log()["timed"]
    assert len(seen.token_times) == len(did["times"]) == 20
    errors = [(a - b) / 1e9 for a, b in zip(seen.token_times, did["times"], strict=True)]
    assert min(errors) > 0, "nothing is seen before it was sent"
    assert sorted(errors)[10] < 0.001
    assert (seen.first, seen.last) == (seen.token_times[0], seen.token_times[-1])
    assert seen.usage.output_tokens == 20 and seen.usage.prompt_tokens == 11
    assert seen.error_class is None and seen.finish_reason == "length"
    assert "".join(seen.text) == "".join(f" w{i}" for i in range(20))


@pytest.mark.parametrize(
    ("model", "error_class", "message"),
    [
        ("ref status=400", "http_4xx", "HTTP 400: status 400 as asked"),
        ("ref status=404", "http_4xx", "HTTP 404"),
        ("ref status=429", "http_429", "HTTP 429"),
        ("ref status=500", "http_5xx", "HTTP 500"),
        ("ref status=503", "http_5xx", "HTTP 503"),
        ("ref fault=redirect", "http_3xx", "redirects (HTTP 302)"),
        ("ref fault=html", "stream_error", "not in a known API format (text/html)"),
        ("ref fault=error after=3", "stream_error", "CUDA out of memory"),
        ("ref fault=malformed after=3", "stream_error", "not JSON"),
        ("ref fault=reset after=3", "stream_error", "broke"),
        ("ref fault=close after=3", "truncated", "without a finish_reason"),
        ("ref done=0 finish=0", "truncated", "without a finish_reason"),
        ("ref fault=empty", "empty", "no token"),
        ("ref fault=needs-key", "http_4xx", "Incorrect API key"),
    ],
)
def test_each_failure_is_a_result_with_its_class_and_message(
    reference: ReferenceServer, model: str, error_class: str, message: str
) -> None:
    seen = ask(reference.base_url, model)
    assert (seen.error_class, message in str(seen.error)) == (error_class, True), seen.error
    assert SECRET not in str(seen.error)


@pytest.mark.parametrize("model", ["ref fault=hang", "ref fault=hang after=2"])
def test_a_server_that_hangs_is_timed_out_and_what_came_is_kept(
    reference: ReferenceServer, model: str
) -> None:
    seen = ask(reference.base_url, model, timeouts=Timeouts(0.3))
    assert seen.error_class == "timeout"
    assert len(seen.token_times) == (2 if "after" in model else 0)


def test_a_port_where_nothing_listens_is_a_result(reference: ReferenceServer) -> None:
    seen = ask("http://127.0.0.1:9", "ref")
    assert (seen.error_class, seen.error) == ("connect", "Nothing answers at 127.0.0.1:9.")


@pytest.mark.parametrize(
    ("model", "chunks", "tokens"),
    [
        ("ref tokens=7 crlf=1", 7, 7),
        ("ref tokens=7 role=0", 7, 7),
        ("ref tokens=10 per_chunk=4", 3, 10),
        ("ref tokens=7 usage=first", 7, 7),
        ("ref tokens=7 usage=none", 7, None),
        ("ref tokens=7 done=0", 7, 7),
        ("ref tokens=7 finish=0", 7, 7),
        ("ref tokens=1", 1, 1),
    ],
)
def test_every_well_formed_stream_is_read_whole(
    reference: ReferenceServer, model: str, chunks: int, tokens: int | None
) -> None:
    seen = ask(reference.base_url, model)
    assert seen.error_class is None, seen.error
    assert (len(seen.token_times), seen.usage.output_tokens) == (chunks, tokens)


def test_a_chunk_with_only_a_role_is_not_the_first_token(reference: ReferenceServer) -> None:
    seen = ask(reference.base_url, "ref ttft=0.01 gap=0.05 tokens=2 role=1", "role")
    assert seen.first is not None
    assert seen.first >= reference.log()["role"]["times"][0]


def test_reasoning_is_a_token_but_not_an_answer(reference: ReferenceServer) -> None:
    seen = ask(reference.base_url, "ref tokens=6 reasoning=4 gap=0.01")
    assert seen.first == seen.token_times[0]
    assert seen.answered == seen.token_times[4]
    assert "".join(seen.text) == " w4 w5"


def test_chunks_that_came_in_one_read_are_counted_as_coalesced(reference: ReferenceServer) -> None:
    assert ask(reference.base_url, "ref tokens=50 gap=0").coalesced >= 1
    apart = (ask(reference.base_url, "ref tokens=4 gap=0.1").coalesced for _ in range(20))
    assert 0 in apart, "unless something else has the cores each time"


def test_an_answer_in_one_piece_has_no_first_token_time(reference: ReferenceServer) -> None:
    seen = ask(reference.base_url, "ref fault=json")
    assert seen.error_class is None
    assert seen.first is None and seen.last is not None
    assert seen.usage.output_tokens == 1


def test_connections_are_reused_while_requests_want_them(reference: ReferenceServer) -> None:
    async def three() -> list[Exchange]:
        wire = Wire(chat(reference.base_url))
        await wire.open(1)
        body = wire.request({"model": "ref", "messages": [{"content": "again"}]})
        seen = [await wire.ask(body, 0, lambda left=left: left, ()) for left in (2, 1, 0)]
        assert not len(wire._pool), "the last connection is closed at once"
        return seen

    before = reference.report()["state"]["connections"]
    seen = asyncio.run(three())
    assert [exchange.connect_s for exchange in seen] == [None, None, None]
    assert reference.report()["state"]["connections"] - before == 2, (
        "one for three, one for the log"
    )


@pytest.mark.timed
def test_a_request_is_sent_when_it_is_due_and_not_before(reference: ReferenceServer) -> None:
    async def one() -> float:
        wire = Wire(chat(reference.base_url))
        await wire.open(1)
        due = perf_counter_ns() + 50_000_000
        body = wire.request({"model": "ref", "messages": [{"content": "due"}]})
        seen = await wire.ask(body, due, lambda: 0, ())
        wire.close()
        assert seen.sent is not None
        return (seen.sent - due) / 1e9

    late = [asyncio.run(one()) for _ in range(7)]
    assert min(late) >= 0
    assert min(late) < 0.001, "unless something else has the cores each time"


@pytest.mark.timed  # a client that is kept from running for 250 ms may not send it once more
@pytest.mark.parametrize("pause_s", [0.05, 0.1, 0.102, 0.2])
def test_a_server_that_closes_idle_connections_fails_no_request(
    reference: ReferenceServer, pause_s: float
) -> None:
    """llama.cpp's does, after two answers. It may be closed before, at or after the next send."""

    async def several() -> list[Exchange]:
        wire = Wire(chat(reference.base_url))
        body = wire.request({"model": "ref keep=1", "messages": [{"content": "closed"}]})
        seen = []
        for _ in range(6):
            due = perf_counter_ns() + round(pause_s * 1e9)
            seen.append(await wire.ask(body, due, lambda: 9, ()))
        wire.close()
        return seen

    seen = asyncio.run(several())
    assert [exchange.error for exchange in seen] == [None] * 6


def test_a_server_that_closes_a_new_connection_is_a_failure_without_a_retry(
    reference: ReferenceServer,
) -> None:
    before = reference.report()["state"]["requests"]
    seen = ask(reference.base_url, "ref fault=slam")
    assert (seen.error_class, reference.report()["state"]["requests"] - before) == ("connect", 1)


def ollama(reference: ReferenceServer, model: str, prompt: str) -> Exchange:
    return exchange_of(Wire(f"http://127.0.0.1:{reference.port}/api/chat"), model, prompt)


@pytest.mark.timed
def test_a_token_of_ollamas_own_stream_is_timed_when_it_was_sent(
    reference: ReferenceServer,
) -> None:
    seen = ollama(reference, "ref ttft=0.05 gap=0.005 tokens=20", "timed by Ollama")
    did = reference.log()["timed by Ollama"]
    assert (seen.error_class, seen.finish_reason, seen.answered) == (None, "length", seen.first)
    assert (seen.usage.prompt_tokens, seen.usage.output_tokens) == (11, 20)
    assert seen.answer == "".join(f" w{i}" for i in range(20))
    errors = [(a - b) / 1e9 for a, b in zip(seen.token_times, did["times"], strict=True)]
    assert min(errors) > 0
    assert sorted(errors)[10] < 0.001


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [("error", "stream_error"), ("close", "truncated"), ("reset", "stream_error")],
)
def test_ollamas_own_stream_fails_in_mid_answer(
    reference: ReferenceServer, fault: str, error_class: str
) -> None:
    seen = ollama(reference, f"ref fault={fault} after=3", "fails by Ollama")
    assert (seen.error_class, len(seen.token_times)) == (error_class, 3)
