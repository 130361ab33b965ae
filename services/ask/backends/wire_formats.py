"""The URL and the body of a request, for each wire format.

Fields at their defaults are not sent, since some servers reject them: top-p, seed and ignore_eos
only if they are set. The temperature defaults to 0, so that answers have the same length each time;
none is sent to OpenAI, whose newest models reject all but their own.

Most servers use OpenAI's format. So does Ollama below /v1, but only its own format reports token
counts and accepts a context length: that one is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from services.ask.backends import BACKENDS, Target
from services.ask.config import RunConfig
from services.ask.dialogue import messages_of, text_of

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """`path` is relative to the base URL without `dropped_suffix`."""

    path: str
    dropped_suffix: str
    body: Callable[[RunConfig, Target, str], Body]


def chat_url(target: Target) -> str:
    """Return the URL to send requests to."""
    dialect = _dialect(target)
    root = target.at((target.base_url or "").removesuffix(dialect.dropped_suffix))
    if target.endpoint:
        root, path = target.at(_server(target)), target.endpoint
    else:
        path = dialect.path
    return replace(root, query=target.query).url(path)


def body(config: RunConfig, target: Target, prompt: str) -> Body:
    """Return the body of a request with `prompt`, with the extra fields last and without the
    omitted ones."""
    fields = _dialect(target).body(config, target, prompt)
    wanted = {name: value for name, value in fields.items() if value is not None}
    if not config.extra_body:
        return wanted
    if target.client == "litellm":  # at the top level they would be LiteLLM's own arguments:
        return {**wanted, "extra_body": config.extra_body}  # whom to ask, with which key
    return {**wanted, **config.extra_body}


def _server(target: Target) -> str:
    parts = urlsplit(target.base_url or "")
    return f"{parts.scheme}://{parts.netloc}"


def _dialect(target: Target) -> Dialect:
    """Return the wire format: OpenAI's for LiteLLM, and OpenAI's chat or text completions where the
    address names the endpoint."""
    if target.client != "wire":
        return DIALECTS["openai"]
    if target.endpoint:
        chat = target.endpoint.endswith(DIALECTS["openai"].path)
        return DIALECTS["openai" if chat else "completions"]
    return DIALECTS[BACKENDS[target.backend].dialect]


def _openai(config: RunConfig, target: Target, prompt: str) -> Body:
    return {
        "model": target.model,
        "messages": messages_of(prompt),
        **_shared_fields(config, target),
    }


def _completions(config: RunConfig, target: Target, prompt: str) -> Body:
    """The plain text, for models without a chat template."""
    return {"model": target.model, "prompt": text_of(prompt), **_shared_fields(config, target)}


def _shared_fields(config: RunConfig, target: Target) -> Body:
    """Fields of both OpenAI formats. Its newer models require `max_completion_tokens`."""
    newer = "max_completion_tokens" if target.backend == "openai" else "max_tokens"
    return {
        "stream": True,
        "stream_options": _unless_omitted("stream_options", config, {"include_usage": True}),
        config.max_tokens_field or newer: _unless_omitted("max_tokens", config, config.max_tokens),
        "temperature": config.sent_temperature,
        "top_p": config.sent_top_p,
        "seed": config.seed,
        "ignore_eos": config.ignore_eos or None,
    }


def _unless_omitted(name: str, config: RunConfig, value: Any) -> Any:
    return None if name in config.omit else value


def _ollama(config: RunConfig, target: Target, prompt: str) -> Body:
    options = {
        "num_predict": _unless_omitted("max_tokens", config, config.max_tokens),
        "temperature": config.sent_temperature,
        "top_p": config.sent_top_p,
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
    "completions": Dialect("/completions", "", _completions),
    "ollama": Dialect("/api/chat", "/v1", _ollama),
}
