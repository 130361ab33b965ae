"""The embedded llama.cpp as a long-running server: see `services/servers/embedded.py`."""

from __future__ import annotations

import sys

from services.base.packaged_model import MODEL_NAME, model_path
from services.servers.engines.config import EngineConfig
from services.servers.engines.embedded_engine import CACHE_TOKENS, MAX_CONTEXT, MAX_SLOTS
from services.servers.engines.host import Host
from services.servers.engines.launch import Launch
from services.servers.engines.problem import EngineProblem

SLOTS, CONTEXT = 8, 2048  # defaults


def command(config: EngineConfig, host: Host, port: int) -> Launch:
    """Return the command of the embedded engine.

    Raises:
        EngineProblem: another model, or more requests or tokens than it can hold.
    """
    try:
        model_path()
    except FileNotFoundError as error:
        raise EngineProblem(str(error)) from None
    if config.model not in ("", MODEL_NAME):
        raise EngineProblem(f"The embedded engine serves {MODEL_NAME} only. Leave model empty.")
    slots, context = config.max_seqs or SLOTS, config.max_model_len or CONTEXT
    if slots > MAX_SLOTS or context > MAX_CONTEXT or slots * context > CACHE_TOKENS:
        raise EngineProblem(
            f"The embedded engine serves at most {MAX_SLOTS} requests at once, of at most "
            f"{MAX_CONTEXT:,} tokens each and {CACHE_TOKENS:,} together."
        )
    numbers = [str(n) for n in (slots, context, 1, port)]  # 1: a prefix is cached, as elsewhere
    return Launch(
        "llama.cpp",
        [sys.executable, "-m", "services.servers.embedded", *numbers],
        port,
        MODEL_NAME,
        unset=host.unset(),
        cwd=str(host.root),
    )
