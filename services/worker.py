"""The process that measures: `python -m services.worker`.

A run comes in on standard input as a line of JSON; what was seen goes out on standard output, a
line of JSON a message. The process that reads them writes the database. Another line on standard
input, or its end, cancels the run: a worker does not outlive the one who asked for it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from secrets import token_hex
from threading import Lock
from time import perf_counter_ns
from typing import Any

import orjson

from services.backends import BackendProblem
from services.config import parse
from services.engines import EngineProblem
from services.limits import Impossible
from services.session import Send, Session, measure

UNWIND_S = 1.5  # what a cancelled run may take before it is cut short


async def work() -> None:
    """Carry out the run that standard input asks for; the last message is its `end`."""
    send = sender()
    config = parse(orjson.loads(sys.stdin.buffer.readline()))
    session = Session(config, os.environ, send, perf_counter_ns(), mark=token_hex(4))
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
    except (Impossible, EngineProblem, BackendProblem) as error:
        problem = str(error)
    except OSError as error:
        problem = f"The backend cannot be reached: {error.strerror or error}."
    send({"type": "end", "cancelled": session.cancelled, "problem": problem})


def sender() -> Send:
    """Return a function that writes a message to the real standard output, whole, from any thread.
    Whatever a library prints goes to standard error instead."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lock = Lock()

    def send(message: dict[str, Any]) -> None:
        line = orjson.dumps(message) + b"\n"
        with lock, suppress(BrokenPipeError):  # who asked is gone: standard input ends us
            out.write(line)
            out.flush()

    return send


if __name__ == "__main__":
    asyncio.run(work())
