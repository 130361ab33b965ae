"""A submission: prompts, and the settings that they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.ask.config import RunConfig
from services.ask.tasks import MAX_SETTINGS, PROMPT_CHARACTERS, InvalidTask, NewTask
from services.ask.tasks.settings import key_of
from services.ask.workloads.entries import Notes, UnusableEntry, prompt_of

Parse = Callable[[Mapping[str, Any]], RunConfig]


@dataclass(frozen=True, slots=True)
class Submission:
    """Tasks, their distinct settings, and the index of each task's settings."""

    tasks: tuple[NewTask, ...]
    configs: tuple[RunConfig, ...]
    which: tuple[int, ...]


def submission(tasks: Sequence[NewTask], parse: Parse) -> Submission:
    """Return what to store for these tasks; `parse` returns the config for given settings.

    Raises:
        InvalidTask: there are too many different settings, or two tasks have one custom_id, by
            which their caller recognizes the answers.
        InvalidConfig, BackendProblem: from `parse`.
    """
    ids = Counter(task.custom_id for task in tasks if task.custom_id is not None)
    if twice := [custom_id for custom_id, count in ids.items() if count > 1]:
        raise InvalidTask(f"custom_id {twice[0][:60]!r} is that of several tasks. Change it.")
    configs: list[RunConfig] = []
    indices: dict[str, int] = {}
    which = []
    for task in tasks:
        key = key_of(task.values)
        if key not in indices:
            if len(indices) == MAX_SETTINGS:
                raise InvalidTask(
                    f"There are more than {MAX_SETTINGS:,} different settings in one batch. Give "
                    "more tasks the same seed and limits, or submit several batches."
                )
            indices[key] = len(configs)
            configs.append(parse(task.values))
        which.append(indices[key])
    return Submission(tuple(tasks), tuple(configs), tuple(which))


def prompt_from(entry: Mapping[str, Any]) -> str:
    """Return the prompt of an entry with `prompt` or `messages`. Raises UnusableEntry."""
    return checked_prompt(prompt_of(dict(entry), Notes()))


def checked_prompt(prompt: str | None) -> str:
    """Return a prompt after checking that it can be sent. Raises UnusableEntry."""
    if prompt is None:
        raise UnusableEntry("has no prompt. Add one.")
    if len(prompt) > PROMPT_CHARACTERS:
        size = f"has a prompt of {len(prompt):,} characters"
        raise UnusableEntry(f"{size}. The limit is {PROMPT_CHARACTERS:,}: shorten it.")
    return prompt
