"""Why an engine cannot run here, seen before it is started."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from services.servers.engines.config import EngineConfig
from services.servers.engines.devices import Devices
from services.servers.engines.place import Place
from services.servers.engines.problem import EngineProblem
from services.servers.engines.table import ENGINES, launch_at

PORT = 30_000  # any: the command is only tried


def preflight(config: EngineConfig, devices: Devices, env: Mapping[str, str]) -> str | None:
    """Return why `config` cannot run on `devices`, in a sentence; None where nothing is seen that
    speaks against it."""
    return preflight_at(config, Place(devices, env))


def preflight_at(config: EngineConfig, place: Place) -> str | None:
    """Return the same for a `place`."""
    try:
        launch_at(config, PORT, place)
    except EngineProblem as problem:
        return str(problem)
    devices, model = ENGINES[config.engine].devices(place.devices), _model(place, config)
    return next((why for look in OBSTACLES if (why := look(config, devices, model))), None)


def _model(place: Place, config: EngineConfig) -> dict[str, Any]:
    """Return what the model's config.json says; {} where it cannot be read here."""
    try:
        folder, _, local = place.model(config)
        data = json.loads((Path(folder) / "config.json").read_text()) if local else {}
    except (EngineProblem, OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _devices(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    if config.ranks <= devices.count:
        return None
    return f"It needs {devices.counted(config.ranks)}, and this machine has {devices.count}."


def _heads(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    heads = model.get("num_attention_heads")
    if not isinstance(heads, int) or heads % config.tp == 0:
        return None
    return f"The model's {heads} attention heads cannot be shared among TP {config.tp}."


def _layers(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    layers = model.get("num_hidden_layers")
    if not isinstance(layers, int) or layers >= config.pp:
        return None
    return f"The model's {layers} layers are fewer than PP {config.pp} stages."


def _length(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    most, asked = model.get("max_position_embeddings"), config.max_model_len
    if not isinstance(most, int) or not asked or asked <= most:
        return None
    return f"The model was made for {most:,} tokens: max_model_len={asked:,} is too long."


def _step(config: EngineConfig, devices: Devices, model: dict[str, Any]) -> str | None:
    """vLLM refuses to start: a prompt that is not cut must fit a step."""
    whole = config.engine == "vllm" and config.chunked_prefill is False
    longest = config.max_model_len or model.get("max_position_embeddings") or 0
    if not whole or not config.max_batched_tokens or config.max_batched_tokens >= longest:
        return None
    return (
        f"Without chunked prefill a prompt of {longest:,} tokens must fit one step of "
        f"{config.max_batched_tokens:,}: raise max_batched_tokens or lower max_model_len."
    )


Look = Callable[[EngineConfig, Devices, dict[str, Any]], str | None]
OBSTACLES: tuple[Look, ...] = (_devices, _heads, _layers, _length, _step)
