"""A user's own prompts in a scenario: written in it, in a file next to it, or left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ask import about, dialogue
from services.ask.config import RunConfig
from services.ask.own_prompts import own_prompts
from services.ask.workloads.entries import Notes, UnusableEntry, limit_of, prompt_of
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
        each = [
            (entry, (*location, "prompts", index)) for index, entry in enumerate(own["prompts"])
        ]
        texts = [_of_entry(document, entry, *where) for entry, where in each]
        limits = [_limit(document, entry, *where) for entry, where in each]
        pairs = [(text, own) for text, own in zip(texts, limits, strict=True) if text is not None]
        own["prompts"] = [text for text, _ in pairs]
        if any(limits):
            own["prompt_max_tokens"] = [limit for _, limit in pairs]
    return own


def _of_entry(document: Document, entry: Any, *location: str | int) -> Any:
    """A prompt, which may be written like an entry of a prompt file: `messages`."""
    if not isinstance(entry, dict):
        return entry
    try:
        return prompt_of(entry, Notes())
    except (UnusableEntry, RecursionError) as error:
        sentence = str(error) if isinstance(error, UnusableEntry) else "is nested too deeply."
        raise document.problem(f"The prompt {sentence}", *location) from None


def _limit(document: Document, entry: Any, *location: str | int) -> int:
    try:
        return limit_of(entry)
    except UnusableEntry as error:
        raise document.problem(f"The prompt {error}", *location) from None


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
