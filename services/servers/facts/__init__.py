"""What a server says of itself, kept with each run that it answers.

It is published with the run, so it names no host, no user and no path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from services.ask.backends import BackendProblem, Target
from services.base import untrusted
from services.base.redact import READ
from services.servers.facts import vllm_server
from services.servers.facts.pages import PAGES
from services.servers.facts.taken import last_part
from services.servers.probe.http import Answer, connected, get

TIMEOUT_S = 5.0  # a server that works hard answers late
WORD = 120  # characters of a word that are kept


async def engine_facts(target: Target, prompts: Iterable[str] = ()) -> dict[str, Any]:
    """Return what the engine at `target` tells of itself; {} where it is none of those we know. The
    target's secrets and `prompts` are in none of it.

    Keys: engine, engine_version, and where told model_name, tensor_parallel, pipeline_parallel,
    data_parallel, nodes, executor, device_type, dtype, quantization, load_format, context_length,
    max_seqs, max_batched_tokens, chunked_prefill, chunk_tokens, memory_share, prefix_cache,
    cache_tokens, eager, attention_backend, slots, context_per_slot. Lengths in tokens. Never
    raises for what it answers.
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
                more = await vllm_server.more(root, ask) if engine == "vLLM" else {}
                kept = _gated({**facts, **more}, (*target.secrets, *prompts))
                return {"engine": engine, **kept}
    return {}


def _gated(facts: dict[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return facts whose words are short and hold no secret, nor a folder; without those of which
    nothing is left."""
    found = {
        fact: _word(value, secrets) if isinstance(value, str) else value
        for fact, value in facts.items()
    }
    return {fact: value for fact, value in found.items() if value != ""}


def _word(said: str, secrets: tuple[str, ...]) -> str:
    """A secret is looked for before anything is cut: what is left of it could not be known."""
    word = last_part(untrusted.text(said, secrets, READ))
    return word if len(word) <= WORD else word[: WORD - 1] + "…"
