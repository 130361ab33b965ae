"""A person's own prompts: nobody else's, and in nothing that leaves the database unasked."""

from __future__ import annotations

from typing import Any

from services.ask import dialogue
from services.ask.config import RunConfig


def own_prompts(config: RunConfig) -> tuple[str, ...]:
    """Return the prompts that the person wrote or gave in a file, which are nobody else's."""
    if config.prompt and config.workload == "text":
        return (dialogue.text_of(config.prompt),)
    return tuple(map(dialogue.text_of, config.prompts))


def without_prompts(config: RunConfig) -> dict[str, Any]:
    """Return the config as plain data with the person's own prompts left out, for what leaves
    the database: `prompt` and `prompts` are replaced by how many there were and how long."""
    data = config.model_dump(mode="json")
    del data["prompt"], data["prompts"]
    texts = own_prompts(config)
    data["own_prompts"] = len(texts)
    data["own_prompt_characters"] = sum(map(len, texts))
    return data
