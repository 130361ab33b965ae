"""The URL, the headers and the body of a request, in each dialect.

Fields at their defaults are not sent, since some servers reject them: top-p, seed and ignore_eos
only if they are set. The temperature defaults to 0, so that answers have the same length each time;
none is sent to OpenAI, whose newest models reject all but their own.

Ollama offers OpenAI's formats below /v1, too, but only its own reports token counts and accepts a
context length: that one is used unless a run chooses another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from services.ask.backends import Target, messages
from services.ask.backends.dialects import DIALECTS
from services.ask.config import DialectName, RunConfig

Body = dict[str, Any]


def chat_url(target: Target) -> str:
    """Return the URL to send requests to."""
    dialect = DIALECTS[target.dialect]
    root = target.at((target.base_url or "").removesuffix(dialect.dropped_suffix))
    if target.endpoint:
        root, path = target.at(_server(target)), target.endpoint
    else:
        path = dialect.path
    return replace(root, query=target.query).url(path)


def body(config: RunConfig, target: Target, prompt: str) -> Body:
    """Return the body of a request with `prompt`. Extra fields come last, those in an object beside
    the ones that Paceline sets in it; omitted fields are left out."""
    fields = BODIES[target.dialect](config, target, prompt)
    wanted = {name: value for name, value in fields.items() if value is not None}
    if not config.extra_body:
        return wanted
    if target.client == "litellm":  # at the top level they would be arguments of LiteLLM,
        return {**wanted, "extra_body": config.extra_body}  # such as the address and the key
    return {**wanted, **{n: _added(wanted.get(n), value) for n, value in config.extra_body.items()}}


def _added(ours: Any, extra: Any) -> Any:
    """An extra field; if Paceline also sets it (Ollama's `options`, `stream_options`), both objects
    as one."""
    both = isinstance(ours, Mapping) and isinstance(extra, Mapping)
    return {**ours, **extra} if both else extra


def bearer(target: Target) -> str | None:
    """Return the key to send as `Authorization: Bearer`; None if only the dialect's header contains
    it. Servers that offer Anthropic's API among others expect it there; Anthropic does not."""
    only_own = target.backend == target.dialect == "anthropic"
    return None if only_own else target.key


def headers(target: Target) -> tuple[tuple[str, str], ...]:
    """Return the headers of the dialect, with the key if one of them contains it, and those of the
    run, which take precedence."""
    dialect = DIALECTS[target.dialect]
    own = {name.lower() for name, _ in target.headers}
    key = ((dialect.key_header, target.key),) if dialect.key_header and target.key else ()
    of_dialect = [(name, value) for name, value in (*dialect.headers, *key) if name not in own]
    return (*of_dialect, *target.headers)


def hidden(target: Target) -> tuple[str, ...]:
    """Return the secrets in these headers."""
    return (*target.hidden, *filter(None, [target.key]))


def _server(target: Target) -> str:
    parts = urlsplit(target.base_url or "")
    return f"{parts.scheme}://{parts.netloc}"


def _chat(config: RunConfig, target: Target, prompt: str) -> Body:
    written = messages.fields("chat", prompt)
    return {"model": target.model, **written, **_shared_fields(config, target)}


def _completions(config: RunConfig, target: Target, prompt: str) -> Body:
    """The plain text, for models without a chat template."""
    written = messages.fields("completions", prompt)
    return {"model": target.model, **written, **_shared_fields(config, target)}


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
        "min_tokens": config.min_tokens and min(config.min_tokens, config.max_tokens),
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
        **messages.fields("ollama", prompt),
        "stream": True,
        "options": {name: value for name, value in options.items() if value is not None},
    }


def _responses(config: RunConfig, target: Target, prompt: str) -> Body:
    """`store` is off, so that the server keeps nothing."""
    return {
        "model": target.model,
        **messages.fields("responses", prompt),
        "stream": True,
        "store": False,
        "max_output_tokens": _unless_omitted("max_tokens", config, config.max_tokens),
        "temperature": config.sent_temperature,
        "top_p": config.sent_top_p,
        "seed": config.seed,
        "ignore_eos": config.ignore_eos or None,
    }


def _anthropic(config: RunConfig, target: Target, prompt: str) -> Body:
    """There is no seed."""
    return {
        "model": target.model,
        **messages.fields("anthropic", prompt),
        "stream": True,
        "max_tokens": config.max_tokens,
        "temperature": config.sent_temperature,
        "top_p": config.sent_top_p,
    }


BODIES: Mapping[DialectName, Callable[[RunConfig, Target, str], Body]] = {
    "chat": _chat,
    "completions": _completions,
    "responses": _responses,
    "anthropic": _anthropic,
    "ollama": _ollama,
}
