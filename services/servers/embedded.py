"""The embedded engine's own process: llama.cpp with the model that ships as a package.

Run as `python -m services.servers.embedded SLOTS CONTEXT CACHE [PORT]`. It prints its address when
it is ready and lives exactly as long as its standard input stays open: a parent that dies, however
it dies, closes it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from services.base import machine
from services.base.packaged_model import MODEL_NAME, model_path

NICE = 3  # behind the client, which must not be what is measured, and not starved by others
THREADS_MOST = 4  # more make so small a model no faster
# How often a thread looks again before it sleeps, where it waits for the others at the end of a
# step. The default, a millisecond of looking, is what the thread that it waits for lacks.
LOOKS = "1000"


def step_back(nice: int = NICE) -> None:
    """Lower this process's priority: among its kin, and, where Linux shares the cores among
    sessions first and processes second, that of its session too (sched(7), autogroup)."""
    os.nice(nice)
    with suppress(OSError):  # another system, or switched off
        Path("/proc/self/autogroup").write_text(str(nice))


def threads(cores: int) -> int:
    """Return how many threads compute. Half of the cores: the others are the client's, the
    browser's and everybody else's. All threads wait for the slowest at each of hundreds of steps
    a token, so one without a core of its own stops them all."""
    return min(max(1, cores // 2), THREADS_MOST)


def main(slots: int, context: int, cache: bool, port: int = 0) -> None:
    """Serve `slots` sequences at a time of up to `context` tokens each. `cache`: a prompt may
    reuse the prefix that the one before it in its slot left behind. `port` 0: any that is free."""
    os.environ.setdefault("GOMP_SPINCOUNT", LOOKS)  # read when llama.cpp is loaded
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model_path())
    params.model_alias = {MODEL_NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads(machine.cores())
    params.n_threads_http = slots + 32  # a thread a connection: some for those that wait
    params.cache_prompt = cache
    params.cache_ram_mib = 0  # and nothing beyond that
    params.verbosity = 0
    params.ui = False
    params.endpoint_metrics = (
        True  # for services/servers/telemetry: a millisecond between two steps
    )
    if not port:  # else its supervisor has stepped back before it
        step_back()
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # at once: there is nothing to save, and the parent is gone


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1", *map(int, sys.argv[4:]))
