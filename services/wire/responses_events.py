"""Read one event of OpenAI's Responses API: `response.output_text.delta`, `response.completed` …

Each event has a type. The text comes in deltas, and again as a whole in the events that end its
part, its item and the response: only the deltas count as arrivals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.wire.content import Chunk
from services.wire.message import message_of_json
from services.wire.phases import phases_of
from services.wire.tool_calls import CallPart
from services.wire.usage import usage_of

PREFIX = "response."
TEXTS = frozenset(
    {"response.output_text.delta", "response.refusal.delta", "response.audio.transcript.delta"}
)
ARGUMENTS = "response.function_call_arguments.delta"
REASONING = "response.reasoning"  # the beginning of the types of its deltas
ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
FAILED = ("failed", "cancelled")  # a response's status
REASONS = {"max_output_tokens": "length", "max_tokens": "length"}  # as in chat completions


def read_response_event(kind: str, data: Mapping[str, Any]) -> Chunk:
    """Read an event of this type; the result is empty for those without a token, an end or an
    error."""
    if kind in ENDS:
        return _end(kind, data)
    if kind == "response.output_item.added" and _is_call(data.get("item")):
        calls = _calls([data["item"]], _index(data))  # a tool's name is generated, too
        return Chunk("", True, True, calls=calls)
    if kind == "response.image_generation_call.partial_image":
        return Chunk("", True, True)
    delta = data.get("delta") if kind.endswith(".delta") else None
    if not delta:
        return Chunk()
    if kind == ARGUMENTS and isinstance(delta, str):
        return Chunk("", True, True, calls=(CallPart(_index(data), "", "", delta),))
    if kind in TEXTS and isinstance(delta, str):
        return Chunk(delta, True, True)
    return Chunk("", True, not kind.startswith(REASONING))


def read_response(response: Mapping[str, Any]) -> Chunk:
    """Read a whole response, from the end of a stream or in place of one."""
    status = response.get("status")
    if status in FAILED or response.get("error"):
        return Chunk(error=message_of_json(response.get("error")) or "the response failed")
    output = response.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    text = "".join(_texts(items))
    has_call = any(map(_is_call, items))
    has_reasoning = any(item.get("type") == "reasoning" and _holds_text(item) for item in items)
    return Chunk(
        text,
        has_token=bool(text) or has_call or has_reasoning,
        has_answer=bool(text) or has_call,
        finish_reason=_reason(response) or ("tool_calls" if has_call else "stop"),
        usage=usage_of(response.get("usage")),
        phases=phases_of(response),
        whole=True,
        ends=True,
        calls=_calls(items),
    )


def _end(kind: str, data: Mapping[str, Any]) -> Chunk:
    response = data.get("response")
    known = response if isinstance(response, dict) else {}
    return read_response({**known, "status": kind.removeprefix(PREFIX)})


def _reason(response: Mapping[str, Any]) -> str | None:
    """Why a response is incomplete; None if it is complete."""
    if response.get("status") != "incomplete":
        return None
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return REASONS.get(reason, reason) if isinstance(reason, str) else "incomplete"


def _texts(items: list[dict[str, Any]]) -> Iterator[str]:
    for item in items:
        content = item.get("content")
        if item.get("type") == "message" and isinstance(content, list):
            for part in content:
                for name in ("text", "refusal"):
                    if isinstance(part, dict) and isinstance(part.get(name), str):
                        yield part[name]


def _holds_text(item: Mapping[str, Any]) -> bool:
    parts = (item.get("content"), item.get("summary"))
    return any(isinstance(part, list) and bool(part) for part in parts)


def _is_call(item: Any) -> bool:
    """Whether an item is a tool call with its name."""
    if not isinstance(item, dict):
        return False
    return str(item.get("type")).endswith("_call") and bool(item.get("name"))


def _calls(items: list[dict[str, Any]], index: int | None = None) -> tuple[CallPart, ...]:
    """The function calls among items; `index`: their index in the output, if known."""
    return tuple(
        CallPart(index, *(str(item.get(name) or "") for name in ("call_id", "name", "arguments")))
        for item in items
        if item.get("type") == "function_call"
    )


def _index(data: Mapping[str, Any]) -> int | None:
    index = data.get("output_index")
    return index if type(index) is int else None
