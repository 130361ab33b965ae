"""Where a run was measured: this machine and this client. What the engine says: `facts/`.

What is kept is published with a run, so it names no host, no user and no path.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from services import VERSION

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
