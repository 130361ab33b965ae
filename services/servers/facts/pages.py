"""The pages on which servers describe themselves, and how each is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.base.untrusted import integer
from services.servers.facts.fields import (
    Names,
    count,
    extract,
    flag,
    negated,
    path,
    share,
    text,
    torch_dtype,
)

Read = Callable[[dict[str, Any]], dict[str, Any]]

SGLANG: Names = {
    "version": ("engine_version", text),
    "tp_size": ("tensor_parallel", count),
    "pp_size": ("pipeline_parallel", count),
    "dp_size": ("data_parallel", count),
    "nnodes": ("nodes", count),
    "context_length": ("context_length", count),
    "dtype": ("dtype", text),
    "quantization": ("quantization", text),
    "attention_backend": ("attention_backend", text),
    "device": ("device_type", text),
    "max_prefill_tokens": ("max_batched_tokens", count),
    "mem_fraction_static": ("memory_share", share),
    "disable_radix_cache": ("prefix_cache", negated),
    "load_format": ("load_format", text),
    "max_total_num_tokens": ("cache_tokens", count),
    "model_path": ("model_name", path),
}
PER_REPLICA: Names = {"effective_max_running_requests_per_dp": ("max_seqs", count)}

LLAMACPP: Names = {
    "build_info": ("engine_version", text),
    "total_slots": ("slots", count),
    "model_ftype": ("quantization", text),
    "n_ctx": ("context_per_slot", count),
}

VLLM_PARTS: dict[str, Names] = {
    "parallel_config": {
        "tensor_parallel_size": ("tensor_parallel", count),
        "pipeline_parallel_size": ("pipeline_parallel", count),
        "data_parallel_size": ("data_parallel", count),
        "nnodes": ("nodes", count),
        "distributed_executor_backend": ("executor", text),
    },
    "model_config": {
        "model": ("model_name", path),
        "dtype": ("dtype", torch_dtype),
        "max_model_len": ("context_length", count),
        "quantization": ("quantization", text),
        "enforce_eager": ("eager", flag),
    },
    "scheduler_config": {
        "max_num_seqs": ("max_seqs", count),
        "max_num_batched_tokens": ("max_batched_tokens", count),
        "enable_chunked_prefill": ("chunked_prefill", flag),
    },
    "cache_config": {
        "gpu_memory_utilization": ("memory_share", share),
        "enable_prefix_caching": ("prefix_cache", flag),
        "kv_cache_size_tokens": ("cache_tokens", count),
    },
    "load_config": {"load_format": ("load_format", text)},
    "device_config": {"device": ("device_type", text)},
}


def sglang(data: dict[str, Any]) -> dict[str, Any]:
    """Read SGLang's arguments; {} if the data is another engine's."""
    if "tp_size" not in data:
        return {}
    states = data.get("internal_states")
    first = states[0] if isinstance(states, list) and states else None
    chunk = integer(data.get("chunked_prefill_size"))  # -1: not chunked
    return {
        **extract(data, SGLANG),
        **extract(first if isinstance(first, dict) else {}, PER_REPLICA),
        **({} if chunk is None else {"chunked_prefill": chunk > 0}),
        **({"chunk_tokens": chunk} if chunk and chunk > 0 else {}),
    }


def vllm(data: dict[str, Any]) -> dict[str, Any]:
    """Read vLLM's whole configuration, which it serves in development mode."""
    config = data.get("vllm_config")
    if not isinstance(config, dict):
        return {}
    facts: dict[str, Any] = {}
    for part, names in VLLM_PARTS.items():
        values = config.get(part)
        facts |= extract(values, names) if isinstance(values, dict) else {}
    return facts


def llamacpp(data: dict[str, Any]) -> dict[str, Any]:
    """Read llama.cpp's properties."""
    settings = data.get("default_generation_settings")
    if "default_generation_settings" not in data:
        return {}
    facts = extract({**data, **(settings if isinstance(settings, dict) else {})}, LLAMACPP)
    if "unknown" in str(facts.get("engine_version")):  # a build outside its repository: b0-unknown
        del facts["engine_version"]
    return facts


def versioned(data: dict[str, Any]) -> dict[str, Any]:
    """Read a page that holds a version."""
    return extract(data, {"version": ("engine_version", text)})


# Paths on the server, without /v1. The first that can be read determines the engine, so pages that
# other engines also have come last: SGLang answers on some of Ollama's, and many servers on
# /version.
PAGES: tuple[tuple[str, str, Read], ...] = (
    ("SGLang", "/get_server_info", sglang),
    ("llama.cpp", "/props", llamacpp),
    ("Ollama", "/api/version", versioned),
    ("vLLM", "/version", versioned),
)
