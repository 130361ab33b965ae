"""The embedded llama.cpp as a server that stays: see `services/servers/embedded.py`."""

from __future__ import annotations

import sys

from services.base.packaged_model import MODEL_NAME, model_path
from services.servers.engines.config import EngineConfig
from services.servers.engines.launch import Launch
from services.servers.engines.place import Place
from services.servers.engines.problem import EngineProblem
from services.servers.engines.within import CACHE_TOKENS, CONTEXT_MOST, SLOTS_MOST

SLOTS, CONTEXT = 8, 2048  # where nothing is said


def command(config: EngineConfig, place: Place, port: int) -> Launch:
    """Return how the embedded engine is started as `config` says.

    Raises:
        EngineProblem: another model, or more than it holds.
    """
    try:
        model_path()
    except FileNotFoundError as error:
        raise EngineProblem(str(error)) from None
    if config.model not in ("", MODEL_NAME):
        raise EngineProblem(f"The embedded engine serves {MODEL_NAME} only. Leave model empty.")
    slots, context = config.max_seqs or SLOTS, config.max_model_len or CONTEXT
    if slots > SLOTS_MOST or context > CONTEXT_MOST or slots * context > CACHE_TOKENS:
        raise EngineProblem(
            f"The embedded engine holds {SLOTS_MOST} requests at once at most, of "
            f"{CONTEXT_MOST:,} tokens at most, {CACHE_TOKENS:,} together."
        )
    numbers = [str(n) for n in (slots, context, 1, port)]  # 1: a prefix is cached, as elsewhere
    return Launch(
        "llama.cpp",
        [sys.executable, "-m", "services.servers.embedded", *numbers],
        port,
        MODEL_NAME,
        unset=place.unset(),
        cwd=str(place.root),
    )
