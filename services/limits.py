"""What this machine must allow before a run begins: open files for its connections, and memory."""

from __future__ import annotations

import resource

from services import modes, workloads
from services.config import RunConfig

SPARE_FILES = 128  # descriptors beside the connections
MEMORY_MOST = 2**30  # bytes of prompts in one repeat: they are built before the first is sent


class Impossible(RuntimeError):
    """A run that this machine cannot carry out, in a sentence."""


def check(config: RunConfig) -> int:
    """Make sure that a run can be carried out; return its longest prompt in bytes.

    Raises:
        Impossible: it needs more connections or more memory than there is.
    """
    at_once = modes.schedule(config).in_flight or config.requests
    allow_files(min(at_once, config.requests) + SPARE_FILES)
    total = longest = 0
    for index in range(config.requests):
        size = len(workloads.prompt(config, 0, index).encode())
        total, longest = total + size, max(longest, size)
        if total > MEMORY_MOST:
            raise Impossible(
                f"The prompts of one repeat are longer than {MEMORY_MOST // 2**20:,} MiB together. "
                "Send fewer requests or shorter prompts."
            )
    return longest


def allow_files(needed: int) -> None:
    """Raise this process's limit of open files to what is needed.

    Raises:
        Impossible: the machine's hard limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise Impossible(
            f"This machine lets a process open {hard:,} files, and the run needs {needed:,} "
            "connections at once. Set a lower concurrency, or raise the limit (ulimit -Hn)."
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
