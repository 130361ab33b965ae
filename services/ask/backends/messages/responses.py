"""Messages as the input items of the Responses API, in which calls and results are items, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.ask.backends.messages.parts import (
    Fields,
    Part,
    call_of,
    check_keys,
    chosen_function,
    converted,
    function_of,
    image_url,
    joined,
    refusal,
)
from services.ask.dialogue import Message


def fields(messages: list[Message], options: Mapping[str, Any]) -> Fields:
    """Return `input`, and `tools` and `tool_choice` if the prompt has them."""
    written: Fields = {"input": [item for message in messages for item in _items(message)]}
    if options.get("tools") is not None:
        written["tools"] = [{"type": "function", **function_of(t)} for t in options["tools"]]
    if (choice := options.get("tool_choice")) is not None:
        by_name = not isinstance(choice, str)
        written["tool_choice"] = (
            {"type": "function", "name": chosen_function(choice)} if by_name else choice
        )
    return written


def _items(message: Message) -> Iterator[dict[str, Any]]:
    role, content = message["role"], message.get("content")
    if role == "tool":
        check_keys(message, "tool_call_id")
        output = joined(content)
        yield {
            "type": "function_call_output",
            "call_id": message["tool_call_id"],
            "output": output,
        }
        return
    check_keys(message, "tool_calls")
    if content:
        answered = role == "assistant"
        yield {
            "role": role,
            "content": converted(content, _answered_part if answered else _input_part),
        }
    for call in message.get("tool_calls") or ():
        identity, name, arguments = call_of(call)
        yield {
            "type": "function_call",
            "call_id": identity,
            "name": name,
            "arguments": arguments,
        }


def _answered_part(part: Part) -> Part:
    if part["type"] in ("text", "output_text"):
        return {**part, "type": "output_text"}
    raise refusal(part)


def _input_part(part: Part) -> Part:
    if part["type"] in ("text", "input_text"):
        return {**part, "type": "input_text"}
    if part["type"] == "image_url":
        image = part["image_url"]
        detail = (
            {"detail": image["detail"]} if isinstance(image, dict) and "detail" in image else {}
        )
        return {"type": "input_image", "image_url": image_url(part), **detail}
    if part["type"] == "file" and isinstance(part.get("file"), dict):
        return {"type": "input_file", **part["file"]}
    if part["type"] in ("input_image", "input_file"):
        return part
    raise refusal(part)
