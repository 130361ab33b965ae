"""Messages of an entry, checked and otherwise as they are: roles, content parts, tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from services.ask import dialogue
from services.ask.dialogue import Message
from services.ask.workloads.entry_notes import Notes, UnusableEntry

FIELDS = ("role", "content", "name", "tool_calls", "tool_call_id")  # of a message
ADDRESSES = ("data:", "http://", "https://")  # of images
DEEPEST = 40  # levels of objects and lists: what any tool's schema needs
NO_MESSAGES = 'has "messages" that are not objects with a "content".'


def messages(value: Any, notes: Notes) -> list[Message]:
    """Return the messages of an entry, without an answer at the end.

    Raises:
        UnusableEntry: they cannot be sent.
    """
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise UnusableEntry(NO_MESSAGES)
    prompt_messages = [message(entry, notes) for entry in value]
    while len(prompt_messages) > 1 and prompt_messages[-1]["role"] == "assistant":
        prompt_messages.pop()
        notes.answers += 1
    if not any(map(_says_something, prompt_messages)):
        raise UnusableEntry("has an empty prompt. Write it, or remove the line.")
    check_values(prompt_messages)
    return prompt_messages


def message(entry: Mapping[str, Any], notes: Notes) -> Message:
    """Return one message with the FIELDS that it has."""
    role, content = entry.get("role", "user"), entry.get("content")
    if role not in dialogue.ROLES:
        raise UnusableEntry(
            f'has a message of the role "{str(role)[:40]}". '
            f"Supported roles: {', '.join(dialogue.ROLES)}."
        )
    if isinstance(content, list):
        content = parts(content)
    others = {name: entry[name] for name in FIELDS[2:] if entry.get(name) is not None}
    notes.keys.update(k for k, v in entry.items() if k not in FIELDS and v not in (None, [], ""))
    made: Message = {"role": role, "content": content, **others}
    if not dialogue.is_message(made):
        raise UnusableEntry(_problem(made))
    return made


def parts(content: list[Any]) -> list[dict[str, Any]]:
    """Return the parts of a content, each an object with its type."""
    typed_parts = []
    for part in content:
        if isinstance(part, str):
            typed_parts.append({"type": "text", "text": part})
        elif isinstance(part, dict) and isinstance(part.get("type"), str):
            typed_parts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            typed_parts.append({"type": "text", **part})
        else:
            raise UnusableEntry(
                "has a part that is not an object with a type. Correct or remove it."
            )
    return typed_parts


def options(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tools of an entry, which are sent in addition to its prompt."""
    tool_options = {n: entry[n] for n in dialogue.OPTIONS if entry.get(n) not in (None, [])}
    tools = tool_options.get("tools", [])
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise UnusableEntry('has "tools" that are not a list of objects. Correct or remove them.')
    if not isinstance(tool_options.get("tool_choice", ""), str | dict):
        raise UnusableEntry('has a "tool_choice" that is neither text nor an object. Remove it.')
    check_values(tool_options)
    return tool_options


def images(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the images of an entry (aiperf's `images`) as parts. Files are not read, because a
    prompt file from someone else could name any file."""
    given = entry.get("images") or entry.get("image") or []
    urls = given if isinstance(given, list) else [given]
    if not all(isinstance(url, str) and url.startswith(ADDRESSES) for url in urls):
        raise UnusableEntry(
            "has an image that is neither a data: URL nor an http address. Give one."
        )
    check_values(urls)
    return [{"type": "image_url", "image_url": {"url": url}} for url in urls]


def with_images(found: list[Message], shown: list[dict[str, Any]]) -> list[Message]:
    """Return messages with images added to the last one."""
    *before, last = found
    content = last["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    return [*before, {**last, "content": [*parts, *shown]}]


def check_values(value: Any, depth: int = 0) -> None:
    """Check that a value can be sent and stored. Raises UnusableEntry."""
    if isinstance(value, str):
        check_characters(value)
    elif isinstance(value, float) and not isfinite(value):
        raise UnusableEntry("has a number that is not finite. Correct it.")
    elif isinstance(value, dict | list):
        if depth > DEEPEST:
            raise UnusableEntry("is nested too deeply. Give the prompt itself.")
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            check_values(item, depth + 1)


def checked_text(value: Any) -> str:
    """Return the text of a prompt after checking that it can be sent. Raises UnusableEntry."""
    if not isinstance(value, str):
        raise UnusableEntry("has a prompt that is not text. Put it in quotes.")
    if not value.strip():
        raise UnusableEntry("has an empty prompt. Write it, or remove the line.")
    check_characters(value)
    return value


def check_characters(text: str) -> None:
    """Check that a text has no characters that cannot be sent or stored. Raises UnusableEntry."""
    if "\0" in text or text.startswith(dialogue.MARK[0]) or re.search("[\ud800-\udfff]", text):
        raise UnusableEntry("has a prompt with a character that cannot be sent. Remove it.")


def _says_something(made: Message) -> bool:
    others = isinstance(made["content"], list) and any(
        "text" not in part for part in made["content"]
    )
    return others or any(text.strip() for text in dialogue.texts_in(made))


def _problem(made: Message) -> str:
    if made["role"] == "tool" and not isinstance(made.get("tool_call_id"), str):
        return 'has a message of the role "tool" without "tool_call_id". Add it.'
    if "tool_calls" in made:
        return 'has "tool_calls" that are not a list of an assistant\'s calls.'
    return NO_MESSAGES
