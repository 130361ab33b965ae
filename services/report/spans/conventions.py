"""The attributes of a request by OpenTelemetry's conventions for generative AI.

https://github.com/open-telemetry/semantic-conventions-genai (docs/gen-ai/client-inference.md).
Attributes that the conventions do not define are named paceline.*; two receivers use their own
names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from services.ask import workloads
from services.ask.backends.dialects import dialect_of
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Run

Attribute = tuple[str, Any]

PROVIDERS = {  # names in the conventions, by ours and by LiteLLM's; others stay unchanged
    "embedded": "llama.cpp",
    "url": "openai_compatible",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
PARENT = ("openinference.span.kind", "CHAIN")  # else Phoenix shows an unknown kind


def operation(config: RunConfig) -> str:
    """Return the operation of a run's requests."""
    return "text_completion" if dialect_of(config) == "completions" else "chat"


def provider(config: RunConfig) -> str:
    """Return the provider's name: a public provider, an engine, or OpenAI for servers with its
    API."""
    name = config.backend
    if name == "litellm":
        name = config.model.partition("/")[0]
    return PROVIDERS.get(name, name)


def common_attributes(run: Run, server: tuple[str, int] | None) -> Iterator[Attribute]:
    """Yield the attributes that all requests of a run have in common. `server`: its host and
    port."""
    config = run.config
    yield "gen_ai.operation.name", operation(config)
    yield "gen_ai.provider.name", provider(config)
    yield "gen_ai.system", provider(config)  # the name before 2025, which older receivers read
    if config.model:
        yield "gen_ai.request.model", config.model
    yield "gen_ai.request.stream", True
    sent = {
        "temperature": config.sent_temperature,
        "top_p": config.sent_top_p,
        "seed": config.seed,
    }
    for name, value in sent.items():
        if value is not None and run.knows(name):
            yield f"gen_ai.request.{name}", value
    if server is not None:
        yield "server.address", server[0]
        yield "server.port", server[1]
    yield "paceline.run", run.id


def max_tokens(run: Run) -> Callable[[int], int] | None:
    """Return a function from a request's index to its token limit, which is None if there is none
    or it is unknown."""
    if "max_tokens" in run.config.omit or not run.knows("max_tokens"):
        return None
    return workloads.max_tokens(run.config)


def request_attributes(m: Measurement, began_ns: int) -> Iterator[Attribute]:
    """Yield the attributes of a request. `began_ns`: when its repeat began, in nanoseconds since
    1970."""
    yield "paceline.repeat", m.repeat + 1
    yield "paceline.request", m.index + 1
    yield "paceline.status", m.status
    if m.finish_reason is not None:
        yield "gen_ai.response.finish_reasons", [m.finish_reason]
    for name, value in (
        ("input_tokens", m.prompt_tokens),
        ("output_tokens", m.output_tokens),
        ("cache_read.input_tokens", m.cached_tokens),
        ("reasoning.output_tokens", m.reasoning_tokens),
    ):
        if value is not None:
            yield f"gen_ai.usage.{name}", value
    if m.t_send is not None and m.attempts == 1:
        yield "paceline.sent_late_s", m.t_send - m.t_due
    if m.t_first is not None and m.t_send is not None:
        yield "gen_ai.response.time_to_first_chunk", m.t_first - m.t_send
        yield "langfuse.observation.completion_start_time", _json_moment(began_ns, m.t_first)
    if m.error_class is not None:
        yield "error.type", m.error_class
    if m.http_status is not None:
        yield "http.response.status_code", m.http_status
    if m.attempts > 1:  # the span is that of the last attempt
        yield "paceline.attempts", m.attempts


def run_attributes(run: Run, requests: int, failed: int) -> Iterator[Attribute]:
    """Yield the attributes of a run as a whole."""
    yield PARENT
    yield "paceline.run", run.id
    yield "paceline.status", run.status
    yield "paceline.mode", run.config.mode
    yield "paceline.backend", run.config.backend
    yield "paceline.requests", requests
    yield "paceline.failed", failed
    if run.tags:
        yield "paceline.tags", list(run.tags)


def repeat_attributes(run: Run, index: int, requests: int, failed: int) -> Iterator[Attribute]:
    """Yield the attributes of a repeat."""
    yield PARENT
    yield "paceline.run", run.id
    yield "paceline.repeat", index + 1
    yield "paceline.requests", requests
    yield "paceline.failed", failed


def _json_moment(began_ns: int, t: float) -> str:
    """A time in the form that Langfuse reads: a JSON string."""
    moment = datetime.fromtimestamp(began_ns / 1e9 + t, UTC)
    return json.dumps(moment.isoformat(timespec="milliseconds"))
