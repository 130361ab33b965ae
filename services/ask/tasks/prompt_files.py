"""Tasks from any file of prompts: OpenAI's batch files, and those that runs take."""

from __future__ import annotations

import json
from typing import Any

from services.ask.conversation import is_session
from services.ask.tasks import NewTask, openai_batch
from services.ask.workloads.lines import InvalidFile, check_size, decoded, lines
from services.ask.workloads.promptfile import PromptFile, read_file
from services.base.units import many


def read(data: bytes, name: str) -> list[NewTask]:
    """Return the tasks of a file; those of OpenAI's batch format with their own ids and settings.

    Raises:
        InvalidFile: the message names the file, and says what is wrong and what to do.
    """
    check_size(data, name)
    if _is_openai_batch(decoded(data, name, [])):
        return openai_batch.read(data, name)
    return _tasks(read_file(data, name), name)


def of_lines(text: str) -> list[NewTask]:
    """Return a task for each line that is not empty."""
    return [NewTask(line.strip(), {}) for line in lines(text) if line.strip()]


def _is_openai_batch(text: str) -> bool:
    first: Any = next((line for line in lines(text) if line.strip()), "")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("body"), dict)


def _tasks(file: PromptFile, name: str) -> list[NewTask]:
    if sessions := sum(map(is_session, file.prompts)):
        raise InvalidFile(
            f"{name} has {many(sessions, 'conversation')} of several turns, but a task is a single "
            "request. End each with its last user message, or measure the file with a run."
        )
    limits = file.max_tokens or (0,) * len(file.prompts)
    return [
        NewTask(prompt, {"max_tokens": limit} if limit else {})
        for prompt, limit in zip(file.prompts, limits, strict=True)
    ]
