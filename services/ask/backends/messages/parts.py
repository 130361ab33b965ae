"""Helpers that the conversions of messages share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from services.ask.dialogue import Message

Fields = dict[str, Any]  # of a request's body
Part = dict[str, Any]
SYSTEM = ("system", "developer")  # roles


class UnsupportedPart(ValueError):
    """An API format does not support a part of a prompt; the message names the part: `an image`."""


def check_keys(message: Message, *allowed: str) -> None:
    """Check that a message has no keys that the format lacks. Raises UnsupportedPart."""
    for key, value in message.items():
        if key not in ("role", "content", *allowed) and value is not None:
            raise UnsupportedPart(f"a message with “{key[:40]}”")


def converted(content: Any, write: Callable[[Part], Part]) -> Any:
    """Return a content with each of its parts converted; text stays text."""
    if content is None or isinstance(content, str):
        return content
    return [write(part) for part in content]


def joined(content: Any) -> str:
    """Return a content as one text, for fields that accept only text."""
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if not isinstance(part.get("text"), str):
            raise refusal(part)
    return "\n".join(part["text"] for part in content)


def refusal(part: Part) -> UnsupportedPart:
    """Return the problem of a part that the format does not support."""
    return UnsupportedPart(f"a part of the type “{str(part.get('type'))[:40]}”")


def image_url(part: Part) -> str:
    """Return the address of an image, which may be a `data:` URL."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise UnsupportedPart("an image without a URL")
    return url


def data_of(url: str) -> tuple[str, str] | None:
    """Return the media type and the base64 data of a `data:` URL; None for another address."""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        return None
    return head.removeprefix("data:").removesuffix(";base64"), data


def call_of(call: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the id, the name and the arguments (JSON) of a tool call."""
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise UnsupportedPart("a tool call that does not call a function")
    arguments = function.get("arguments", "")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return str(call.get("id", "")), function["name"], arguments


def arguments_object(arguments: str) -> dict[str, Any]:
    """Return a call's arguments as an object."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UnsupportedPart("a tool call whose arguments are not a JSON object")
    return value


def function_of(tool: Any) -> dict[str, Any]:
    """Return the function of a tool."""
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise UnsupportedPart("a tool that is not a function")
    return function


def chosen_function(choice: Any) -> str:
    """Return the name of the function that a `tool_choice` requires."""
    try:
        return function_of(choice)["name"]  # type: ignore[no-any-return]
    except UnsupportedPart:
        raise UnsupportedPart("a tool_choice of an unknown kind") from None
