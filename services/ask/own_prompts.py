"""The user's own prompts, which are private and leave the database only on request."""

from __future__ import annotations

from typing import Any

from services.ask import about, dialogue
from services.ask.config import RunConfig
from services.ask.sessions import sessions_of
from services.base.units import many

BULKY = about.names(RunConfig, lambda known: known.bulky)


def own_prompts(config: RunConfig) -> tuple[str, ...]:
    """Return the prompts that the user typed or uploaded."""
    if config.prompt and config.workload == "text":
        return (dialogue.all_text_of(config.prompt),)
    return tuple(map(dialogue.all_text_of, config.prompts))


def without_prompts(config: RunConfig) -> dict[str, Any]:
    """Return the config as plain data for use outside the database, with `prompt` and `prompts`
    replaced by the number and total length of the custom prompts, and the number of turns of each
    if some are sessions."""
    data = config.model_dump(mode="json")
    del data["prompt"], data["prompts"]
    texts = own_prompts(config)
    data["own_prompts"] = len(texts)
    data["own_prompt_characters"] = sum(map(len, texts))
    sessions = sessions_of(config) if config.prompts else None
    data["own_prompt_turns"] = list(map(len, sessions.delays_s)) if sessions else []
    return data


def summarized(config: RunConfig) -> dict[str, Any]:
    """Return the config without prompts, for tables: only how many there are, if any. Large or
    private fields, such as a trace, are replaced by the number of their values."""
    data = without_prompts(config)
    del data["own_prompt_turns"]
    if not data["own_prompts"]:
        del data["own_prompts"], data["own_prompt_characters"]
    return data | {name: many(len(data[name]), "value") for name in BULKY if data[name]}
