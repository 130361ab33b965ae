"""What counts as a token, and what a server says about its counts."""

import pytest

from services.wire.chunk import Chunk, Usage, read_chunk


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
            Chunk("", True, True),
        ),
        (chunk('{"tool_calls":[{"index":0}]}'), Chunk()),
        (chunk("{}", '"stop"'), Chunk(finish_reason="stop")),
        (chunk("{}", '{"type":"stop"}'), Chunk()),
        (b'{"usage":{"completion_tokens":99999999999}}', Chunk(usage=Usage())),
        (b'{"choices":[]}', Chunk()),
        (b'{"choices":["odd"]}', Chunk()),
        (b'{"choices":[{"delta":"odd"}]}', Chunk()),
        (chunk('{"tool_calls":"odd"}'), Chunk()),
        (b'{"choices":[{"text":"a"}]}', Chunk("a", True, True)),
        (b'{"choices":[{"message":{"content":"all"}}]}', Chunk("all", True, True)),
        (b'{"error":{"message":"out of memory"}}', Chunk(error="out of memory")),
        (b'{"error":"busy"}', Chunk(error="busy")),
        (
            b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9,'
            b'"completion_tokens_details":{"reasoning_tokens":4},'
            b'"prompt_tokens_details":{"cached_tokens":2}}}',
            Chunk(usage=Usage(3, 9, 4, 2)),
        ),
        (b'{"choices":[],"usage":{"completion_tokens":"many"}}', Chunk(usage=Usage())),
    ],
)
def test_a_chunk_is_read_as_it_is(payload: bytes, expected: Chunk) -> None:
    assert read_chunk(payload) == expected


@pytest.mark.parametrize("payload", [b"{", b"[1]", b"", b"<html>"])
def test_what_is_not_a_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):
        read_chunk(payload)
