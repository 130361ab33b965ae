"""Facts of a vLLM server: from its configuration, which it serves only in development mode
(VLLM_SERVER_DEV_MODE=1), otherwise from its command line, its metrics and its list of models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import psutil

from services.ask.address import LOOPBACK, origin
from services.ask.backends import Target
from services.servers.facts.fields import count
from services.servers.facts.pages import vllm
from services.servers.probe.http import Answer
from services.servers.telemetry.prometheus import metrics

Ask = Callable[[str, float], Awaitable[Answer | None]]
CONFIG = "/server_info?config_format=json"
CONFIG_S = 20.0  # the server inspects the whole machine before its first answer
OTHERS_S = 5.0
# Arguments of `vllm serve` for parallelism; the default is 1.
SIZES = {
    "tensor_parallel": ("--tensor-parallel-size", "-tp"),
    "pipeline_parallel": ("--pipeline-parallel-size", "-pp"),
    "data_parallel": ("--data-parallel-size", "-dp"),
}
ENGINES, CACHE = "vllm_num_requests_running", "vllm_cache_config_info"


async def config_facts(target: Target, ask: Ask) -> dict[str, Any]:
    """Return the facts of the vLLM server at `target`, except its version."""
    answer = await ask(CONFIG, CONFIG_S)
    data = answer.json() if answer else None
    if isinstance(data, dict) and (facts := vllm(data)):
        return facts
    return {
        **_from_metrics(await ask("/metrics", OTHERS_S)),
        **_from_models(await ask("/v1/models", OTHERS_S), target.model),
        **(_from_command_line(target) or {}),
    }


def arguments(argv: Sequence[str]) -> dict[str, Any]:
    """Return a vLLM server's parallel sizes from its command line; {} if it has a config file or
    belongs to another program."""
    ours = any("vllm" in argument for argument in argv) and "serve" in argv
    if not ours or any(argument.startswith("--config") for argument in argv):
        return {}
    tokens = [part for argument in argv for part in argument.split("=", 1)]
    return {fact: _size(tokens, names) for fact, names in SIZES.items()}


def _size(tokens: Sequence[str], names: tuple[str, ...]) -> int:
    for name, value in pairwise(tokens):
        if name.replace("_", "-") in names and (size := count(value)):
            return size
    return 1


def _from_command_line(target: Target) -> dict[str, Any] | None:
    """Read the command line of the process that listens at the target; None on other machines."""
    _, host, port = origin(target.base_url or "")
    if host not in LOOPBACK:
        return None
    try:
        sockets = psutil.net_connections("tcp")
        pids = {s.pid for s in sockets if s.status == psutil.CONN_LISTEN and s.laddr.port == port}
        lines = [psutil.Process(pid).cmdline() for pid in pids if pid]
    except (psutil.Error, OSError):  # another user's, or it has ended
        return None
    return next((facts for line in lines if (facts := arguments(line))), None)


def _from_metrics(answer: Answer | None) -> dict[str, Any]:
    """Read /metrics: one engine per replica, and the cache's settings as labels."""
    text = answer.content.decode("utf-8", "replace") if answer else ""
    facts: dict[str, Any] = {}
    lines = list(metrics(text, (ENGINES, CACHE)))
    engines = {count(line.labels.get("engine")) for line in lines if line.name == ENGINES}
    if engines := engines - {None}:
        facts["data_parallel"] = len(engines)
    labels = next((line.labels for line in lines if line.name == CACHE), {})
    if labels.get("enable_prefix_caching") in ("True", "False"):
        facts["prefix_cache"] = labels["enable_prefix_caching"] == "True"
    if (tokens := count(labels.get("kv_cache_size_tokens"))) is not None:
        facts["cache_tokens"] = tokens
    return facts


def _from_models(answer: Answer | None, model: str) -> dict[str, Any]:
    """Read the context length of `model`, or of the first, from /v1/models."""
    data = answer.json() if answer else None
    listed = data.get("data") if isinstance(data, dict) else None
    models = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
    named = [m for m in models if m.get("id") == model] or models
    length = count(named[0].get("max_model_len")) if named else None
    return {} if length is None else {"context_length": length}
