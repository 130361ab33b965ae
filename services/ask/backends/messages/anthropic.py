"""Messages in Anthropic's format: system texts are separate, calls and results are blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask.backends.messages.parts import (
    SYSTEM,
    Fields,
    Part,
    UnsupportedPart,
    arguments_object,
    call_of,
    check_keys,
    chosen_function,
    converted,
    data_of,
    function_of,
    image_url,
    joined,
    refusal,
)
from services.ask.dialogue import Message

CHOICES = {"auto": "auto", "required": "any", "none": "none"}
OWN = ("text", "image", "document", "tool_use", "tool_result", "thinking")  # types of its blocks


def fields(messages: list[Message], options: Mapping[str, Any]) -> Fields:
    """Return `system` and `messages`, and `tools` and `tool_choice` if the prompt has them."""
    system = [joined(each["content"]) for each in messages if each["role"] in SYSTEM]
    written: Fields = {
        "system": "\n\n".join(system) or None,
        "messages": _merged([_message(each) for each in messages if each["role"] not in SYSTEM]),
    }
    if options.get("tools") is not None:
        written["tools"] = [_tool(function_of(tool)) for tool in options["tools"]]
    if (choice := options.get("tool_choice")) is not None:
        written["tool_choice"] = _choice(choice)
    return written


def _message(message: Message) -> Message:
    if message["role"] == "tool":
        check_keys(message, "tool_call_id")
        result = converted(message["content"], _block)
        block = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": result}
        return {"role": "user", "content": [block]}
    check_keys(message, "tool_calls")
    content = converted(message.get("content"), _block)
    calls = [_use(call) for call in message.get("tool_calls") or ()]
    if not calls:
        return {"role": message["role"], "content": content}
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    return {
        "role": message["role"],
        "content": [*(b for b in parts if b.get("text") != ""), *calls],
    }


def _merged(messages: list[Message]) -> list[Message]:
    """The results of several calls belong in one message, together with the user's next text."""
    merged: list[Message] = []
    for message in messages:
        before = merged[-1] if merged else None
        if before and message["role"] == before["role"] == "user" and _has_result(before):
            before["content"] = [*before["content"], *_blocks(message["content"])]
        else:
            merged.append(message)
    return merged


def _has_result(message: Message) -> bool:
    return isinstance(message["content"], list) and any(
        block["type"] == "tool_result" for block in message["content"]
    )


def _blocks(content: Any) -> list[Part]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _block(part: Part) -> Part:
    if part["type"] in OWN:
        return part
    if part["type"] != "image_url":
        raise refusal(part)
    url = image_url(part)
    if data := data_of(url):
        kind, encoded = data
        return {
            "type": "image",
            "source": {"type": "base64", "media_type": kind, "data": encoded},
        }
    return {"type": "image", "source": {"type": "url", "url": url}}


def _use(call: Mapping[str, Any]) -> Part:
    identity, name, arguments = call_of(call)
    return {"type": "tool_use", "id": identity, "name": name, "input": arguments_object(arguments)}


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    about = {"description": function["description"]} if "description" in function else {}
    return {"name": function["name"], **about, "input_schema": schema}


def _choice(choice: Any) -> dict[str, Any]:
    if not isinstance(choice, str):
        return {"type": "tool", "name": chosen_function(choice)}
    if choice not in CHOICES:
        raise UnsupportedPart("a tool_choice of an unknown kind")
    return {"type": CHOICES[choice]}
