"""Engines as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from services.report.terminal.text import cut, minute, table
from services.servers.engines import ENGINES, EngineConfig, parallel_label
from services.servers.engines.instance import EngineInstance


def engine_name(config: EngineConfig) -> str:
    """Return a short name: "vLLM · TP 2", "vLLM · TP 1 · not chunked"."""
    chunking = {None: None, True: "chunked", False: "not chunked"}[config.chunked_prefill]
    parts = (ENGINES[config.engine].label, parallel_label(config), chunking)
    return " · ".join(filter(None, parts))


def engine_text(engine: EngineInstance) -> str:
    """Describe an engine: its status, and its address or its error."""
    address = engine.base_url if engine.status == "ready" else None
    lines = [f"Engine {engine.id} · {engine_name(engine.config)} · {engine.status}"]
    error = engine.error if engine.status == "failed" else None  # else it is an earlier one's
    lines += filter(None, (address, engine.phase, error, engine.hint))
    return "\n".join(lines)


def engines_text(engines: Sequence[EngineInstance]) -> str:
    """List engines, one per line."""
    if not engines:
        return "No engine has been started."
    return table(
        ["engine", "name", "status", "address", "model", "created", "of"],
        [
            [
                str(engine.id),
                engine_name(engine.config),
                engine.status,
                engine.base_url or "" if engine.status == "ready" else "",
                cut(engine.config.model),
                minute(engine.created_at),
                f"study {engine.study_id}" if engine.study_id else "",
            ]
            for engine in engines
        ],
    )
