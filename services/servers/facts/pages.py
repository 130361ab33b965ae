"""The pages on which servers tell what they are, and how each is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.base.untrusted import integer
from services.servers.facts.taken import Names, flag, of_torch, off, path, share, taken, whole, word

Read = Callable[[dict[str, Any]], dict[str, Any]]

SGLANG: Names = {
    "version": ("engine_version", word),
    "tp_size": ("tensor_parallel", whole),
    "pp_size": ("pipeline_parallel", whole),
    "dp_size": ("data_parallel", whole),
    "nnodes": ("nodes", whole),
    "context_length": ("context_length", whole),
    "dtype": ("dtype", word),
    "quantization": ("quantization", word),
    "attention_backend": ("attention_backend", word),
    "device": ("device_type", word),
    "max_prefill_tokens": ("max_batched_tokens", whole),
    "mem_fraction_static": ("memory_share", share),
    "disable_radix_cache": ("prefix_cache", off),
    "load_format": ("load_format", word),
    "max_total_num_tokens": ("cache_tokens", whole),
    "model_path": ("model_name", path),
}
PER_REPLICA: Names = {"effective_max_running_requests_per_dp": ("max_seqs", whole)}

LLAMACPP: Names = {
    "build_info": ("engine_version", word),
    "total_slots": ("slots", whole),
    "model_ftype": ("quantization", word),
    "n_ctx": ("context_per_slot", whole),
}

VLLM_PARTS: dict[str, Names] = {
    "parallel_config": {
        "tensor_parallel_size": ("tensor_parallel", whole),
        "pipeline_parallel_size": ("pipeline_parallel", whole),
        "data_parallel_size": ("data_parallel", whole),
        "nnodes": ("nodes", whole),
        "distributed_executor_backend": ("executor", word),
    },
    "model_config": {
        "model": ("model_name", path),
        "dtype": ("dtype", of_torch),
        "max_model_len": ("context_length", whole),
        "quantization": ("quantization", word),
        "enforce_eager": ("eager", flag),
    },
    "scheduler_config": {
        "max_num_seqs": ("max_seqs", whole),
        "max_num_batched_tokens": ("max_batched_tokens", whole),
        "enable_chunked_prefill": ("chunked_prefill", flag),
    },
    "cache_config": {
        "gpu_memory_utilization": ("memory_share", share),
        "enable_prefix_caching": ("prefix_cache", flag),
        "kv_cache_size_tokens": ("cache_tokens", whole),
    },
    "load_config": {"load_format": ("load_format", word)},
    "device_config": {"device": ("device_type", word)},
}


def sglang(data: dict[str, Any]) -> dict[str, Any]:
    """Read SGLang's arguments; {} where they are another engine's."""
    if "tp_size" not in data:
        return {}
    states = data.get("internal_states")
    first = states[0] if isinstance(states, list) and states else None
    chunk = integer(data.get("chunked_prefill_size"))  # -1: no chunks
    return {
        **taken(data, SGLANG),
        **taken(first if isinstance(first, dict) else {}, PER_REPLICA),
        **({} if chunk is None else {"chunked_prefill": chunk > 0}),
        **({"chunk_tokens": chunk} if chunk and chunk > 0 else {}),
    }


def vllm(data: dict[str, Any]) -> dict[str, Any]:
    """Read vLLM's whole configuration, which it tells in its development mode."""
    config = data.get("vllm_config")
    if not isinstance(config, dict):
        return {}
    found: dict[str, Any] = {}
    for part, names in VLLM_PARTS.items():
        said = config.get(part)
        found |= taken(said, names) if isinstance(said, dict) else {}
    return found


def llamacpp(data: dict[str, Any]) -> dict[str, Any]:
    """Read llama.cpp's properties."""
    settings = data.get("default_generation_settings")
    if "default_generation_settings" not in data:
        return {}
    found = taken({**data, **(settings if isinstance(settings, dict) else {})}, LLAMACPP)
    if "unknown" in str(found.get("engine_version")):  # a build outside its repository: b0-unknown
        del found["engine_version"]
    return found


def versioned(data: dict[str, Any]) -> dict[str, Any]:
    """Read a page that holds a version."""
    return taken(data, {"version": ("engine_version", word)})


# Asked below the address without its /v1. The first that is understood names the engine, so what
# others have too comes last: SGLang answers on some of Ollama's pages, and anybody on /version.
PAGES: tuple[tuple[str, str, Read], ...] = (
    ("SGLang", "/get_server_info", sglang),
    ("llama.cpp", "/props", llamacpp),
    ("Ollama", "/api/version", versioned),
    ("vLLM", "/version", versioned),
)
