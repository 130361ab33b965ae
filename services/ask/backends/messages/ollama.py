"""Messages in Ollama's format: texts with images next to them, and calls with arguments as
objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask.backends.messages.parts import (
    Fields,
    Part,
    UnsupportedPart,
    arguments_object,
    call_of,
    check_keys,
    data_of,
    image_url,
    joined,
)
from services.ask.dialogue import Message


def fields(messages: list[Message], options: Mapping[str, Any]) -> Fields:
    """Return `messages`, and `tools` if the prompt has them."""
    if options.get("tool_choice") not in (None, "auto"):
        raise UnsupportedPart("a tool_choice")
    names = {
        identity: name
        for message in messages
        for identity, name, _ in map(call_of, message.get("tool_calls") or ())
    }
    written: Fields = {"messages": [_message(message, names) for message in messages]}
    if options.get("tools") is not None:
        written["tools"] = options["tools"]
    return written


def _message(message: Message, names: Mapping[str, str]) -> Message:
    check_keys(message, "tool_calls", "tool_call_id")
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    images = [_image(part) for part in parts if part["type"] == "image_url"]
    text = joined([part for part in parts if part["type"] != "image_url"] if parts else content)
    written: Message = {"role": message["role"], "content": text}
    if images:
        written["images"] = images
    if calls := message.get("tool_calls"):
        written["tool_calls"] = [_call(call) for call in calls]
    if message["role"] == "tool" and message["tool_call_id"] in names:
        written["tool_name"] = names[message["tool_call_id"]]
    return written


def _image(part: Part) -> str:
    data = data_of(image_url(part))
    if data is None:
        raise UnsupportedPart("an image that is not in the prompt itself (data:…;base64,…)")
    return data[1]


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    _, name, arguments = call_of(call)
    return {"function": {"name": name, "arguments": arguments_object(arguments)}}
