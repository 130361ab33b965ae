"""The embedded engine's own process: llama.cpp with the model that ships as a package.

Run as `python -m services.servers.embedded SLOTS CONTEXT CACHE [PORT]`. It prints its address when
it is ready, and lives exactly as long as its standard input stays open: that closes when the parent
dies, however it dies.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from services.base import machine
from services.base.packaged_model import MODEL_NAME, model_path

NICE = 3  # lower priority than the client, but not starved by other programs
MAX_THREADS = 4  # more do not make such a small model faster
CACHE_MIB = 1024  # for earlier prompts: a slot holds only its last one
# How often a thread polls before it sleeps, when it waits for the others at the end of a step. The
# default, a millisecond of polling, takes CPU time from the thread that it waits for.
SPIN_COUNT = "1000"


def lower_priority(nice: int = NICE) -> None:
    """Lower the priority of this process and, where Linux schedules sessions before processes, of
    its session (sched(7), autogroup)."""
    os.nice(nice)
    with suppress(OSError):  # not Linux, or autogroup is off
        Path("/proc/self/autogroup").write_text(str(nice))


def threads(cores: int) -> int:
    """Return the number of compute threads: half of the cores, which leaves the others to the
    client and the browser. Threads wait for the slowest at each of hundreds of steps per token, so
    one without a core of its own delays them all."""
    return min(max(1, cores // 2), MAX_THREADS)


def main(slots: int, context: int, cache: bool, port: int = 0) -> None:
    """Serve `slots` concurrent sequences of up to `context` tokens each. `cache`: a prompt may
    reuse the prefix of an earlier one, even if its slot has since held another one. `port` 0: any
    free port."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read when llama.cpp is loaded
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model_path())
    params.model_alias = {MODEL_NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads(machine.cores())
    params.n_threads_http = slots + 32  # one thread per connection, also for queued requests
    params.cache_prompt = cache
    params.cache_ram_mib = CACHE_MIB if cache else 0
    params.verbosity = 0
    params.ui = False
    params.endpoint_metrics = True  # for services/servers/telemetry; takes 1 ms between two steps
    if not port:  # otherwise its supervisor has already lowered the priority
        lower_priority()
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # at once: nothing to save, and the parent is gone


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1", *map(int, sys.argv[4:]))
