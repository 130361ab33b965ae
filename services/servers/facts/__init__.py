"""What a server reports about itself, stored with each run.

Published with the run, so it contains no host, no user and no path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from services.ask.backends import BackendProblem, Target
from services.base import untrusted
from services.base.redact import READ
from services.servers.facts import vllm_server
from services.servers.facts.fields import last_part
from services.servers.facts.pages import PAGES
from services.servers.probe.http import Answer, connected, get

TIMEOUT_S = 5.0  # busy servers answer late
LONGEST = 120  # characters of a text


async def engine_facts(target: Target, prompts: Iterable[str] = ()) -> dict[str, Any]:
    """Return what the engine at `target` reports about itself; {} for an unknown engine. The facts
    contain neither the target's secrets nor `prompts`.

    Keys: engine, engine_version, and where reported model_name, tensor_parallel, pipeline_parallel,
    data_parallel, nodes, executor, device_type, dtype, quantization, load_format, context_length,
    max_seqs, max_batched_tokens, chunked_prefill, chunk_tokens, memory_share, prefix_cache,
    cache_tokens, eager, attention_backend, slots, context_per_slot. Lengths in tokens. Raises
    nothing, whatever the server answers.
    """
    root = target.at((target.base_url or "").removesuffix("/v1"))
    async with connected(root) as client:

        async def ask(path: str, seconds: float = TIMEOUT_S) -> Answer | None:
            try:
                answer = await get(client, root, path, seconds)
            except BackendProblem:
                return None
            return answer if answer.status == 200 else None

        answers = await asyncio.gather(*(ask(path) for _, path, _ in PAGES))
        for (engine, _, read), answer in zip(PAGES, answers, strict=True):
            data = answer.json() if answer else None
            if isinstance(data, dict) and (facts := read(data)):
                more = await vllm_server.config_facts(root, ask) if engine == "vLLM" else {}
                safe = _publishable({**facts, **more}, (*target.secrets, *prompts))
                return {"engine": engine, **safe}
    return {}


def _publishable(facts: dict[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return facts with shortened texts without secrets and folders; empty facts are left out."""
    redacted = {
        fact: _publishable_text(value, secrets) if isinstance(value, str) else value
        for fact, value in facts.items()
    }
    return {fact: value for fact, value in redacted.items() if value != ""}


def _publishable_text(text: str, secrets: tuple[str, ...]) -> str:
    """Remove secrets before shortening: a part of a secret would not be recognised."""
    name = last_part(untrusted.text(text, secrets, READ))
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
