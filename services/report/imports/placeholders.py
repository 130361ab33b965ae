"""Placeholders for the custom prompts of an imported run, which are never exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.ask import dialogue
from services.ask.config import MAX_PROMPTS
from services.ask.dialogue import Turn
from services.ask.workloads.lines import MAX_FILE_BYTES
from services.report.imports import fields

MAX_TURNS = 200_000  # of all prompts: a turn has a few dozen bytes in a prompt file
LONGEST = 200_000


def prompts_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the placeholders of a run's config: the number and the length of its prompts are kept,
    and how many turns each has."""
    workload = config.get("workload")
    length = fields.count(config.get("own_prompt_characters")) or 1
    length = length if length <= MAX_FILE_BYTES else 1
    if workload == "text" and not config.get("prompt"):
        return {"prompt": "…" * max(1, min(length, LONGEST))}
    if workload == "file" and not config.get("prompts"):
        number = min(fields.count(config.get("own_prompts")) or 1, MAX_PROMPTS)
        each, more = divmod(max(length, number), number)
        turns = _turns(config.get("own_prompt_turns"), number)
        return {
            "prompts": tuple(
                _placeholder(min(each + (i < more), LONGEST), turns[i]) for i in range(number)
            )
        }
    return {}


def sessions_of_turns(turns: Sequence[int]) -> dict[str, Any]:
    """Return the fields of a config whose requests are sessions with so many turns; {} if none has
    several, or if they have more turns than a prompt file can contain."""
    if max(turns, default=1) == 1 or len(turns) > MAX_PROMPTS or sum(turns) > MAX_TURNS:
        return {}
    return {"workload": "file", "prompts": tuple(_placeholder(1, count) for count in turns)}


def _turns(given: Any, number: int) -> list[int]:
    """Return how many turns each of so many prompts has; 1 if the file does not say, or says more
    than a prompt file can contain."""
    turns = [fields.count(each) or 0 for each in fields.as_list(given)]
    if len(turns) != number or min(turns) < 1 or sum(turns) > MAX_TURNS:
        return [1] * number
    return turns


def _placeholder(length: int, turns: int) -> str:
    """Return a prompt without a text of its own, of about this length."""
    if turns == 1:
        return "…" * length
    later = Turn([_message("assistant", ""), _message("user", "")])
    rest = max(1, length - len("\n\n" * 2) * (turns - 1))  # the texts are counted with line breaks
    return dialogue.to_session([Turn([_message("user", "…" * rest)]), *[later] * (turns - 1)])


def _message(role: str, content: str) -> dialogue.Message:
    return {"role": role, "content": content}
