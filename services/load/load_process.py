"""One process of a pool: `python -m services.load.load_process`. `process_pool.py` starts it.

It is told a `Job`, then for each repeat `PlayRepeat` and `Begin` (see `protocol.py`). The end of
standard input ends the process, so that it does not outlive its worker.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns

from services.ask import modes
from services.base.fault import fault
from services.base.ipc import Message, ProtocolProblem, Send, sender, standard_input
from services.load.protocol import (
    PROTOCOL,
    Begin,
    Job,
    PlayRepeat,
    Problem,
    Ready,
    StopRepeat,
    decode,
    expect,
)
from services.load.repeat import Playing
from services.wire import limits

Inbox = asyncio.Queue[Message | None]  # None: nothing more will come


def at_once(job: Job) -> int:
    """Return how many requests of the job's shard may be in flight."""
    count = len(job.shard.indices(job.config.requests))
    return min(job.shard.schedule(modes.schedule(job.config)).in_flight or count, count)


async def listen(reader: asyncio.StreamReader, playing: Playing, inbox: Inbox, send: Send) -> None:
    """Pass on what is asked until nothing more can be."""
    try:
        while line := await reader.readline():
            if isinstance(message := decode(line), StopRepeat):
                playing.stop_repeat()
            else:
                inbox.put_nowait(message)
    except ProtocolProblem as problem:
        send(Problem(str(problem)))
    playing.stop()
    inbox.put_nowait(None)


async def work() -> None:
    """Play what standard input asks for until it ends."""
    send, reader, inbox = sender(PROTOCOL), await standard_input(), Inbox()
    try:
        job = expect(Job, await reader.readline())
        limits.allow_files(at_once(job) + limits.SPARE_FILES)
    except (ProtocolProblem, limits.Impossible) as error:
        send(Problem(str(error)))
        return
    playing = Playing(job, send)
    listening = asyncio.create_task(listen(reader, playing, inbox, send))

    async def go() -> int:
        send(Ready())
        message = await inbox.get()
        return message.at_ns if isinstance(message, Begin) else perf_counter_ns()  # it is to end

    try:
        while isinstance(message := await inbox.get(), PlayRepeat):
            send(await playing.play(message.repeat, go))
    except OSError as error:
        send(Problem(f"The backend cannot be reached: {error.strerror or error}."))
    except Exception as error:  # whatever nobody thought of: the run is told, and ends
        send(Problem(fault(error)))
    finally:
        listening.cancel()
        playing.client.close()


if __name__ == "__main__":
    asyncio.run(work())
