"""Read one event of Anthropic's Messages API: `content_block_delta`, `message_delta` …

Each event has a type. Blocks of text, thinking and tool calls come one after the other, in deltas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.wire.content import Chunk
from services.wire.tool_calls import CallPart, arguments_json
from services.wire.usage import Usage, anthropic_usage

# Reasons why an answer ended, as in chat completions; others are kept.
REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
# The fields of a block or its delta that hold generated content, and whether that belongs to the
# answer.
CONTENT = {"text": True, "partial_json": True, "name": True, "thinking": False, "data": False}
GENERATED = ("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use")  # blocks


def read_message(message: Mapping[str, Any]) -> Chunk:
    """Read a whole message, from a server that does not stream."""
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    chunks = [_block(block, None) for block in blocks if isinstance(block, dict)]
    return Chunk(
        "".join(chunk.text for chunk in chunks),
        has_token=any(chunk.has_token for chunk in chunks),
        has_answer=any(chunk.has_answer for chunk in chunks),
        finish_reason=_reason(message),
        usage=anthropic_usage(message.get("usage")),
        whole=True,
        calls=tuple(part for chunk in chunks for part in chunk.calls),
    )


def _message_start(data: Mapping[str, Any]) -> Chunk:
    """The count of output tokens in it is a preliminary one, from before any token."""
    usage = anthropic_usage(_object(data, "message").get("usage")) or Usage()
    return Chunk(usage=usage._replace(output_tokens=None) if usage.prompt_tokens else None)


def _block_start(data: Mapping[str, Any]) -> Chunk:
    return _block(_object(data, "content_block"), _index(data))


def _block_delta(data: Mapping[str, Any]) -> Chunk:
    delta = _object(data, "delta")
    chunk = _content(delta)
    more = _text(delta, "partial_json")
    return chunk._replace(calls=(CallPart(_index(data), "", "", more),)) if more else chunk


def _message_delta(data: Mapping[str, Any]) -> Chunk:
    reason = _reason(_object(data, "delta"))
    return Chunk(finish_reason=reason, usage=anthropic_usage(data.get("usage")))


def _block_stop(_: Mapping[str, Any]) -> Chunk:
    return Chunk()


def _message_stop(_: Mapping[str, Any]) -> Chunk:
    return Chunk(ends=True)


def _block(block: Mapping[str, Any], index: int | None) -> Chunk:
    """The results of the server's own tools do not count as tokens of the model."""
    chunk = _content(block) if block.get("type") in GENERATED else Chunk()
    if block.get("type") != "tool_use":
        return chunk
    part = CallPart(
        index, _text(block, "id"), _text(block, "name"), arguments_json(block.get("input"))
    )
    return chunk._replace(calls=(part,))


def _index(data: Mapping[str, Any]) -> int | None:
    index = data.get("index")
    return index if type(index) is int else None


def _content(part: Mapping[str, Any]) -> Chunk:
    """A signature, a citation or an empty part carries no token."""
    is_answer = [answer for name, answer in CONTENT.items() if _text(part, name)]
    return Chunk(_text(part, "text"), bool(is_answer), any(is_answer))


def _reason(holder: Mapping[str, Any]) -> str | None:
    reason = _text(holder, "stop_reason")
    return REASONS.get(reason, reason) or None


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


READERS: dict[str, Callable[[Mapping[str, Any]], Chunk]] = {
    "content_block_delta": _block_delta,
    "content_block_start": _block_start,
    "content_block_stop": _block_stop,
    "message_start": _message_start,
    "message_delta": _message_delta,
    "message_stop": _message_stop,
}
