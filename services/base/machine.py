"""Facts about this machine and this client. For those about the engine see `facts/`.

They are published with a run, so they include no host, user or path.
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

LIBRARIES = ("httptools", "orjson", "xllamacpp")  # packages that measured tokens pass through


def environment(now: datetime | None = None, libraries: Iterable[str] = ()) -> dict[str, Any]:
    """Return facts about this machine and this client, JSON-ready; unknown ones are left out.

    `cores`: those that the process may use; `memory_bytes`: the machine's. `libraries` adds
    packages to LIBRARIES (LiteLLM, if it sends the requests).
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
        **{name: installed_version(name) for name in (*LIBRARIES, *libraries)},
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
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _os() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def installed_version(package: str) -> str | None:
    """Return the version of an installed package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
