"""The streams of the Responses, the Messages and Ollama's API, as servers send them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ask import irregularities
from services.wire.exchange import Exchange
from services.wire.sse import Event
from services.wire.usage import Usage
from tests.canned import HEAD, chunked
from tests.services.wire.test_stream_cases import hear

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LINES = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"


def typed(kind: str, **more: Any) -> bytes:
    data = json.dumps({"type": kind, **more}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


# --- Responses ---------------------------------------------------------------------------------


def text(delta: str, number: int = 4, **more: Any) -> bytes:
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    kind = "response.output_text.delta"
    return typed(kind, sequence_number=number, **where, delta=delta, logprobs=[], **more)


def reasoning(delta: str, kind: str = "reasoning_text") -> bytes:
    return typed(f"response.{kind}.delta", item_id="rs_1", output_index=0, delta=delta)


def completed(*output: Any, status: str = "completed", **more: Any) -> bytes:
    usage = {
        "input_tokens": 40,
        "input_tokens_details": {"cached_tokens": 32},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 49,
    }
    response = {"object": "response", "status": status, "output": output, "usage": usage, **more}
    return typed(f"response.{status}", sequence_number=30, response=response)


MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text"}]}
CALL = {"type": "function_call", "name": "weather", "call_id": "c", "arguments": ""}
CREATED = [
    typed("response.created", response={"status": "in_progress", "output": [], "error": None}),
    typed("response.in_progress", response={"status": "in_progress", "output": []}),
    typed("response.output_item.added", output_index=0, item=MESSAGE),
    typed("response.content_part.added", part={"type": "output_text", "text": ""}),
]
REPEATED = [
    typed("response.output_text.done", text="a b"),
    typed("response.content_part.done", part={"type": "output_text", "text": "a b"}),
    typed("response.output_item.done", item={**MESSAGE, "status": "completed"}),
]
WHOLE = {**MESSAGE, "content": [{"type": "output_text", "text": "a b"}]}
FILTER = {"reason": "content_filter"}
COUNTS = Usage(40, 9, 5, 32)

# --- Messages ----------------------------------------------------------------------------------


def started(**usage: int) -> bytes:
    counts = {"input_tokens": 8, "output_tokens": 1, **usage}
    message = {"type": "message", "role": "assistant", "content": [], "usage": counts}
    return typed("message_start", message=message)


def block(kind: str, **more: Any) -> bytes:
    return typed("content_block_start", index=0, content_block={"type": kind, **more})


def delta(kind: str, **more: str) -> bytes:
    return typed("content_block_delta", index=0, delta={"type": kind, **more})


def words(value: str) -> bytes:
    return delta("text_delta", text=value)


def stopped(reason: str = "end_turn", **usage: int) -> list[bytes]:
    counts = {"output_tokens": 9, **usage}
    return [
        typed("content_block_stop", index=0),
        typed("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=counts),
        typed("message_stop"),
    ]


OVERLOADED = {"type": "overloaded_error", "message": "Overloaded"}
TEXT = block("text", text="")
PING = typed("ping")


# What a stream means: chunks with a token, those before the answer, its text, why it ended, counts.
Meaning = tuple[int, int, str, str | None, Usage]

RESPONSES: dict[str, tuple[list[bytes], Meaning]] = {
    "text": (
        [*CREATED, text("a"), text(" b", 5), *REPEATED, completed(WHOLE)],
        (2, 0, "a b", "stop", COUNTS),
    ),
    "reasoning": (
        [
            *CREATED,
            reasoning("hm"),
            reasoning("so", "reasoning_summary_text"),
            text("a"),
            completed(WHOLE),
        ],
        (3, 2, "a", "stop", COUNTS),
    ),
    "a call of a tool": (
        [
            *CREATED[:2],
            typed("response.output_item.added", item=CALL),
            typed("response.function_call_arguments.delta", delta='{"city":'),
            typed("response.function_call_arguments.delta", delta='"Ulm"}'),
            typed("response.function_call_arguments.done", arguments='{"city":"Ulm"}'),
            typed("response.output_item.done", item=CALL),
            completed(CALL),
        ],
        (3, 0, "", "tool_calls", COUNTS),
    ),
    "a refusal": (
        [*CREATED, typed("response.refusal.delta", delta="I cannot"), completed()],
        (1, 0, "I cannot", "stop", COUNTS),
    ),
    "the limit of tokens": (
        [
            *CREATED,
            text("a"),
            completed(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
        ],
        (1, 0, "a", "length", COUNTS),
    ),
    "a filter": (
        [
            text("a"),
            completed(status="incomplete", incomplete_details={"reason": "content_filter"}),
        ],
        (1, 0, "a", "content_filter", COUNTS),
    ),
    "events whose type is only their name": (
        [
            b'event: response.output_text.delta\ndata: {"delta":"a"}\n\n',
            b'event: response.completed\ndata: {"response":{"output":[]}}\n\n',
        ],
        (1, 0, "a", "stop", Usage()),
    ),
    "keep-alives, and what later versions may add": (
        [
            typed("keepalive", sequence_number=3),
            text("a"),
            typed("response.novelty.started", value=1),
            typed("response.web_search_call.failed", item_id="w"),
            completed(WHOLE),
            b"data: [DONE]\n\n",
        ],
        (1, 0, "a", "stop", COUNTS),
    ),
}

MESSAGES: dict[str, tuple[list[bytes], Meaning]] = {
    "text": (
        [started(), TEXT, PING, words("a"), words(" b"), *stopped()],
        (2, 0, "a b", "stop", Usage(8, 9)),
    ),
    "thinking": (
        [
            started(),
            block("thinking", thinking="", signature=""),
            delta("thinking_delta", thinking="hm"),
            delta("thinking_delta", thinking="so"),
            delta("signature_delta", signature="c2ln"),
            typed("content_block_stop", index=0),
            TEXT,
            words("a"),
            *stopped("max_tokens"),
        ],
        (3, 2, "a", "length", Usage(8, 9)),
    ),
    "thinking that is hidden": (
        [started(), block("redacted_thinking", data="ZW5j"), TEXT, words("a"), *stopped()],
        (2, 1, "a", "stop", Usage(8, 9)),
    ),
    "a call of a tool": (
        [
            started(),
            block("tool_use", id="t", name="weather", input={}),
            delta("input_json_delta", partial_json=""),
            delta("input_json_delta", partial_json='{"city":'),
            delta("input_json_delta", partial_json='"Ulm"}'),
            *stopped("tool_use"),
        ],
        (3, 0, "", "tool_calls", Usage(8, 9)),
    ),
    "the results of the server's own tools": (
        [
            started(),
            block("server_tool_use", id="t", name="web_search", input={}),
            block("web_search_tool_result", tool_use_id="t", content=[{"title": "x"}]),
            TEXT,
            words("a"),
            delta("citations_delta", citation="x"),
            *stopped(),
        ],
        (2, 0, "a", "stop", Usage(8, 9)),
    ),
    "a prompt from the cache": (
        [
            started(cache_read_input_tokens=90, cache_creation_input_tokens=2),
            TEXT,
            words("a"),
            *stopped(),
        ],
        (1, 0, "a", "stop", Usage(100, 9, None, 90)),
    ),
    "counts only at the end, and without the cached": (
        [
            started(input_tokens=0),
            TEXT,
            words("a"),
            *stopped(input_tokens=10, cache_read_input_tokens=90),
        ],
        (1, 0, "a", "stop", Usage(100, 9, None, 90)),
    ),
    "an end that counts without the cached": (
        [started(cache_read_input_tokens=90), TEXT, words("a"), *stopped(input_tokens=8)],
        (1, 0, "a", "stop", Usage(98, 9, None, 90)),
    ),
    "a refusal": (
        [started(), TEXT, words("a"), *stopped("refusal")],
        (1, 0, "a", "content_filter", Usage(8, 9)),
    ),
    "events without a name": (
        [line.partition(b"\n")[2] for line in (started(), TEXT, words("a"), *stopped())],
        (1, 0, "a", "stop", Usage(8, 9)),
    ),
}

WELL = {f"responses: {name}": case for name, case in RESPONSES.items()}
WELL |= {f"messages: {name}": case for name, case in MESSAGES.items()}


def meaning(exchange: Exchange) -> Meaning:
    before = [t for t in exchange.token_times if exchange.answered and t < exchange.answered]
    reason = exchange.finish_reason
    return len(exchange.token_times), len(before), exchange.answer, reason, exchange.usage


def read(*pieces: bytes) -> Exchange:
    """Read pieces that arrive at 1, 2, 3 …"""
    exchange = Exchange(lambda: None)
    for stamp, piece in enumerate(pieces, 1):
        exchange.read(stamp, piece)
    return exchange


@pytest.mark.parametrize("name", WELL)
def test_a_stream_has_the_expected_meaning(name: str) -> None:
    events, expected = WELL[name]
    exchange = read(*chunked(*events))
    assert exchange.error is None
    assert meaning(exchange) == expected
    assert exchange.irregularities <= {irregularities.PING}


@pytest.mark.parametrize("name", WELL)
def test_a_stream_has_the_same_meaning_in_any_pieces(name: str) -> None:
    events, expected = WELL[name]
    whole = b"".join(chunked(*events))
    for size in (1, 7, 100):
        exchange = read(*(whole[at : at + size] for at in range(0, len(whole), size)))
        assert exchange.error is None
        assert meaning(exchange) == expected


def test_the_first_token_is_the_first_generated_one_and_the_answer_begins_later() -> None:
    events, _ = MESSAGES["thinking"]
    head, *pieces, end = chunked(*events)
    exchange = read(head, *pieces, end)
    assert (exchange.first, exchange.answered, exchange.last) == (4, 9, 9)
    assert exchange.token_times == [4, 5, 9]


ILL: dict[str, tuple[list[bytes], str, str]] = {
    "responses: an error": (
        [*CREATED, text("a"), typed("error", code="server_error", message="out of memory")],
        "stream_error",
        "out of memory",
    ),
    "responses: a failure": (
        [text("a"), completed(status="failed", error={"code": "x", "message": "worker gone"})],
        "stream_error",
        "worker gone",
    ),
    "responses: a failure without a reason": (
        [text("a"), typed("response.failed", response={"status": "failed"})],
        "stream_error",
        "the response failed",
    ),
    "responses: cut off": ([*CREATED, text("a"), *REPEATED], "truncated", "without a finish"),
    "responses: no token": ([*CREATED, completed()], "empty", "no token"),
    "messages: an error": (
        [
            started(),
            TEXT,
            words("a"),
            typed("error", error={"type": "overloaded_error", "message": "Overloaded"}),
        ],
        "stream_error",
        "Overloaded",
    ),
    "messages: cut off": ([started(), TEXT, words("a")], "truncated", "without a finish"),
    "messages: no token": ([started(), TEXT, *stopped()], "empty", "no token"),
}


@pytest.mark.parametrize("name", ILL)
def test_a_failing_stream_has_its_error_class_and_message(name: str) -> None:
    events, error_class, message = ILL[name]
    exchange = read(*chunked(*events))
    assert exchange.error_class == error_class
    assert message in str(exchange.error)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"object": "response", "status": "completed", "output": [WHOLE], "error": None},
            ("a b", "stop"),
        ),
        (
            {
                "type": "message",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": " b"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 8, "output_tokens": 9},
            },
            ("a b", "stop"),
        ),
    ],
)
def test_a_whole_answer_is_read_without_streaming(
    answer: dict[str, Any], expected: tuple[str, str]
) -> None:
    exchange = read(*chunked(json.dumps(answer).encode(), head=PLAIN))
    assert (exchange.answer, exchange.finish_reason) == expected
    assert exchange.irregularities == {irregularities.NOT_STREAMED}
    assert not exchange.token_times


def test_a_response_with_only_an_end_is_not_a_stream() -> None:
    exchange = read(*chunked(CREATED[0], completed(WHOLE)))
    assert (exchange.answer, exchange.token_times) == ("a b", [])
    assert exchange.irregularities == {irregularities.NOT_STREAMED}


@pytest.mark.parametrize("last", [completed(WHOLE), typed("message_stop")])
def test_the_last_event_ends_an_answer_whose_connection_stays_open(last: bytes) -> None:
    exchange = hear(chunked(text("a"), *stopped(), last)[:-1], hold=True)
    assert exchange.error is None
    assert exchange.ended is not None and exchange.last is not None


# --- without parsing ---------------------------------------------------------------------------


def line(content: str, number: int) -> bytes:
    date = f"2026-01-01T00:00:00.{number:06d}Z"
    message = {"role": "assistant", "content": content}
    return json.dumps(
        {"model": "m", "created_at": date, "message": message, "done": False}
    ).encode()


def last_line() -> bytes:
    return b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop"}\n'


def sorted_text(delta: str, number: int) -> bytes:
    """With the fields in vLLM's order."""
    data = {"content_index": 0, "delta": delta, "item_id": "m", "logprobs": []}
    data |= {"output_index": 0, "sequence_number": number, "type": "response.output_text.delta"}
    return f"event: response.output_text.delta\ndata: {json.dumps(data)}\n\n".encode()


def completion(value: str, number: int) -> bytes:
    choice = {"index": 0, "text": value, "logprobs": None, "finish_reason": None}
    return b"data: %b\n\n" % json.dumps({"id": "c", "choices": [choice]}).encode()


def padded(word: str, number: int) -> bytes:
    return text(word, number, obfuscation="x" * (number % 9))


FAST = {
    "responses": (HEAD, lambda word, n: text(word, n), completed(WHOLE)),
    "responses, padded": (HEAD, padded, completed()),
    "responses, in another order": (HEAD, sorted_text, completed()),
    "messages": (HEAD, lambda word, _: words(word), b"".join(stopped())),
    "ollama": (LINES, lambda word, n: line(word, n) + b"\n", last_line()),
    "completions": (HEAD, completion, b"data: [DONE]\n\n"),
}


def counted(exchange: Exchange, pieces: list[bytes]) -> int:
    """Read the pieces; return how many events were parsed."""
    parsed: list[bytes] = []
    take = exchange._take_event

    def counting(stamp: int, event: Event) -> Any:
        parsed.append(event.data)
        return take(stamp, event)

    exchange._take_event = counting  # type: ignore[method-assign]
    for stamp, piece in enumerate(pieces, 1):
        exchange.read(stamp, piece)
    return len(parsed)


@pytest.mark.parametrize("name", FAST)
def test_most_chunks_are_read_by_the_template(name: str) -> None:
    head, make, end = FAST[name]
    exchange = Exchange(lambda: None)
    pieces = chunked(*(make(f" w{n}", n) for n in range(50)), end, head=head)
    assert counted(exchange, pieces) <= 4
    assert exchange.error is None
    assert exchange.token_times == list(range(2, 52))
    assert exchange.answer == "".join(f" w{n}" for n in range(50))


@pytest.mark.parametrize("name", FAST)
@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=12), st.lists(st.integers(0, 3000)))
def test_what_is_read_by_the_template_is_what_parsing_reads(
    name: str, texts: list[str], cuts: list[int]
) -> None:
    head, make, end = FAST[name]
    pieces = chunked(*(make(word, n) for n, word in enumerate(texts)), end, head=head)
    whole = b"".join(pieces)
    edges = [0, *sorted(cut % len(whole) for cut in cuts), len(whole)]
    for parts in (pieces, [whole[a:b] for a, b in pairwise(edges) if a < b]):
        learnt, plain = Exchange(lambda: None), Exchange(lambda: None)
        plain._template.learn = lambda *_: None  # type: ignore[method-assign]
        for stamp, part in enumerate(parts, 1):
            learnt.read(stamp, part)
            plain.read(stamp, part)
        assert (learnt.token_times, learnt.text) == (plain.token_times, plain.text)
        assert (learnt.error, learnt.ended) == (plain.error, plain.ended)
