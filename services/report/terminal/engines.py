"""Engines as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from services.report.terminal.text import cut, minute, table
from services.servers.engines import ENGINES, EngineConfig, parallel_label
from services.servers.engines.instance import EngineInstance


def engine_name(config: EngineConfig) -> str:
    """Return what an engine is called: "vLLM · TP 2", "vLLM · TP 1 · not chunked"."""
    switch = {None: None, True: "chunked", False: "not chunked"}[config.chunked_prefill]
    parts = (ENGINES[config.engine].label, parallel_label(config), switch)
    return " · ".join(filter(None, parts))


def engine_text(server: EngineInstance) -> str:
    """One engine: how it is, where it answers or why it does not."""
    address = server.base_url if server.status == "ready" else None
    lines = [f"Engine {server.id} · {engine_name(server.config)} · {server.status}"]
    lines += filter(None, (address, server.phase, server.error, server.hint))
    return "\n".join(lines)


def engines_text(servers: Sequence[EngineInstance]) -> str:
    """Engines, a line each."""
    if not servers:
        return "No engine has been started."
    return table(
        ["engine", "name", "status", "address", "model", "created", "of"],
        [
            [
                str(one.id),
                engine_name(one.config),
                one.status,
                one.base_url or "" if one.status == "ready" else "",
                cut(one.config.model),
                minute(one.created_at),
                f"study {one.study_id}" if one.study_id else "",
            ]
            for one in servers
        ],
    )
