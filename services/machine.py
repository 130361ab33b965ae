"""Where a run was measured: this machine, and the engine as far as it tells of itself.

What is kept is published with a run, so it names no host, no user and no path.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from services import VERSION
from services.backends import BackendProblem, Target
from services.probe.inquiry import connected, get, plain

TIMEOUT_S = 2.0
LIBRARIES = ("httptools", "orjson", "xllamacpp")  # what a measured token passes through


def environment(now: datetime | None = None, libraries: Iterable[str] = ()) -> dict[str, Any]:
    """Return this machine and this client as flat JSON-ready facts; what is not known is left out.

    `cores` are those the process may use, `memory_bytes` the machine's. `libraries` adds packages
    to LIBRARIES (LiteLLM, where it sends the requests).
    """
    facts = {
        "observed_at": now.isoformat() if now else None,
        "cpu": _cpu(),
        "cores": cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "os": _os(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "paceline": VERSION,
        **{name: _version(name) for name in (*LIBRARIES, *libraries)},
    }
    return {name: value for name, value in facts.items() if value is not None}


async def engine_facts(target: Target) -> dict[str, Any]:
    """Return what the engine at `target` tells of itself; {} where it is none of those we know.

    Keys: engine, engine_version, and where told tensor_parallel, pipeline_parallel, data_parallel,
    context_length, dtype, quantization, attention_backend, slots. Never raises for what it answers.
    """
    root = target.at((target.base_url or "").removesuffix("/v1"))
    async with connected(root) as client:

        async def ask(path: str) -> Any:
            try:
                answer = await get(client, root, path, TIMEOUT_S)
            except BackendProblem:
                return None
            return answer.json() if answer.status == 200 else None

        answers = await asyncio.gather(*(ask(path) for _, path, _ in ENGINE_PAGES))
    for (engine, _, read), data in zip(ENGINE_PAGES, answers, strict=True):
        if isinstance(data, dict) and (facts := read(data)):
            return {"engine": engine, **facts}
    return {}


def _cpu() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, None) or platform.processor() or platform.machine() or None


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _os() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _facts(data: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Take whole numbers and short words out of an answer; a path or anything else stays."""
    taken: dict[str, Any] = {}
    for key, name in names.items():
        value = data.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            taken[name] = value
        elif isinstance(value, str) and value and not {"/", "\\"} & set(value):
            taken[name] = plain(value, 60)
    return taken


def _sglang(data: dict[str, Any]) -> dict[str, Any]:
    if "tp_size" not in data:
        return {}
    return _facts(
        data,
        {
            "version": "engine_version",
            "tp_size": "tensor_parallel",
            "pp_size": "pipeline_parallel",
            "dp_size": "data_parallel",
            "context_length": "context_length",
            "dtype": "dtype",
            "quantization": "quantization",
            "attention_backend": "attention_backend",
        },
    )


def _llamacpp(data: dict[str, Any]) -> dict[str, Any]:
    if "default_generation_settings" not in data:
        return {}
    names = {
        "build_info": "engine_version",
        "total_slots": "slots",
        "model_ftype": "quantization",
        "n_ctx": "context_per_slot",
    }
    if "unknown" in str(data.get("build_info")):  # a build outside its repository: b0-unknown
        del names["build_info"]
    settings = data["default_generation_settings"]
    return _facts({**data, **(settings if isinstance(settings, dict) else {})}, names)


def _versioned(data: dict[str, Any]) -> dict[str, Any]:
    return _facts(data, {"version": "engine_version"})


# Asked below the address without its /v1. The first that is understood names the engine, so what
# others have too comes last: SGLang answers on some of Ollama's pages, and anybody on /version.
ENGINE_PAGES: tuple[tuple[str, str, Callable[[dict[str, Any]], dict[str, Any]]], ...] = (
    ("SGLang", "/get_server_info", _sglang),
    ("llama.cpp", "/props", _llamacpp),
    ("Ollama", "/api/version", _versioned),
    ("vLLM", "/version", _versioned),
)
