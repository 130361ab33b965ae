"""Checks whether an engine can run here, before it is started."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from services.servers.engines import ray_serve
from services.servers.engines.config import EngineConfig
from services.servers.engines.devices import Devices
from services.servers.engines.host import Host
from services.servers.engines.problem import EngineProblem
from services.servers.engines.table import ENGINES, launch_at

PORT = 30_000  # an arbitrary port: the command is built but not run


def preflight(config: EngineConfig, devices: Devices, env: Mapping[str, str]) -> str | None:
    """Return why `config` cannot run on `devices`, as a sentence; None if no reason is known."""
    return preflight_at(config, Host(devices, env))


def preflight_at(config: EngineConfig, host: Host) -> str | None:
    """Return why `config` cannot run on `host`; see `preflight`."""
    try:
        launch_at(config, PORT, host)
    except EngineProblem as problem:
        return str(problem)
    devices, model = ENGINES[config.engine].devices(host.devices), _model(host, config)
    return next((why for check in CHECKS if (why := check(config, devices, model))), None)


def _model(host: Host, config: EngineConfig) -> dict[str, Any]:
    """Return the model's config.json; {} if it cannot be read here."""
    try:
        named = host.model(config)
        file = Path(named.source) / "config.json"
        data = json.loads(file.read_text()) if named.is_local else {}
    except (EngineProblem, OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _devices(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    if config.ranks <= devices.count or ray_serve.only_waits(config):  # without using its core
        return None
    rest = " Or let replicas wait instead of working: extra argument --wait 2."
    return (
        f"It needs {devices.counted(config.ranks)}, and this machine has {devices.count}."
        f"{rest if config.engine == 'ray' else ''}"
    )


def _heads(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    heads = model.get("num_attention_heads")
    if not isinstance(heads, int) or heads % config.tp == 0:
        return None
    return f"The model's {heads} attention heads are not divisible by TP {config.tp}."


def _layers(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    layers = model.get("num_hidden_layers")
    if not isinstance(layers, int) or layers >= config.pp:
        return None
    return f"The model's {layers} layers are fewer than PP {config.pp} stages."


def _length(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    most, requested = model.get("max_position_embeddings"), config.max_model_len
    if not isinstance(most, int) or not requested or requested <= most:
        return None
    return f"The model supports at most {most:,} tokens: max_model_len={requested:,} is too long."


def _batched_tokens(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    """Check a limit at which vLLM refuses to start: a prompt that is not chunked must fit into one
    step."""
    whole = config.engine == "vllm" and config.chunked_prefill is False
    longest = config.max_model_len or model.get("max_position_embeddings") or 0
    if not whole or not config.max_batched_tokens or config.max_batched_tokens >= longest:
        return None
    return (
        f"Without chunked prefill a prompt of {longest:,} tokens must fit into one step of "
        f"{config.max_batched_tokens:,}: raise max_batched_tokens or lower max_model_len."
    )


Check = Callable[[EngineConfig, Devices, dict[str, Any]], str | None]
CHECKS: tuple[Check, ...] = (_devices, _heads, _layers, _length, _batched_tokens)
