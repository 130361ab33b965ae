"""What a vLLM server is: from its own configuration, else from its command line, else from what it
counts. It tells its configuration only in development mode (VLLM_SERVER_DEV_MODE=1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import psutil

from services.ask.address import LOOPBACK, origin
from services.ask.backends import Target
from services.servers.facts.pages import vllm
from services.servers.facts.taken import whole
from services.servers.probe.http import Answer
from services.servers.telemetry.prometheus import metrics

Ask = Callable[[str, float], Awaitable[Answer | None]]
CONFIG = "/server_info?config_format=json"
CONFIG_S = 20.0  # it looks at the whole machine before its first answer
OTHERS_S = 5.0
# Arguments of `vllm serve` that tell how it is parallel; what is not given is 1.
SIZES = {
    "tensor_parallel": ("--tensor-parallel-size", "-tp"),
    "pipeline_parallel": ("--pipeline-parallel-size", "-pp"),
    "data_parallel": ("--data-parallel-size", "-dp"),
}
ENGINES, CACHE = "vllm_num_requests_running", "vllm_cache_config_info"


async def more(target: Target, ask: Ask) -> dict[str, Any]:
    """Return what is known of the vLLM server at `target` beyond its version."""
    answer = await ask(CONFIG, CONFIG_S)
    data = answer.json() if answer else None
    if isinstance(data, dict) and (facts := vllm(data)):
        return facts
    return {
        **_counted(await ask("/metrics", OTHERS_S)),
        **_listed(await ask("/v1/models", OTHERS_S), target.model),
        **(_local(target) or {}),
    }


def arguments(argv: Sequence[str]) -> dict[str, Any]:
    """Return how a vLLM server is parallel by its command line; {} where that is not all."""
    ours = any("vllm" in word for word in argv) and "serve" in argv
    if not ours or any(word.startswith("--config") for word in argv):
        return {}
    given = [part for word in argv for part in word.split("=", 1)]
    return {fact: _after(given, names) for fact, names in SIZES.items()}


def _after(given: Sequence[str], names: tuple[str, ...]) -> int:
    for name, value in pairwise(given):
        if name.replace("_", "-") in names and (size := whole(value)):
            return size
    return 1


def _local(target: Target) -> dict[str, Any] | None:
    """Read the command line of the process that listens there, if that is this machine."""
    _, host, port = origin(target.base_url or "")
    if host not in LOOPBACK:
        return None
    try:
        sockets = psutil.net_connections("tcp")
        pids = {s.pid for s in sockets if s.status == psutil.CONN_LISTEN and s.laddr.port == port}
        lines = [psutil.Process(pid).cmdline() for pid in pids if pid]
    except (psutil.Error, OSError):  # another user's, or gone
        return None
    return next((facts for line in lines if (facts := arguments(line))), None)


def _counted(answer: Answer | None) -> dict[str, Any]:
    """Read /metrics: an engine a replica, and the cache's settings as labels."""
    text = answer.content.decode("utf-8", "replace") if answer else ""
    found: dict[str, Any] = {}
    lines = list(metrics(text, (ENGINES, CACHE)))
    engines = {whole(line.labels.get("engine")) for line in lines if line.name == ENGINES}
    if engines := engines - {None}:
        found["data_parallel"] = len(engines)
    labels = next((line.labels for line in lines if line.name == CACHE), {})
    if labels.get("enable_prefix_caching") in ("True", "False"):
        found["prefix_cache"] = labels["enable_prefix_caching"] == "True"
    if (tokens := whole(labels.get("kv_cache_size_tokens"))) is not None:
        found["cache_tokens"] = tokens
    return found


def _listed(answer: Answer | None, model: str) -> dict[str, Any]:
    """Read /v1/models: how long a request to `model`, or to the first, may be."""
    data = answer.json() if answer else None
    listed = data.get("data") if isinstance(data, dict) else None
    models = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
    named = [m for m in models if m.get("id") == model] or models
    length = whole(named[0].get("max_model_len")) if named else None
    return {} if length is None else {"context_length": length}
