"""The process that samples a server: `python -m services.servers.telemetry`.

It reads its target (see `target.py`) from standard input as a line of JSON and writes each sample
to standard output as another, until standard input closes. It has a lower priority than the client:
a late sample is better than a token that is read late.
"""

from __future__ import annotations

import asyncio
import sys
from time import monotonic

from services.base.ipc import ProtocolProblem, Send, sender
from services.base.watchdog import cpu_limit, end_with_parent
from services.servers.embedded import lower_priority
from services.servers.protocol import PROTOCOL, Sampled
from services.servers.telemetry.sampler import Sampler
from services.servers.telemetry.target import SamplerTarget

LOOK_CPU_S = 5.0  # a sample takes milliseconds; a page of 4 MB, half a second


async def work(target: SamplerTarget, send: Send) -> None:
    """Send a sample each period, until this process is ended."""
    sampler = Sampler(target)
    due = monotonic()
    while True:
        with cpu_limit(LOOK_CPU_S):
            sample = await sampler.look()
        if sample.values:
            send(Sampled(sample.t, sample.values))
        due += target.period_s
        if due < monotonic():  # late: skip, instead of two samples in a row
            due = monotonic() + target.period_s
        await asyncio.sleep(due - monotonic())


if __name__ == "__main__":
    lower_priority()
    out = sender(PROTOCOL)
    line = sys.stdin.buffer.readline()
    end_with_parent()
    try:
        target = PROTOCOL.expect(SamplerTarget, line)
    except ProtocolProblem as problem:
        sys.exit(str(problem))
    asyncio.run(work(target, out))
