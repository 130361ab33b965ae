"""The body of a request to the Responses API, as one of chat completions: the form that entries and
prompts have. `backends/messages/responses.py` is the other direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.ask.dialogue import Message
from services.ask.workloads.entry_notes import UnusableEntry

Object = dict[str, Any]
STORED = ("previous_response_id", "conversation")  # kept by the server that answered earlier


def is_request(body: Mapping[str, Any]) -> bool:
    """Return whether a body is one of the Responses API."""
    return "input" in body and not body.keys() & {"messages", "prompt"}


def as_chat(body: Mapping[str, Any]) -> Object:
    """Return the body with `messages`, and with tools in the form of chat completions.

    Raises:
        UnusableEntry: a part of it exists only in the Responses API.
    """
    for name in STORED:
        if body.get(name) is not None:
            raise UnusableEntry(
                f'has a "{name}", which only the server knows. Write the earlier messages in '
                '"input".'
            )
    chat = {name: value for name, value in body.items() if name not in ("input", "text")}
    chat["messages"] = [*_instructions(body), *_messages(body["input"])]
    if isinstance(tools := body.get("tools"), list):
        chat["tools"] = list(map(_tool, tools))
    if isinstance(choice := body.get("tool_choice"), dict):
        chat["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    return chat


def _instructions(body: Mapping[str, Any]) -> list[Message]:
    text = body.get("instructions")
    return [{"role": "system", "content": text}] if text else []


def _messages(value: Any) -> list[Message]:
    items = [{"role": "user", "content": value}] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UnusableEntry('has an "input" that is neither text nor a list of messages.')
    messages: list[Message] = []
    for item in items:
        kind = str(item.get("type", "message"))
        if kind == "function_call":
            _add_call(messages, item)
        elif kind in _ITEMS:
            messages.append(_ITEMS[kind](item))
        else:
            raise _only_there("an input item", kind)
    return messages


def _add_call(messages: list[Message], item: Object) -> None:
    """Add a call to the assistant's message before it, or to a new one."""
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    call = {"id": item.get("call_id"), "type": "function", "function": function}
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1]["tool_calls"] = [*messages[-1].get("tool_calls", ()), call]


def _message(item: Object) -> Message:
    own = {name: value for name, value in item.items() if name not in ("type", "id", "status")}
    return {"role": "user", **own, "content": _content(item.get("content"))}


def _result(item: Object) -> Message:
    content = _content(item.get("output"))
    return {"role": "tool", "tool_call_id": item.get("call_id"), "content": content}


def _content(content: Any) -> Any:
    return [_part(part) for part in content] if isinstance(content, list) else content


def _part(part: Any) -> Any:
    if not isinstance(part, dict) or "type" not in part:
        return part  # refused like any other
    kind, fields = part["type"], {n: v for n, v in part.items() if n not in ("type", "annotations")}
    if kind in ("input_text", "output_text"):
        return {**fields, "type": "text"}
    if kind == "input_image":
        if not isinstance(fields.get("image_url"), str):
            raise UnusableEntry(
                'has an image without "image_url". Give its address or a data: URL.'
            )
        detail = {"detail": fields["detail"]} if "detail" in fields else {}
        return {"type": "image_url", "image_url": {"url": fields["image_url"], **detail}}
    if kind == "input_file" and "file_url" not in fields:
        return {"type": "file", "file": fields}
    raise _only_there("a content part", kind)


def _tool(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool  # refused like any other
    if tool.get("type") != "function":
        raise _only_there("a tool", tool.get("type"))
    return {"type": "function", "function": {n: v for n, v in tool.items() if n != "type"}}


def _only_there(what: str, kind: object) -> UnusableEntry:
    return UnusableEntry(
        f'has {what} of the type "{str(kind)[:40]}", which only the Responses API has. Remove it.'
    )


_ITEMS: dict[str, Callable[[Object], Message]] = {
    "message": _message,
    "function_call_output": _result,
}
