"""A user's own prompts in a scenario: written in it, in a file next to it, or left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask import about, dialogue
from services.ask.config import RunConfig
from services.ask.own_prompts import own_prompts
from services.ask.workloads import spread_sessions
from services.ask.workloads.entries import Notes, UnusableEntry, limit_of, prompt_of
from services.ask.workloads.spread_sessions import Entry, entry_of
from services.base.units import many
from services.report.scenario import files
from services.report.scenario.document import Document
from services.report.scenario.files import ReadFile as ReadFile
from services.report.scenario.keys import PROMPTS_FILE

PRIVATE = about.names(RunConfig, lambda known: known.private)


def filled(
    document: Document, values: Mapping[str, Any], read: ReadFile | None, *location: str | int
) -> dict[str, Any]:
    """Return the values of a run with its prompts as in a config, and with the contents of the
    files that it names; see `files.read_files`.

    Raises:
        InvalidScenario: a file cannot be read, or contains no valid prompts.
    """
    written = isinstance(values.get("prompts"), list)
    own = files.read_files(document, values, read, *location)
    if written:
        found = (
            _entry_of(document, value, *location, "prompts", index)
            for index, value in enumerate(own["prompts"])
        )
        entries = spread_sessions.joined(entry for entry in found if entry is not None)
        own["prompts"] = [entry.prompt for entry in entries]
        if any(entry.limit for entry in entries):
            own["prompt_max_tokens"] = [entry.limit for entry in entries]
    return own


def _entry_of(document: Document, value: Any, *location: str | int) -> Entry | None:
    """A prompt, which may be written like an entry of a prompt file: `messages`, `session_id`."""
    if not isinstance(value, dict):
        return Entry(value)
    try:
        prompt = prompt_of(value, Notes())
        return None if prompt is None else entry_of(value, prompt, limit_of(value))
    except (UnusableEntry, RecursionError) as error:
        sentence = str(error) if isinstance(error, UnusableEntry) else "is nested too deeply."
        raise document.problem(f"The prompt {sentence}", *location) from None


def prompt_values(prompts: tuple[str, ...]) -> list[Any]:
    """Return prompts as a scenario contains them: those of several messages as messages."""
    return [_entry(prompt) for prompt in prompts]


def _entry(prompt: str) -> Any:
    if not prompt.startswith(dialogue.MARK):
        return prompt
    turns = dialogue.turns_of(prompt)
    texts = {"messages": turns[0].messages} if len(turns) == 1 else {"turns": [*map(_turn, turns)]}
    entry = {**texts, **dialogue.options_of(prompt)}
    return entry if prompt_of(entry, Notes()) == prompt else prompt


def _turn(turn: dialogue.Turn) -> dict[str, Any]:
    delay = {} if turn.delay_s is None else {"delay": turn.delay_s * 1000}
    return {"messages": turn.messages, **delay}


def left_out(config: RunConfig) -> str:
    """Return the comment of a scenario whose run's prompts are left out."""
    texts = many(len(own_prompts(config)), "prompt")
    name = "prompt" if config.workload == "text" else "prompts"
    instead = "" if name == "prompt" else f", or a {PROMPTS_FILE} beside this file"
    return f"Left out: {texts} of your own. Add {name}{instead}."
