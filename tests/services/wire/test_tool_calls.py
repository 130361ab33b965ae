"""Calls of tools, put together from the pieces that each API format sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.load.attempt import tool_calls_of
from services.wire.chunk import read_chunk
from services.wire.exchange import Exchange
from services.wire.tool_calls import CallPart, ToolCalls

BONN, ROME = '{"city": "Bonn"}', '{"city": "Rome"}'


def delta(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"delta": {"tool_calls": list(calls)}, "finish_reason": None}]}


def function(**values: Any) -> dict[str, Any]:
    return {"function": values}


def item(**values: Any) -> dict[str, Any]:
    return {"type": "function_call", **values}


def message(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": "", "tool_calls": list(calls)}}


FORMATS: dict[str, tuple[dict[str, Any], ...]] = {
    "chat, streamed": (
        delta({"index": 0, "id": "a", **function(name="weather", arguments="")}),
        delta({"index": 0, **function(arguments='{"city": ')}),
        delta({"index": 1, "id": "b", **function(name="weather", arguments='{"city"')}),
        delta({"index": 0, **function(arguments='"Bonn"}')}),
        delta({"index": 1, **function(arguments=': "Rome"}')}),
    ),
    "chat, every call with the index 0": (
        delta({"index": 0, "id": "a", **function(name="weather", arguments=BONN)}),
        delta({"index": 0, "id": "b", **function(name="weather", arguments=ROME)}),
    ),
    "chat, the name in every piece": (
        delta({"index": 0, "id": "a", **function(name="weather", arguments='{"city": ')}),
        delta({"index": 0, "id": "a", **function(name="weather", arguments='"Bonn"}')}),
        delta({"index": 1, "id": "b", **function(name="weather", arguments=ROME)}),
    ),
    "chat, whole": (
        {
            "choices": [
                {
                    **message(
                        {"id": "a", **function(name="weather", arguments=BONN)},
                        {"id": "b", **function(name="weather", arguments=ROME)},
                    ),
                    "finish_reason": "tool_calls",
                }
            ]
        },
    ),
    "Ollama": (
        message({"id": "a", **function(name="weather", arguments={"city": "Bonn"})})
        | {"done": False},
        message({"id": "b", **function(name="weather", arguments={"city": "Rome"})})
        | {"done": True},
    ),
    "Anthropic": (
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
        *(
            event
            for place, (name, arguments) in enumerate((("a", BONN), ("b", ROME)), 1)
            for event in (
                {
                    "type": "content_block_start",
                    "index": place,
                    "content_block": {"type": "tool_use", "id": name, "name": "weather"}
                    | {"input": {}},
                },
                *(
                    {
                        "type": "content_block_delta",
                        "index": place,
                        "delta": {"type": "input_json_delta", "partial_json": part},
                    }
                    for part in (arguments[:6], arguments[6:])
                ),
            )
        ),
    ),
    "Anthropic, whole": (
        {
            "type": "message",
            "content": [
                {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Bonn"}},
                {"type": "tool_use", "id": "b", "name": "weather", "input": {"city": "Rome"}},
            ],
            "stop_reason": "tool_use",
        },
    ),
    "Responses": (
        *(
            event
            for place, (name, arguments) in enumerate((("a", BONN), ("b", ROME)))
            for event in (
                {
                    "type": "response.output_item.added",
                    "output_index": place,
                    "item": item(call_id=name, name="weather", arguments=""),
                },
                *(
                    {
                        "type": "response.function_call_arguments.delta",
                        "output_index": place,
                        "delta": part,
                    }
                    for part in (arguments[:6], arguments[6:])
                ),
            )
        ),
        {
            "type": "response.completed",
            "response": {"output": [item(call_id="a", name="weather", arguments=BONN)]},
        },
    ),
    "Responses, whole": (
        {
            "object": "response",
            "status": "completed",
            "output": [
                item(call_id="a", name="weather", arguments=BONN),
                item(call_id="b", name="weather", arguments=ROME),
            ],
        },
    ),
}


@pytest.mark.parametrize("chunks", FORMATS.values(), ids=FORMATS)
def test_calls_are_the_same_in_every_format(chunks: tuple[dict[str, Any], ...]) -> None:
    exchange = Exchange(lambda: None)
    for stamp, chunk in enumerate(chunks, 1):
        exchange.take(stamp, read_chunk(json.dumps(chunk).encode()))
    assert tool_calls_of(exchange, ()) == [
        {"id": name, "type": "function", "function": {"name": "weather", "arguments": arguments}}
        for name, arguments in (("a", BONN), ("b", ROME))
    ]


def test_an_answer_without_calls_has_none() -> None:
    exchange = Exchange(lambda: None)
    exchange.take(1, read_chunk(b'{"choices": [{"delta": {"content": "Hi"}}]}'))
    assert tool_calls_of(exchange, ()) is None


def test_arguments_of_a_call_that_never_began_are_left_out() -> None:
    calls = ToolCalls()
    calls.add([CallPart(3, "", "", "{}"), CallPart(None, "", "", "{}")])
    assert calls.whole() == []


def test_the_key_is_removed_from_calls_should_the_server_repeat_it() -> None:
    exchange = Exchange(lambda: None)
    call = {
        "index": 0,
        "id": "sk-secret-123456",
        **function(name="f", arguments="sk-secret-123456"),
    }
    exchange.take(1, read_chunk(json.dumps(delta(call)).encode()))
    assert "sk-secret" not in str(tool_calls_of(exchange, ("sk-secret-123456",)))
