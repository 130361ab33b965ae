"""The process that measures: `python -m services.load.worker`.

It reads one work item of a run as a line of JSON on standard input (see `ask/work_item.py`), and
writes what it measures to standard output, one message per line, which the supervisor stores.
Another line on standard input, or its end, cancels the run: no worker outlives its supervisor.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from secrets import token_hex
from time import perf_counter_ns

import orjson

from services.ask.backends import BackendProblem
from services.ask.work_item import from_dict
from services.base import untrusted
from services.base.fault import fault
from services.base.ipc import Send, sender
from services.load.process_pool import ProcessPoolProblem
from services.load.session import Session, measure
from services.servers.engines import EngineProblem
from services.wire.limits import Impossible

UNWIND_S = 1.5  # what a cancelled run may take before it is cut short


async def work() -> None:
    """Carry out the turn that standard input asks for; the last message is its `end`."""
    send = sender()
    try:
        cancelled, problem = await _carry_out(send)
    except Exception as error:  # whatever nobody thought of ends the run with a sentence, too
        cancelled, problem = False, fault(error)
    send({"type": "end", "cancelled": cancelled, "problem": problem})


async def _carry_out(send: Send) -> tuple[bool, str | None]:
    """Return whether the turn was cut short, and why it could not be carried out."""
    turn = from_dict(orjson.loads(sys.stdin.buffer.readline()))
    turn = replace(turn, nonce=turn.nonce or token_hex(4))
    os.environ.update(turn.env)  # in memory: what /proc shows of a process is how it began
    session = Session(turn, os.environ, send, perf_counter_ns())
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(measure(session))

    def on_input() -> None:
        loop.remove_reader(0)
        session.cancel()
        loop.call_later(UNWIND_S, task.cancel)  # an engine that starts, a server that hangs

    loop.add_reader(0, on_input)
    problem: str | None = None
    try:
        await task
    except asyncio.CancelledError:
        session.cancelled = True
    except (Impossible, EngineProblem, BackendProblem, ProcessPoolProblem) as error:
        problem = str(error)
    except OSError as error:
        problem = f"The backend cannot be reached: {error.strerror or error}."
    problem = problem and untrusted.text(problem, session.secrets, untrusted.SENTENCE)
    return session.cancelled and not session.measured, problem


if __name__ == "__main__":
    asyncio.run(work())
