"""How a chat completion is asked for: where, and in which words. One entry for each wire format.

Most servers speak OpenAI's. Ollama speaks it too, under /v1, but says how many tokens it counted
only at the end of its own, and takes the context's length only there: so that is what is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.backends import BACKENDS, Target
from services.config import RunConfig
from services.dialogue import messages_of

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """`path` is below the base URL without `under`."""

    path: str
    under: str
    body: Callable[[RunConfig, Target, str], Body]


def chat_url(target: Target) -> str:
    """Return the address that chat completions are asked of."""
    dialect = _dialect(target)
    return f"{(target.base_url or '').removesuffix(dialect.under)}{dialect.path}"


def body(config: RunConfig, target: Target, prompt: str) -> Body:
    """Build the chat completion that asks `prompt`."""
    return _dialect(target).body(config, target, prompt)


def _dialect(target: Target) -> Dialect:
    """LiteLLM is given OpenAI's words for everybody."""
    own = BACKENDS[target.backend].dialect if target.client == "wire" else "openai"
    return DIALECTS[own]


def _openai(config: RunConfig, target: Target, prompt: str) -> Body:
    """OpenAI's newer models want `max_completion_tokens`, and refuse a temperature or top-p even at
    the API's own default of 1: there, and only there, a 1 is left out. An engine may have another
    default (vLLM takes the model's), so everybody else is told."""
    openai = target.backend == "openai"
    asked: Body = {
        "model": target.model,
        "messages": messages_of(prompt),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens" if openai else "max_tokens": config.max_tokens,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "seed": config.seed,
        "ignore_eos": config.ignore_eos or None,
    }
    for name in ("temperature", "top_p"):
        if openai and asked[name] == 1:
            asked[name] = None
    return {name: value for name, value in asked.items() if value is not None}


def _ollama(config: RunConfig, target: Target, prompt: str) -> Body:
    options = {
        "num_predict": config.max_tokens,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "seed": config.seed,
    }
    return {
        "model": target.model,
        "messages": messages_of(prompt),
        "stream": True,
        "options": {name: value for name, value in options.items() if value is not None},
    }


DIALECTS: dict[str, Dialect] = {
    "openai": Dialect("/chat/completions", "", _openai),
    "ollama": Dialect("/api/chat", "/v1", _ollama),
}
