"""Tool calls in an answer: pieces in any API format, assembled in OpenAI's.

https://platform.openai.com/docs/guides/function-calling#streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class CallPart(NamedTuple):
    """A piece of a tool call. `call_index`: which of the answer's calls it belongs to; None: it is
    a whole call or, without a name, continues the last one."""

    call_index: int | None
    id: str
    name: str
    arguments: str


class ToolCalls:
    """The calls of one answer, while it arrives."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def add(self, parts: Iterable[CallPart]) -> None:
        """Add pieces in the order in which they arrived."""
        for part in parts:
            call = self._of(part)
            if call is not None:
                call.id, call.name = call.id or part.id, call.name or part.name
                call.arguments.append(part.arguments)

    def whole(self) -> list[dict[str, Any]]:
        """Return the calls in the format of a chat completions message."""
        return [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.arguments)},
            }
            for call in self._calls
        ]

    def _of(self, part: CallPart) -> _Call | None:
        """The call that a piece belongs to: a new one if it has a name and another id, since some
        servers give every call the index 0. Arguments of an unknown call are left out."""
        last = self._calls[-1] if self._calls else None
        call = last if part.call_index is None else self._by_index.get(part.call_index)
        if part.name and (
            call is None or part.call_index is None or (part.id and part.id != call.id)
        ):
            call = _Call()
            self._calls.append(call)
            if part.call_index is not None:
                self._by_index[part.call_index] = call
        return call


class _Call:
    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []


def chat_parts(calls: Any) -> tuple[CallPart, ...]:
    """Return the pieces in `tool_calls` of chat completions, or of Ollama's chat."""
    known = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return tuple(_chat_part(call) for call in known if isinstance(call.get("function"), dict))


def _chat_part(call: Mapping[str, Any]) -> CallPart:
    function = call["function"]
    index = call.get("index")
    return CallPart(
        index if type(index) is int else None,
        _text(call.get("id")),
        _text(function.get("name")),
        arguments_json(function.get("arguments")),
    )


def arguments_json(arguments: Any) -> str:
    """Return arguments as JSON text; "" if there are none yet."""
    if isinstance(arguments, str):
        return arguments
    return json.dumps(arguments, ensure_ascii=False) if arguments else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
