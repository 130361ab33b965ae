"""What counts as a token, and what a server says about its counts."""

import json
from typing import Any

import pytest

from services.ask import irregularities
from services.wire.chunk import is_ping, read_chunk
from services.wire.content import Chunk
from services.wire.tool_calls import CallPart
from services.wire.usage import Usage

UNKNOWN = Chunk(irregularity=irregularities.UNKNOWN_CHUNK)


def chunk(delta: str, finish: str = "null") -> bytes:
    return f'{{"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}'.encode()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (chunk('{"role":"assistant","content":""}'), Chunk()),
        (chunk('{"role":"assistant","content":null}'), Chunk()),
        (chunk('{"content":"Hi"}'), Chunk("Hi", True, True)),
        (chunk('{"reasoning_content":"hm"}'), Chunk("", True, False)),
        (chunk('{"reasoning":"hm","content":""}'), Chunk("", True, False)),
        (
            chunk('{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}'),
            Chunk("", True, True, calls=(CallPart(0, "", "f", ""),)),
        ),
        (chunk('{"tool_calls":[{"index":0}]}'), Chunk()),
        (chunk("{}", '"stop"'), Chunk(finish_reason="stop")),
        (chunk("{}", '{"type":"stop"}'), Chunk(finish_reason="stop")),
        (chunk("{}", "7"), Chunk()),
        (b'{"usage":{"completion_tokens":99999999999}}', Chunk()),
        (b'{"choices":[]}', Chunk()),
        (b'{"choices":["odd"]}', UNKNOWN),
        (b'{"choices":[{"delta":"odd"}]}', UNKNOWN),
        (b'{"choices":[{"delta":null}]}', Chunk()),
        (b'{"choices":null}', UNKNOWN),
        (b'{"id":"x","object":"chat.completion.chunk"}', UNKNOWN),
        (b'{"message":"of no kind"}', UNKNOWN),
        (b'{"message":{"content":"no done"}}', UNKNOWN),
        (b'{"detail":"in the middle of a stream"}', UNKNOWN),
        (b"{}", Chunk(irregularity=irregularities.PING)),
        (b'{"type":"ping"}', Chunk(irregularity=irregularities.PING)),
        (chunk('{"tool_calls":"odd"}'), Chunk()),
        (b'{"choices":[{"text":"a"}]}', Chunk("a", True, True)),
        (b'{"choices":[{"message":{"content":"all"}}]}', Chunk("all", True, True)),
        (
            b'{"choices":[{"message":{"content":"all"},"finish_reason":"stop"}]}',
            Chunk("all", True, True, "stop", whole=True),
        ),
        (
            b'{"choices":[{"delta":{},"message":{"content":"all"},"finish_reason":"stop"}]}',
            Chunk(finish_reason="stop"),
        ),
        (chunk('{"refusal":"I cannot","content":null}'), Chunk("I cannot", True, True)),
        (
            chunk('{"function_call":{"name":"f"}}'),
            Chunk("", True, True, calls=(CallPart(0, "", "f", ""),)),
        ),
        (
            chunk('{"content":[{"type":"text","text":"a"},{"text":"b"},"c"]}'),
            Chunk("abc", True, True),
        ),
        (
            chunk('{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}'),
            Chunk("", True, False),
        ),
        (chunk('{"content":[{"type":"thinking","thinking":"hm"}]}'), Chunk("", True, False)),
        (chunk('{"content":[{"type":"refusal","refusal":"no"}]}'), Chunk("no", True, True)),
        (
            chunk('{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":""},7]}'),
            Chunk(),
        ),
        (chunk('{"audio":{"id":"a"}}'), Chunk()),
        (chunk('{"audio":{"id":"a","data":"UklGRg=="}}'), Chunk("", True, True)),
        (chunk('{"content":null,"audio":{"transcript":"Hi"}}'), Chunk("Hi", True, True)),
        (chunk('{"audio":{"id":"a","data":"","expires_at":1}}'), Chunk()),
        (chunk('{"audio":null,"images":[]}'), Chunk()),
        (
            chunk(
                '{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iV"}}]}'
            ),
            Chunk("", True, True),
        ),
        (
            chunk('{"content":[{"type":"image_url","image_url":{"url":"data:,"}}]}'),
            Chunk("", True, True),
        ),
        (chunk('{"images":' + "[" * 400 + '"x"' + "]" * 400 + "}"), Chunk()),
        (
            b'{"choices":[{"message":{"content":null,"audio":{"data":"UklGRg=="}},'
            b'"finish_reason":"stop"}]}',
            Chunk("", True, True, "stop", whole=True),
        ),
        (b'{"error":{"message":"out of memory"}}', Chunk(error="out of memory")),
        (b'{"error":"busy"}', Chunk(error="busy")),
        (b'{"error":{"message":"busy"},"choices":[{"text":"a"}]}', Chunk(error="busy")),
        (b'{"object":"error","message":"busy","code":500}', Chunk(error="busy")),
        (b'{"text":"busy","error_code":50004}', Chunk(error="busy")),
        (b'{"type":"error","message":"busy"}', Chunk(error="busy")),
        (b'{"status":503,"message":"busy"}', Chunk(error="busy")),
        (b'{"code":500,"msg":"busy","success":false}', Chunk(error="busy")),
        (b'[{"error":{"message":"busy"}}]', Chunk(error="busy")),
        (b'{"errors":[{}]}', Chunk(error="no message")),
        (chunk("{}", '"abort"'), Chunk(finish_reason="abort", error="finish_reason abort")),
        (
            chunk("{}", '{"type":"abort","message":"busy"}'),
            Chunk(finish_reason="abort", error="finish_reason abort: busy"),
        ),
        (
            b'{"choices":[{"delta":{},"finish_reason":"error","error":{"message":"busy"}}]}',
            Chunk(finish_reason="error", error="finish_reason error: busy"),
        ),
        (
            b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,'
            b'"completion_tokens_details":{"reasoning_tokens":4},'
            b'"prompt_tokens_details":{"cached_tokens":2}}}',
            Chunk(usage=Usage(3, 9, 4, 2)),
        ),
        (b'{"choices":[],"usage":{"completion_tokens":"many"}}', Chunk()),
        (b'{"choices":[],"usage":{}}', Chunk()),
        (b'{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}', Chunk()),
        (b'{"usage":{"prompt_tokens":3,"completion_tokens":0}}', Chunk(usage=Usage(3))),
        (b'{"x_groq":{"id":"r"}}', Chunk()),
    ],
)
def test_a_chunk_is_parsed(payload: bytes, expected: Chunk) -> None:
    assert read_chunk(payload) == expected


@pytest.mark.parametrize(
    "beside",
    [
        {"prompt_tokens_details": {"cached_tokens": 2}},
        {"input_tokens_details": {"cached_tokens": 2}},
        {"prompt_cache_hit_tokens": 2, "prompt_cache_miss_tokens": 1},
        {"cached_tokens": 2},
        {"cache_read_input_tokens": 2},
        {"prompt_tokens_details": None, "cached_tokens": 2},
    ],
)
def test_cached_tokens_are_found_under_every_known_name(beside: dict[str, Any]) -> None:
    data = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9, **beside}}
    assert read_chunk(json.dumps(data).encode()).usage == Usage(3, 9, None, 2)


@pytest.mark.parametrize(
    ("output", "reasoning", "total", "counted"),
    [
        (1, 386, 399, 387),  # xAI's: beside the output, as the total says
        (387, 386, 399, 387),  # OpenAI's: part of the output
        (0, 386, 398, 386),
        (1, 386, 400, 1),  # a total that does not say
        (1, 386, None, 1),
        (1, 0, 13, 1),
    ],
)
def test_reasoning_that_the_total_counts_beside_the_output_is_added_to_it(
    output: int, reasoning: int, total: int | None, counted: int
) -> None:
    data = {
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": output,
            "total_tokens": total,
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }
    }
    seen = read_chunk(json.dumps(data).encode()).usage
    assert seen == Usage(12, counted, reasoning, None)


@pytest.mark.parametrize("usage_key", ["beside", "choice", "groq", "alone"])
def test_usage_is_found_wherever_servers_put_it(usage_key: str) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 9}
    choice: dict[str, Any] = {"delta": {}, "finish_reason": "stop"}
    data: dict[str, Any] = {
        "beside": {"choices": [choice], "usage": usage},
        "choice": {"choices": [{**choice, "usage": usage}], "usage": {}},
        "groq": {"choices": [choice], "x_groq": {"id": "r", "usage": usage}},
        "alone": {"usage": usage},
    }[usage_key]
    assert read_chunk(json.dumps(data).encode()).usage == Usage(3, 9)


def test_what_ollama_counts_is_read_from_its_last_line() -> None:
    line = {
        "message": {"content": ""},
        "done": True,
        "prompt_eval_count": 1200,
        "eval_count": 2,
        "prompt_eval_cached_count": 1152,
    }
    assert read_chunk(json.dumps(line).encode()) == Chunk(
        finish_reason="stop", usage=Usage(1200, 2, None, 1152)
    )


def test_the_last_counts_hold_and_zeros_after_them_are_ignored() -> None:
    seen = Usage()
    for usage in (Usage(12), Usage(12, 3, 0, 0), Usage(12, 9, 4, 2), Usage(12, None, 0, 0)):
        seen = usage.after(seen)
    assert seen == Usage(12, 9, 4, 2)
    assert Usage(12, 4, 0, 0).after(Usage()) == Usage(12, 4, 0, 0)


@pytest.mark.parametrize("payload", [b"{", b"[1]", b"", b"<html>"])
def test_what_is_not_a_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):
        read_chunk(payload)


@pytest.mark.parametrize(
    "line",
    [
        "ping",
        "[PING]",
        ": ping - 2026-01-02 10:00:00+00:00",
        "keep-alive",
        "KEEPALIVE",
        "heartbeat",
        ": OPENROUTER PROCESSING",
        "null",
        "pong.",
    ],
)
def test_a_keep_alive_is_not_an_error(line: str) -> None:
    assert is_ping(line.encode())


@pytest.mark.parametrize(
    "line", ["upstream error", "ping timeout", "processing failed", "", "[DONE]", "ping" * 99, "7"]
)
def test_other_comments_are_not_keep_alives(line: str) -> None:
    assert not is_ping(line.encode())
