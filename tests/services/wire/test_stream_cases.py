"""Each way in which a server's stream may look, on a real socket: what is seen is what it means."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise, repeat
from socket import SO_LINGER, SOL_SOCKET, create_server, socket
from time import perf_counter_ns, sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ask import irregularities
from services.ask.backends import target
from services.ask.config import parse
from services.load.process_pool import combined
from services.load.protocol import Job
from services.load.repeat import RepeatPlayer
from services.wire import Timeouts, Wire
from services.wire.content import Chunk
from services.wire.encoding import PIECE_BYTES, Decoder
from services.wire.exchange import Exchange
from services.wire.sse import Event
from tests.canned import HEAD, canned, chunked
from tests.services.load.test_runner import so
from tests.services.wire.test_wire import ask

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def event(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def token(text: str, **more: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text, **more}}]})


def usage(prompt: int, output: int, **more: Any) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": output, **more}}


STOP = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
DONE = b"data: [DONE]\n\n"
TOOL = {"index": 0, "function": {"name": "weather", "arguments": '{"city": "Ulm"}'}}


def hear(pieces: Iterable[bytes], hold: bool = False, **limits: Any) -> Exchange:
    with canned(pieces, hold) as base_url:
        return ask(base_url, "any", timeouts=Timeouts(limits.pop("total_s", 5.0), **limits))


def exchange_of(*events: bytes) -> Exchange:
    return hear(chunked(*events))


def seen(exchange: Exchange) -> tuple[str | None, int, str]:
    """(error class, chunks with a token, text)"""
    return exchange.error_class, len(exchange.token_times), exchange.answer


WELL: dict[str, tuple[list[bytes], int, str]] = {
    "plain": ([token("a"), token(" b"), STOP, DONE], 2, "a b"),
    "a role-only first chunk": (
        [event({"choices": [{"delta": {"role": "assistant"}}]}), token("a"), STOP, DONE],
        1,
        "a",
    ),
    "an empty first chunk": ([token(""), token("a"), STOP, DONE], 1, "a"),
    "content that is null": (
        [event({"choices": [{"delta": {"content": None}}]}), token("a"), STOP, DONE],
        1,
        "a",
    ),
    "comments and pings": (
        [b": ping\n\n", token("a"), b":\n\n: OPENROUTER PROCESSING\n\n", token("b"), STOP, DONE],
        2,
        "ab",
    ),
    "data without a space": (
        [b'data:{"choices":[{"delta":{"content":"a"}}]}\n\n', STOP, b"data:[DONE]\n\n"],
        1,
        "a",
    ),
    "lines that end in CRLF": (
        [e.replace(b"\n", b"\r\n") for e in (token("a"), STOP, DONE)],
        1,
        "a",
    ),
    "lines that end in CR": ([e.replace(b"\n", b"\r") for e in (token("a"), STOP, DONE)], 1, "a"),
    "an event in two lines of data": (
        [b'data: {"choices":\ndata: [{"delta":{"content":"a"}}]}\n\n', STOP, DONE],
        1,
        "a",
    ),
    "names, ids and retry times": (
        [b"event: message\nid: 7\nretry: 10\n" + token("a"), STOP, DONE],
        1,
        "a",
    ),
    "a line separator inside the text": ([token("a\u2028b"), STOP, DONE], 1, "a\u2028b"),
    "text with every kind of escape": (
        [token('"\\\n\t\u0000é😀'), token("\u00a0"), STOP, DONE],
        2,
        '"\\\n\t\u0000é😀\u00a0',
    ),
    "a character cut into two chunks": (
        [
            b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
            b'data: {"choices":[{"delta":{"content":"\\ude00"}}]}\n\n',
            STOP,
            DONE,
        ],
        2,
        "😀",
    ),
    "several tokens a chunk": (
        [token("one two three"), token(" four"), STOP, DONE],
        2,
        "one two three four",
    ),
    "chunks whose other fields change": (
        [token("a", created=1), token("b", created=2), token("c", created=2), STOP, DONE],
        3,
        "abc",
    ),
    "reasoning that stays in its field": (
        [
            event({"choices": [{"delta": {"reasoning_content": "hm"}}]}),
            event({"choices": [{"delta": {"reasoning": "so"}}]}),
            token("a"),
            STOP,
            DONE,
        ],
        3,
        "a",
    ),
    "a tool call": ([event({"choices": [{"delta": {"tool_calls": [TOOL]}}]}), STOP, DONE], 1, ""),
    "no [DONE]": ([token("a"), STOP], 1, "a"),
    "no finish_reason": ([token("a"), DONE], 1, "a"),
    "a finish_reason beside the last token": (
        [
            token("a"),
            event({"choices": [{"delta": {"content": "b"}, "finish_reason": "stop"}]}),
            DONE,
        ],
        2,
        "ab",
    ),
    "a chunk without choices": ([event({"choices": []}), token("a"), STOP, DONE], 1, "a"),
    "the whole message once more at the end": (
        [
            token("a"),
            token("b"),
            event(
                {"choices": [{"delta": {}, "finish_reason": "stop", "message": {"content": "ab"}}]}
            ),
            DONE,
        ],
        2,
        "ab",
    ),
    "the whole message beside each delta": (
        [
            event({"choices": [{"delta": {"content": "a"}, "message": {"content": "a"}}]}),
            event({"choices": [{"delta": {"content": "b"}, "message": {"content": "ab"}}]}),
            STOP,
        ],
        2,
        "ab",
    ),
    "a whole answer after its stream": (
        [
            token("a"),
            event({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}),
            DONE,
        ],
        1,
        "a",
    ),
    "content in parts": (
        [
            event(
                {
                    "choices": [
                        {
                            "delta": {
                                "content": [
                                    {
                                        "type": "thinking",
                                        "thinking": [{"type": "text", "text": "hm"}],
                                    }
                                ]
                            }
                        }
                    ]
                }
            ),
            event({"choices": [{"delta": {"content": [{"type": "text", "text": "a"}]}}]}),
            token("b"),
            STOP,
            DONE,
        ],
        3,
        "ab",
    ),
    "the token in the second choice": (
        [
            event(
                {"choices": [{"index": 1, "delta": {}}, {"index": 0, "delta": {"content": "a"}}]}
            ),
            STOP,
            DONE,
        ],
        1,
        "a",
    ),
    "logprobs that are no JSON": (
        [token("a").replace(b'"index": 0', b'"logprobs": [-Infinity, NaN]'), STOP, DONE],
        1,
        "a",
    ),
    "a refusal": (
        [event({"choices": [{"delta": {"content": None, "refusal": "no"}}]}), STOP, DONE],
        1,
        "no",
    ),
    "a chunk of no known shape, and a finish_reason": (
        [token("a"), event({"detail": "still here"}), STOP, DONE],
        1,
        "a",
    ),
    "a completion instead of a chat": ([event({"choices": [{"text": "a"}]}), STOP, DONE], 1, "a"),
}


def by_event(pieces: list[bytes]) -> list[bytes]:
    return pieces


def in_one_write(pieces: list[bytes]) -> list[bytes]:
    return [b"".join(pieces)]


def by_byte(pieces: list[bytes]) -> list[bytes]:
    whole = b"".join(pieces)
    return [whole[i : i + 1] for i in range(len(whole))]


in_each_way = pytest.mark.parametrize("way", [by_event, in_one_write, by_byte])
Way = Callable[[list[bytes]], list[bytes]]


@in_each_way
@pytest.mark.parametrize("name", WELL)
def test_a_well_formed_stream_is_read(name: str, way: Way) -> None:
    events, chunks, text = WELL[name]
    assert seen(hear(way(chunked(*events)))) == (None, chunks, text)


# Streams that are read although the standard has them otherwise; what they are told to be.
IRREGULAR: dict[str, tuple[list[bytes], set[str]]] = {
    "empty events": (
        [token("a"), b"data:\n\n", token("b"), b"data: \n\n", STOP, DONE],
        {irregularities.EMPTY_EVENT},
    ),
    "pings that are no JSON": (
        [
            token("a"),
            b"data: ping\n\n",
            token("b"),
            b"event: ping\ndata: [KEEPALIVE]\n\n",
            STOP,
            DONE,
        ],
        {irregularities.PING},
    ),
    "pings that are JSON": (
        [token("a"), b"data: {}\n\n", token("b"), event({"type": "ping"}), STOP, DONE],
        {irregularities.PING},
    ),
    "many byte order marks": (
        [b"\xef\xbb\xbf" * 3000 + token("a"), token("b"), STOP, DONE],
        {irregularities.BYTE_ORDER_MARK},
    ),
    "a byte order mark": (
        [b"\xef\xbb\xbf" + token("a"), token("b"), STOP, DONE],
        {irregularities.BYTE_ORDER_MARK},
    ),
    "two events parted by one newline": (
        [token("a")[:-1] + token("b"), STOP, DONE],
        {irregularities.ONE_NEWLINE},
    ),
    "all events parted by one newline": (
        [e[:-1] for e in (token("a"), token("b"), STOP, DONE)],
        {irregularities.ONE_NEWLINE},
    ),
    "named events parted by one newline": (
        [b"event: x\n" + e[:-1] for e in (token("a"), token("b"), STOP, DONE)],
        {irregularities.ONE_NEWLINE},
    ),
    "an empty event parted by one newline": (
        [b"data:\n" + token("a"), token("b"), STOP, DONE],
        {irregularities.EMPTY_EVENT, irregularities.ONE_NEWLINE},
    ),
    "a last event that ends in one newline": (
        [token("a"), token("b"), STOP[:-1]],
        {irregularities.UNENDED},
    ),
    "a last event that ends in none": (
        [token("a"), token("b"), STOP[:-2]],
        {irregularities.UNENDED},
    ),
    "[DONE] that ends in one newline": ([token("a"), token("b"), STOP, DONE[:-1]], set()),
    "JSON without a field": (
        [e.removeprefix(b"data: ") for e in (token("a"), token("b"), STOP)],
        {irregularities.BARE_JSON},
    ),
    "a chunk of no known shape": (
        [token("a"), token("b"), event({"detail": "x"}), STOP, DONE],
        {irregularities.UNKNOWN_CHUNK},
    ),
}


@in_each_way
@pytest.mark.parametrize("name", IRREGULAR)
def test_an_irregular_stream_is_read_and_reported(name: str, way: Way) -> None:
    events, expected = IRREGULAR[name]
    exchange = hear(way(chunked(*events)))
    assert seen(exchange) == (None, 2, "ab"), exchange.error
    assert (exchange.irregularities, exchange.finish_reason) == (expected, "stop")


LINES = [
    b'{"message":{"content":"a"},"done":false}\n',
    b'{"message":{"content":"b"},"done":false}\n',
    b'{"message":{"content":""},"done":true,"done_reason":"stop"}\n',
]
TYPES = ["text/plain", "application/json; charset=utf-8", "application/octet-stream", ""]


@in_each_way
@pytest.mark.parametrize("kind", [*TYPES, "application/x-ndjson"])
@pytest.mark.parametrize("lines", [False, True], ids=["events", "lines"])
def test_a_stream_is_known_by_its_beginning_whatever_type_it_has(
    kind: str, way: Way, lines: bool
) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + (f"Content-Type: {kind}\r\n".encode() if kind else b"")
    events = LINES if lines else [b": hello\n\n", token("a"), token("b"), STOP, DONE]
    exchange = hear(way(chunked(*events, head=head)))
    assert seen(exchange) == (None, 2, "ab"), exchange.error
    right = lines and kind == "application/x-ndjson"
    assert exchange.irregularities == (set() if right else {irregularities.CONTENT_TYPE})


@pytest.mark.timed
@pytest.mark.parametrize("name", ["a type of its own", "one newline"])
def test_the_tokens_of_an_irregular_stream_are_timed(name: str) -> None:
    """Each token is there when its line is, not when the next one or the end comes."""
    head = HEAD if name == "one newline" else PLAIN
    events = [token("a"), token("b"), token("c"), STOP]
    if name == "one newline":
        events = [e[:-1] for e in events]
    exchange = hear(_slowly(chunked(*events, head=head), 0.05))
    assert exchange.error is None and exchange.sent is not None
    since = [(at - exchange.sent) / 1e9 for at in exchange.token_times]
    assert len(since) == 3 and all(0.04 < b - a < 0.5 for a, b in pairwise(since))


def _slowly(pieces: Iterable[bytes], gap_s: float) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        sleep(gap_s)


def test_the_answer_begins_after_the_thinking_parts() -> None:
    thought = event({"choices": [{"delta": {"content": [{"type": "thinking", "thinking": "hm"}]}}]})
    exchange = hear(_slowly(chunked(thought, token("a"), STOP, DONE), 0.03))
    assert exchange.first is not None and exchange.answered is not None
    assert (exchange.first, exchange.answered) == tuple(exchange.token_times)
    assert exchange.answered - exchange.first > 0.02e9


WHOLE = {"choices": [{"message": {"content": "ab"}, "finish_reason": "stop"}], **usage(12, 4)}


@in_each_way
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/plain"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_whole_answer_is_no_stream_whatever_its_type_is(
    kind: str, indent: int | None, way: Way
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n".encode()
    body = json.dumps(WHOLE, indent=indent).encode()
    exchange = hear(way(chunked(body, b"\n\n", DONE, head=head)))
    assert seen(exchange) == (None, 0, "ab"), exchange.error
    assert (exchange.first, exchange.answered) == (None, None)
    assert exchange.sent and exchange.last and exchange.ended
    assert exchange.sent < exchange.last <= exchange.ended  # [DONE] may come in a read of its own
    assert (exchange.usage.output_tokens, exchange.finish_reason) == (4, "stop")
    assert irregularities.NOT_STREAMED in exchange.irregularities


def test_a_stream_cut_at_every_byte_is_read_whole() -> None:
    whole = b"".join(chunked(token("früh"), b": x\r\n\r\n", token("\u2028"), STOP, DONE))
    one_by_one = [whole[i : i + 1] for i in range(len(whole))]
    assert seen(hear(one_by_one)) == (None, 2, "früh\u2028")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(min_size=1), min_size=1, max_size=8), st.lists(st.integers(0, 4000)))
def test_any_text_cut_anywhere_is_read_whole(texts: list[str], cuts: list[int]) -> None:
    raw = [
        b'data: {"choices":[{"delta":{"content":%b}}]}\n\n'
        % json.dumps(t, ensure_ascii=False).encode("utf-8", "replace")
        for t in texts
    ]
    whole = b"".join(chunked(*raw, STOP, DONE))
    edges = [0, *sorted(cut % len(whole) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges) if a < b]
    expected = "".join(json.loads(line[6:])["choices"][0]["delta"]["content"] for line in raw)
    assert seen(hear(pieces)) == (None, len(texts), expected)


USAGE: dict[str, tuple[list[bytes], int | None]] = {
    "usage on a chunk of its own, last": (
        [token("a"), STOP, event({"choices": [], **usage(5, 3)}), DONE],
        3,
    ),
    "usage on the last chunk": (
        [
            token("a"),
            event({"choices": [{"delta": {}, "finish_reason": "stop"}], **usage(5, 3)}),
            DONE,
        ],
        3,
    ),
    "usage on the first chunk": (
        [event({"choices": [], **usage(5, 3)}), token("a"), STOP, DONE],
        3,
    ),
    "usage on every chunk": (
        [event({"choices": [{"delta": {"content": "a"}}], **usage(5, n)}) for n in (1, 2, 3)]
        + [STOP, DONE],
        3,
    ),
    "usage that is null until the last": (
        [
            event({"choices": [{"delta": {"content": "a"}}], "usage": None}),
            STOP,
            event({"choices": [], **usage(5, 3)}),
            DONE,
        ],
        3,
    ),
    "usage followed by an empty one": (
        [
            token("a"),
            event({"choices": [], **usage(5, 3)}),
            STOP,
            event({"choices": [], "usage": {}}),
            DONE,
        ],
        3,
    ),
    "usage followed by zeros": (
        [
            token("a"),
            event({"choices": [], **usage(5, 3)}),
            STOP,
            event({"choices": [], **usage(0, 0)}),
            DONE,
        ],
        3,
    ),
    "usage that is zeros until the last": (
        [
            event({"choices": [{"delta": {"content": "a"}}], **usage(0, 0)}),
            STOP,
            event({"choices": [], **usage(5, 3)}),
            DONE,
        ],
        3,
    ),
    "usage of nothing but zeros": ([token("a"), STOP, event({"choices": [], **usage(0, 0)})], None),
    "usage in the choice": (
        [
            token("a"),
            event({"choices": [{"delta": {}, "finish_reason": "stop", **usage(5, 3)}]}),
            DONE,
        ],
        3,
    ),
    "usage in x_groq": (
        [
            token("a"),
            event({"choices": [{"delta": {}, "finish_reason": "stop"}], "x_groq": usage(5, 3)}),
            DONE,
        ],
        3,
    ),
    "usage on no chunk": ([token("a"), STOP, DONE], None),
}


@in_each_way
@pytest.mark.parametrize("name", USAGE)
def test_the_usage_of_a_stream_is_read(name: str, way: Way) -> None:
    events, count = USAGE[name]
    exchange = hear(way(chunked(*events)))
    assert (exchange.error_class, exchange.usage.output_tokens) == (None, count)
    assert exchange.has_usage == (count is not None)


def test_reasoning_and_cached_tokens_are_part_of_the_others() -> None:
    details = {
        "completion_tokens_details": {"reasoning_tokens": 2},
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    counts = exchange_of(
        token("a"), STOP, event({"choices": [], **usage(5, 3, **details)}), DONE
    ).usage
    assert (counts.prompt_tokens, counts.output_tokens) == (5, 3)
    assert (counts.reasoning_tokens, counts.cached_tokens) == (2, 4)


ILL: dict[str, tuple[list[bytes], str, str]] = {
    "an error inside a 200": (
        [token("a"), event({"error": {"message": "CUDA out of memory"}})],
        "stream_error",
        "CUDA out of memory",
    ),
    "an error event": (
        [token("a"), b"event: error\ndata: overloaded\n\n"],
        "stream_error",
        "overloaded",
    ),
    "an error event in JSON": (
        [token("a"), b'event: error\ndata: {"detail": "overloaded"}\n\n'],
        "stream_error",
        "overloaded",
    ),
    "an error object without a wrapping": (
        [token("a"), event({"object": "error", "code": 500, "message": "engine died"}), DONE],
        "stream_error",
        "engine died",
    ),
    "an error code": (
        [token("a"), event({"text": "worker gone", "error_code": 50004}), DONE],
        "stream_error",
        "worker gone",
    ),
    "an error as a text": ([event({"error": "top_p is 1"})], "stream_error", "top_p is 1"),
    "an error in a list": (
        [token("a"), event([{"error": {"message": "quota"}}])],
        "stream_error",
        "quota",
    ),
    "an error beside a chunk": (
        [
            token("a"),
            event({"choices": [{"delta": {"content": ""}}], "error": {"message": "provider gone"}}),
        ],
        "stream_error",
        "provider gone",
    ),
    "an error in a field of its own": (
        [token("a"), b'error: {"message": "context full"}\n\n', DONE],
        "stream_error",
        "context full",
    ),
    "an error in a field, as a text": (
        [token("a"), b"error: context full\n\n", DONE],
        "stream_error",
        "context full",
    ),
    "an error without a field": (
        [b'{"error": {"message": "no model"}}'],
        "stream_error",
        "no model",
    ),
    "an error without a field, on many lines": (
        [b'{\n  "error": {\n    "message": "no model"\n  }\n}\n'],
        "stream_error",
        "no model",
    ),
    "an error without a field, after a token": (
        [token("a"), b'{"error": "out of memory"}\n'],
        "stream_error",
        "out of memory",
    ),
    "an aborted answer": (
        [
            token("a"),
            event({"choices": [{"delta": {"content": ""}, "finish_reason": "abort"}]}),
            DONE,
        ],
        "stream_error",
        "abort",
    ),
    "an answer aborted before a token": (
        [event({"choices": [{"delta": {}, "finish_reason": "abort"}], **usage(12, 0)}), DONE],
        "stream_error",
        "abort",
    ),
    "an answer that ended in an error": (
        [token("a"), event({"choices": [{"delta": {}, "finish_reason": "error"}]}), DONE],
        "stream_error",
        "finish_reason error",
    ),
    "an error in a choice": (
        [
            token("a"),
            event(
                {
                    "choices": [
                        {
                            "delta": {"content": ""},
                            "error": {"message": "provider gone"},
                            "finish_reason": None,
                        }
                    ]
                }
            ),
            STOP,
            DONE,
        ],
        "stream_error",
        "provider gone",
    ),
    "an error in a choice that ends well": (
        [
            token("a"),
            event(
                {
                    "choices": [
                        {
                            "delta": {},
                            "error": {"message": "provider gone"},
                            "finish_reason": "stop",
                        }
                    ]
                }
            ),
            DONE,
        ],
        "stream_error",
        "provider gone",
    ),
    "an error in the second choice": (
        [
            token("a"),
            event(
                {
                    "choices": [
                        {"delta": {}, "finish_reason": "stop"},
                        {"delta": {}, "finish_reason": "error"},
                    ]
                }
            ),
            DONE,
        ],
        "stream_error",
        "finish_reason error",
    ),
    "an error object with no choices": (
        [
            token("a"),
            event({"object": "error", "choices": [], "message": "engine died"}),
            STOP,
            DONE,
        ],
        "stream_error",
        "engine died",
    ),
    "an error code beside a choice": (
        [
            token("a"),
            event({"choices": [{"delta": {}}], "error_code": 50004, "text": "worker gone"}),
            STOP,
            DONE,
        ],
        "stream_error",
        "worker gone",
    ),
    "a code that names an error": (
        [token("a"), event({"code": "InternalError", "message": "worker gone"}), STOP, DONE],
        "stream_error",
        "worker gone",
    ),
    "a status that is failed": (
        [token("a"), event({"status": "failed", "message": "worker gone"}), STOP, DONE],
        "stream_error",
        "worker gone",
    ),
    "an event of the newer API": (
        [
            token("a"),
            event({"type": "response.failed", "response": {"error": {"message": "worker gone"}}}),
            STOP,
            DONE,
        ],
        "stream_error",
        "worker gone",
    ),
    "an error after the end": (
        [token("a"), STOP, DONE, event({"error": "worker gone"})],
        "stream_error",
        "worker gone",
    ),
    "JSON that is no chunk, without a finish_reason": (
        [token("a"), event({"detail": "worker gone"}), DONE],
        "stream_error",
        "worker gone",
    ),
    "nothing but JSON that is no chunk": ([event({"foo": 1}), DONE], "stream_error", '{"foo": 1}'),
    "text instead of events": (
        [b"upstream connect error"],
        "stream_error",
        "upstream connect error",
    ),
    "words that are no JSON": (
        [token("a"), b"data: upstream gone\n\n"],
        "stream_error",
        "not JSON: upstream gone",
    ),
    "a comment inside JSON": (
        [token("a"), b'data: {"choices":[{"del: x\n\nta":{}}]}\n\n', STOP],
        "stream_error",
        "not JSON",
    ),
    "an event that was cut": ([token("a"), token("b")[:-9]], "truncated", "without a finish"),
    "malformed JSON": ([token("a"), b'data: {"choices": [\n\n'], "stream_error", "not JSON"),
    "JSON that is no object": ([token("a"), b"data: [1]\n\n"], "stream_error", "not JSON"),
    "bytes that are no UTF-8": (
        [token("a"), token("b").replace(b'"b"', b'"\xff"')],
        "stream_error",
        "not JSON",
    ),
    "no end": ([token("a")], "truncated", "without a finish_reason or [DONE]"),
    "no token": ([STOP, DONE], "empty", "no token"),
    "nothing": ([], "truncated", "without a finish_reason or [DONE]"),
}


@in_each_way
@pytest.mark.parametrize("name", ILL)
def test_a_failing_stream_has_its_error_class_and_message(name: str, way: Way) -> None:
    events, error_class, message = ILL[name]
    exchange = hear(way(chunked(*events)))
    assert exchange.error_class == error_class, exchange.error
    assert message in str(exchange.error)


def test_a_bug_fails_one_request_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("what a server sent")

    monkeypatch.setattr(Exchange, "_read_body", broken)
    exchange = exchange_of(token("a"), STOP, DONE)
    assert exchange.error_class == "stream_error"
    assert "Internal error in Paceline: KeyError in services/" in str(exchange.error)


@in_each_way
def test_informational_and_trailing_headers_are_ignored(way: Way) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: gzip\r\nContent-Type: text/html\r\n\r\n"
    *answer, end = chunked(token("a"), STOP, DONE)
    trailer = end[:-2] + b"Content-Encoding: gzip\r\nContent-Type: text/html\r\n\r\n"
    exchange = hear(way([early, *answer, trailer]))
    assert seen(exchange) == (None, 1, "a"), exchange.error
    assert not exchange.irregularities


@in_each_way
@pytest.mark.parametrize("more", [b"", b"\0", b"what follows is no part of it" * 1000])
def test_a_body_compressed_in_several_members_is_read(way: Way, more: bytes) -> None:
    head = HEAD + b"Content-Encoding: gzip\r\n"
    members = [gzip.compress(each) for each in (token("a"), b"", b"", token("b"), STOP, DONE)]
    exchange = hear(way(chunked(*members, *filter(None, [more]), head=head)))
    assert seen(exchange) == (None, 2, "ab"), exchange.error


def status(line: str, body: bytes, *headers: str) -> list[bytes]:
    head = "".join(f"{header}\r\n" for header in headers)
    length = f"Content-Length: {len(body)}\r\n"
    return [f"HTTP/1.1 {line}\r\n{head}{length}\r\n".encode() + body]


REFUSED: dict[str, tuple[list[bytes], str, str]] = {
    "401": (
        status("401 Unauthorized", b'{"error": {"message": "bad key"}}'),
        "http_4xx",
        "HTTP 401: bad key",
    ),
    "404": (status("404 Not Found", b'{"detail": "Not Found"}'), "http_4xx", "HTTP 404: Not Found"),
    "422 of one field": (
        status("422 Unprocessable", b'{"detail": [{"loc": ["body", "top_p"], "msg": "too high"}]}'),
        "http_4xx",
        "HTTP 422: top_p: too high",
    ),
    "400 without a wrapping": (
        status("400 Bad", b'{"object": "error", "message": "too long"}'),
        "http_4xx",
        "HTTP 400: too long",
    ),
    "429 with Retry-After": (
        status("429 Too Many Requests", b'{"error": "slow down"}', "Retry-After: 7"),
        "http_429",
        "HTTP 429: slow down (Retry-After: 7)",
    ),
    "429 in HTML": (
        status(
            "429 Too Many Requests",
            b"<html>slow</html>",
            "Retry-After: 20",
            "Content-Type: text/html",
        ),
        "http_429",
        "HTTP 429: text/html (Retry-After: 20)",
    ),
    "500": (status("500 Oops", b"Internal Server Error"), "http_5xx", "Internal Server Error"),
    "503 in HTML": (
        status("503 Unavailable", b"<html>\xff</html>", "Content-Type: text/html"),
        "http_5xx",
        "HTTP 503: text/html",
    ),
    "HTML instead of JSON": (
        status("200 OK", b"<html>Welcome</html>", "Content-Type: text/html"),
        "stream_error",
        "not in a known API format (text/html)",
    ),
    "a redirect": (
        status("307 Elsewhere", b"", "Location: https://elsewhere/"),
        "http_3xx",
        "redirects (HTTP 307)",
    ),
    "101 Switching Protocols": (
        status("101 Switching", b"", "Upgrade: websocket", "Connection: upgrade"),
        "stream_error",
        "HTTP/1.1",
    ),
    "what is no HTTP": ([b"SSH-2.0-OpenSSH_9.2\r\n"], "stream_error", "not answer in HTTP/1.1"),
    "a connection that ends at once": ([], "connect", "before it answered"),
    "a body shorter than announced": (
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"],
        "stream_error",
        "not in a known API format",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_answer_has_its_error_class_and_message(name: str) -> None:
    pieces, error_class, message = REFUSED[name]
    exchange = hear(pieces)
    assert (exchange.error_class, message in str(exchange.error)) == (error_class, True), (
        exchange.error
    )


def test_an_informational_response_is_not_the_answer() -> None:
    first = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert seen(hear([first, *chunked(token("a"), STOP, DONE)])) == (None, 1, "a")


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    assert seen(hear([HEAD + b"\r\n", token("a"), STOP])) == (None, 1, "a")


def test_a_body_that_stays_open_after_done_is_over_soon() -> None:
    pieces = chunked(token("a"), STOP, DONE)[:-1]
    assert seen(hear(pieces, hold=True)) == (None, 1, "a")


@pytest.mark.parametrize("stray", [b"xx", b"\0", b"0\r\n\r\n", b"HTTP/9.9 what\r\n"])
def test_stray_bytes_after_an_answer_cost_only_the_connection(stray: bytes) -> None:
    read = Exchange(lambda: None)
    read.read(1, b"".join(chunked(token("a"), STOP, DONE)) + stray)
    assert seen(read) == (None, 1, "a")
    assert not read.reusable


def test_stray_bytes_after_a_refusal_leave_it_what_it_is() -> None:
    refusal = status("429 Slow Down", b'{"error": {"message": "slow down"}}')
    read = Exchange(lambda: None)
    read.read(1, b"".join(refusal) + b"xx")
    assert (read.error_class, read.error) == ("http_429", "HTTP 429: slow down")


def reset_after(*events: bytes) -> Exchange:
    """Hear these events of a body that stays open; then the server resets the connection."""

    async def both(listener: socket, wire: Wire) -> Exchange:
        body = wire.request({"model": "m", "messages": []})
        asking = asyncio.create_task(wire.ask(body, 0, lambda: 9, ()))
        sock, _ = await asyncio.to_thread(listener.accept)
        sock.sendall(b"".join(chunked(*events)[:-1]))
        await so(lambda: any(len(each.token_times) for each in wire.in_flight._live))
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        return await asking

    with create_server(("127.0.0.1", 0)) as listener:
        wire = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", None, Timeouts(5.0))
        exchange = asyncio.run(both(listener, wire))
        wire.close()
    return exchange


def test_an_answer_is_complete_although_its_connection_is_reset_after_done() -> None:
    began = perf_counter_ns()
    exchange = reset_after(token("a"), STOP, DONE)
    assert seen(exchange) == (None, 1, "a")
    assert exchange.last is not None and exchange.ended is not None
    assert began < exchange.last < exchange.ended < perf_counter_ns()


def test_an_answer_whose_connection_is_reset_before_done_has_failed() -> None:
    exchange = reset_after(token("a"), STOP)
    assert (exchange.error_class, "broke" in str(exchange.error)) == ("stream_error", True)


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_stream_that_is_compressed_unasked_is_read(name: str) -> None:
    squeeze = zlib.compressobj(wbits=31 if name == "gzip" else 15)
    bodies = [
        squeeze.compress(part) + squeeze.flush(zlib.Z_SYNC_FLUSH)
        for part in (token("a"), token("b"), STOP, DONE)
    ]
    head = HEAD + f"Content-Encoding: {name}\r\n".encode()
    exchange = hear(chunked(*bodies, squeeze.flush(), head=head))
    assert (seen(exchange), exchange.irregularities) == (
        (None, 2, "ab"),
        {irregularities.COMPRESSED},
    )


@pytest.mark.parametrize(
    ("head", "message"),
    [(b"Content-Encoding: gzip\r\n", "damaged"), (b"Content-Encoding: br\r\n", "compressed (br)")],
)
def test_an_unreadable_compression_is_reported(head: bytes, message: str) -> None:
    exchange = hear(chunked(token("a"), head=HEAD + head))
    assert (exchange.error_class, message in str(exchange.error)) == ("stream_error", True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "message"), [(HEAD, "an event of more than 64 MiB"), (PLAIN, "does not end")]
)
def test_a_body_that_expands_to_gigabytes_is_not_decompressed_whole(
    head: bytes, message: str
) -> None:
    squeeze = zlib.compressobj(9, wbits=31)
    first, second = (
        squeeze.compress(bytes(2**20)) + squeeze.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    packed = first + 1023 * second  # each stands alone; nobody gets to the sum at the end
    decoder = Decoder(b"gzip")
    decoder.put(packed)
    assert [len(decoder.take()) for _ in range(3)] == [PIECE_BYTES] * 3
    assert decoder.waiting, "no more is made than is taken"
    exchange = hear(chunked(packed, head=head + b"Content-Encoding: gzip\r\n"), total_s=60.0)
    assert (exchange.error_class, message in str(exchange.error)) == ("stream_error", True)


def test_a_compressed_error_is_read_too() -> None:
    squeeze = zlib.compressobj(wbits=31)
    body = squeeze.compress(b'{"error": {"message": "no such model"}}') + squeeze.flush()
    exchange = hear(status("400 Bad Request", body, "Content-Encoding: gzip"))
    assert exchange.error == "HTTP 400: no such model"


def test_a_body_of_tokens_that_never_ends_is_timed_out_and_kept() -> None:
    pieces = chunked(token("a"))[:-1]
    exchange = hear((*pieces, *repeat(pieces[1], 2000)), hold=True, total_s=0.5)
    assert exchange.error_class == "timeout"
    assert len(exchange.token_times) == 2001


@pytest.mark.parametrize(
    ("head", "error_class", "message"),
    [
        (PLAIN, "stream_error", "not a stream and does not end"),
        (HEAD, "stream_error", "an event of more than 64 MiB"),
        (PLAIN.replace(b"200 OK", b"500 Oops"), "http_5xx", "HTTP 500"),
    ],
    ids=["no stream", "an event", "an error"],
)
def test_a_body_without_an_end_does_not_fill_the_memory(
    head: bytes, error_class: str, message: str
) -> None:
    endless = repeat(b"%x\r\n%b\r\n" % (2**20, b"x" * 2**20))
    first = head + b"Transfer-Encoding: chunked\r\n\r\n"
    exchange = hear(_after(first, endless), total_s=60.0)
    assert (exchange.error_class, message in str(exchange.error)) == (error_class, True)


def _after(first: bytes, rest: Iterable[bytes]) -> Iterable[bytes]:
    yield first
    yield from rest


@pytest.mark.slow
def test_a_chunk_of_100_megabytes_is_refused() -> None:
    exchange = hear(chunked(token("x" * 100_000_000)), total_s=60.0)
    assert (exchange.error_class, "64 MiB" in str(exchange.error)) == ("stream_error", True)


def test_a_chunk_of_30_megabytes_is_read() -> None:
    exchange = hear(chunked(token("x" * 30_000_000), STOP, DONE), total_s=60.0)
    assert (exchange.error_class, len(exchange.answer)) == (None, 30_000_000)


SILENT = chunked(token("a"))[:-1]


@pytest.mark.parametrize(
    ("pieces", "limits", "error_class", "message"),
    [
        ([], {"first_token_s": 0.2}, "timeout_first_token", "No token within 0.2 s."),
        (SILENT[:1], {"first_token_s": 0.2}, "timeout_first_token", "No token within 0.2 s."),
        (
            SILENT,
            {"between_chunks_s": 0.2},
            "timeout_between_chunks",
            "No further data within 0.2 s.",
        ),
        (SILENT, {"total_s": 0.2}, "timeout", "No end of the answer within 0.2 s."),
    ],
    ids=["before the headers", "before the first token", "between chunks", "in all"],
)
def test_a_server_that_hangs_is_timed_out(
    pieces: list[bytes], limits: dict[str, float], error_class: str, message: str
) -> None:
    exchange = hear(pieces, hold=True, **limits)
    assert (exchange.error_class, exchange.error) == (error_class, message)
    assert exchange.ended is not None and exchange.sent is not None
    assert 0.2e9 <= exchange.ended - exchange.sent < 2e9


def test_a_failed_connection_has_its_own_error_class() -> None:
    with socket() as listener, socket() as first, socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)  # and never accept: the queue is full with these two
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        exchange = ask(url, "any", timeouts=Timeouts(5.0, connect_s=0.3))
    assert exchange.error_class == "timeout_connect"
    assert "in time" in str(exchange.error)


HALF = b'data: {"error": {"message": "bad \\ud83d"}}\n\n'


def test_half_a_character_in_an_error_is_replaced() -> None:
    error = exchange_of(token("a"), HALF).error
    assert error == "The stream ended in an error: bad \ufffd"
    assert str(error).encode()


@pytest.mark.parametrize("head", [b"Content-Encoding: br\r\n", b"Content-Encoding: gzip\r\n"])
def test_a_refusal_is_reported_whatever_its_content_encoding(head: bytes) -> None:
    refused = HEAD.replace(b"200 OK", b"429 Too Many") + head
    exchange = hear(chunked(b"not packed", head=refused))
    assert (exchange.error_class, exchange.http_status) == ("http_429", 429)


def test_an_empty_answer_is_not_an_answer() -> None:
    exchange = hear([b"HTTP/1.1 204 No Content\r\n\r\n"])
    assert exchange.error_class == "stream_error"


TEXTS = st.lists(st.text(max_size=6), min_size=1, max_size=12)


@settings(deadline=None)
@given(TEXTS, st.booleans(), st.lists(st.integers(0, 3000)))
def test_what_is_read_by_the_template_is_what_parsing_reads(
    texts: list[str], spaced: bool, cuts: list[int]
) -> None:
    """The same bytes in the same pieces, once with and once without what was learnt."""
    separators = None if spaced else (",", ":")
    events = [
        b"data: "
        + json.dumps(
            {
                "choices": [
                    {"delta": {"content": text}, "logprobs": {"content": [{"token": text}]}}
                ]
                if text.startswith("l")
                else [{"delta": {"content": text}}]
            },
            separators=separators,
            ensure_ascii=False,
        ).encode("utf-8", "replace")
        + b"\n\n"
        for text in texts
    ]
    pieces = chunked(*events, STOP, DONE)
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


def test_most_of_a_servers_chunks_are_read_by_the_template() -> None:
    exchange = Exchange(lambda: None)
    parsed: list[bytes] = []
    take = exchange._take_event

    def counted(stamp: int, event: Event) -> Chunk | None:
        parsed.append(event.data)
        return take(stamp, event)

    exchange._take_event = counted  # type: ignore[method-assign]
    for stamp, piece in enumerate(chunked(*(token(f" w{i}") for i in range(50)), STOP, DONE), 1):
        exchange.read(stamp, piece)
    assert len(exchange.token_times) == 50
    assert len(parsed) == 3, "the first token, the finish_reason, [DONE]"


def test_irregularities_are_counted_in_the_health_of_their_repeat() -> None:
    irregular = chunked(token("a"), b"data:\n\n", STOP, DONE, head=PLAIN)
    with canned(irregular) as base_url:
        values = {"backend": "url", "base_url": base_url, "model": "m", "mode": "batch"}
        config = parse({**values, "requests": 3})
        playing = RepeatPlayer(Job(config, target(config, {}), "nonce", 0), lambda _: None)

        async def now() -> int:
            return perf_counter_ns()

        played = asyncio.run(playing.play(0, now))
    seen = {irregularities.CONTENT_TYPE: 3, irregularities.EMPTY_EVENT: 3}
    assert played.health["oddities"] == seen
    both = combined([replace(played, health={**played.health}), played])
    assert both.health["oddities"] == dict.fromkeys(seen, 6)
