"""The process that measures: `python -m services.load.worker`.

It reads a work item from standard input and writes messages to standard output (see `protocol.py`),
which its supervisor stores in the database. Any further line on standard input, or its end, cancels
the run, so that a worker does not outlive its supervisor.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from secrets import token_hex
from time import perf_counter_ns

from services.ask.backends import BackendProblem
from services.ask.work_item import WorkItem
from services.base import logs, untrusted
from services.base.fault import fault
from services.base.ipc import ProtocolProblem, Send, sender
from services.load.process_pool import ProcessPoolProblem
from services.load.protocol import PROTOCOL, End
from services.load.session import Session, measure
from services.servers.engines import EngineProblem
from services.wire.limits import MachineLimit

UNWIND_S = 1.5  # the longest that a cancelled run may take to end by itself


async def work() -> None:
    """Carry out the work item on standard input; the last message is its `End`."""
    send = sender(PROTOCOL)
    try:
        cancelled, problem = await _run_work_item(send)
    except Exception as error:  # an unexpected error also ends the run with a sentence
        cancelled, problem = False, fault(error)
    send(End(cancelled, problem))


async def _run_work_item(send: Send) -> tuple[bool, str | None]:
    """Return whether the work item was cancelled, and why it could not be carried out."""
    try:
        item = PROTOCOL.expect(WorkItem, sys.stdin.buffer.readline())
    except ProtocolProblem as error:
        return False, str(error)
    item = replace(item, nonce=item.nonce or token_hex(4))
    os.environ.update(item.env)  # in memory only: /proc shows the initial environment
    session = Session(item, os.environ, send, perf_counter_ns())
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(measure(session))

    def on_input() -> None:
        loop.remove_reader(0)
        session.cancel()
        loop.call_later(UNWIND_S, task.cancel)  # during an engine's start, or if a server hangs

    loop.add_reader(0, on_input)
    problem: str | None = None
    try:
        await task
    except asyncio.CancelledError:
        session.cancelled = True
    except (MachineLimit, EngineProblem, BackendProblem, ProcessPoolProblem) as error:
        problem = str(error)
    except OSError as error:
        problem = f"The backend cannot be reached: {error.strerror or error}."
    problem = problem and untrusted.text(problem, session.secrets, untrusted.SENTENCE)
    return session.cancelled and not session.measured, problem


if __name__ == "__main__":
    logs.setup("worker", os.environ)
    asyncio.run(work())
