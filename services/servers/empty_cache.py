"""Empty a server's prefix cache before a repeat, if the engine has an endpoint for it. vLLM:

`POST /reset_prefix_cache`, which it offers only with `VLLM_SERVER_DEV_MODE=1`. SGLang: `POST
/flush_cache`. llama.cpp can only erase its slots, and only with `--slot-save-path`; prompts in its
host memory would stay, so this is not done.
"""

from __future__ import annotations

from services.ask.backends import BACKENDS, BackendProblem, Target
from services.servers.probe.http import answering, connected

TIMEOUT_S = 30.0
UNKNOWN = "Paceline cannot empty the prefix cache of this server."


async def empty_cache(target: Target, engine: str) -> str:
    """Empty the cache of the server at `target`; return "" on success, else why it failed, as a
    sentence. `engine`: as the server reports it; "" if unknown: then all ways are tried."""
    ways = [way for name, way in WAYS.items() if engine in ("", name)]
    if target.base_url is None or BACKENDS[target.backend].needs_key or not ways:
        return WHY_NOT.get(engine, UNKNOWN)
    root = target.at(target.base_url.removesuffix("/v1"))
    try:
        async with connected(root) as client:
            for path in ways:
                async with answering(client, root, root.url(path), TIMEOUT_S, {}) as response:
                    if response.is_success:
                        return ""
    except BackendProblem as error:
        return str(error)
    return f"{WHY_NOT.get(engine, UNKNOWN)} It answered {response.status_code} to {path}."


WAYS = {"vLLM": "/reset_prefix_cache", "SGLang": "/flush_cache"}
WHY_NOT = {
    "vLLM": "vLLM can empty its prefix cache only if it was started with VLLM_SERVER_DEV_MODE=1.",
    "SGLang": "SGLang can empty its cache only while it has no other requests.",
    "llama.cpp": "llama.cpp has no way to empty its whole cache.",
}
