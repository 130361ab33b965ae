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
SAID = {"messages": {"type": "array", "items": MESSAGE}}
TURN = {
    "type": "object",
    "required": ["messages"],
    "properties": {**SAID, "delay": {"type": "number", "minimum": 0, "description": "In ms"}},
}
MESSAGES: dict[str, Any] = {
    "type": "object",
    "oneOf": [{"required": ["messages"]}, {"required": ["turns"]}],
    "additionalProperties": False,
    "properties": {**SAID, "turns": {"type": "array", "items": TURN}, **TOOLS},
}
