"""The process that watches a server: `python -m services.servers.telemetry`.

What to watch comes in on standard input as a line of JSON (see `target.py`); a sample goes out on
standard output, a line of JSON each, until standard input ends. It steps back behind the client: a
sample that comes late is better than a token that is read late.
"""

from __future__ import annotations

import asyncio
import sys
from time import monotonic

from services.base.ipc import ProtocolProblem, Send, sender
from services.base.watchdog import cpu_limit, end_with_parent
from services.servers.embedded import step_back
from services.servers.protocol import PROTOCOL, Sampled
from services.servers.telemetry.sampler import Sampler
from services.servers.telemetry.target import SamplerTarget

LOOK_CPU_S = 5.0  # one takes milliseconds; a page of 4 MB, half a second


async def work(asked: SamplerTarget, send: Send) -> None:
    """Look once a period, until this process is ended."""
    sampler = Sampler(asked)
    due = monotonic()
    while True:
        with cpu_limit(LOOK_CPU_S):
            sample = await sampler.look()
        if sample.values:
            send(Sampled(sample.t, sample.values))
        due += asked.period_s
        if due < monotonic():  # late: no two looks in a row to make up for it
            due = monotonic() + asked.period_s
        await asyncio.sleep(due - monotonic())


if __name__ == "__main__":
    step_back()
    out = sender(PROTOCOL)
    line = sys.stdin.buffer.readline()
    end_with_parent()
    try:
        target = PROTOCOL.expect(SamplerTarget, line)
    except ProtocolProblem as problem:
        sys.exit(str(problem))
    asyncio.run(work(target, out))
