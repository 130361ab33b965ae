"""The JSON Schema of a prompt that is written in a scenario as messages."""

from __future__ import annotations

from typing import Any

from services.ask import dialogue

TEXT = {"type": "string"}
OBJECTS = {"type": "array", "items": {"type": "object"}}
CONTENT = {"type": ["string", "array", "null"], "items": {"type": "object"}}
MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"enum": [*dialogue.ROLES]},
        "content": CONTENT,
        "name": TEXT,
        "tool_calls": OBJECTS,
        "tool_call_id": TEXT,
    },
}
TOOLS = {"tools": OBJECTS, "tool_choice": {"type": ["string", "object"]}}
MESSAGES: dict[str, Any] = {
    "type": "object",
    "required": ["messages"],
    "additionalProperties": False,
    "properties": {"messages": {"type": "array", "items": MESSAGE}, **TOOLS},
}
