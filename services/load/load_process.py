"""One process of a pool: `python -m services.load.load_process`. `process_pool.py` starts it.

It receives a `Job`, then `PlayRepeat` and `Begin` for each repeat (see `protocol.py`). The end of
standard input ends the process, so that it does not outlive its worker.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import ceil
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
from services.load.repeat import RepeatPlayer
from services.wire import limits

Inbox = asyncio.Queue[Message | None]  # None: no more messages will come


def max_in_flight(job: Job) -> int:
    """Return how many requests of the job's shard may be in flight."""
    return ceil(modes.at_once(job.config) / job.shard.of)


async def listen(
    reader: asyncio.StreamReader, player: RepeatPlayer, inbox: Inbox, send: Send
) -> None:
    """Put messages into the inbox until standard input ends; `StopRepeat` takes effect at once."""
    try:
        while line := await reader.readline():
            if isinstance(message := decode(line), StopRepeat):
                player.stop_repeat()
            else:
                inbox.put_nowait(message)
    except ProtocolProblem as problem:
        send(Problem(str(problem)))
    player.stop()
    inbox.put_nowait(None)


async def work() -> None:
    """Play the repeats requested on standard input until it ends."""
    send, reader, inbox = sender(PROTOCOL), await standard_input(), Inbox()
    try:
        job = expect(Job, await reader.readline())
        limits.allow_files(max_in_flight(job) + limits.SPARE_FILES)
    except (ProtocolProblem, limits.MachineLimit) as error:
        send(Problem(str(error)))
        return
    player, late_s = RepeatPlayer(job, send), 0.0
    listening = asyncio.create_task(listen(reader, player, inbox, send))

    async def on_ready() -> int:
        nonlocal late_s
        send(Ready())
        message = await inbox.get()
        now = perf_counter_ns()
        if not isinstance(message, Begin):  # standard input has ended: stopping
            inbox.put_nowait(None)  # for the loop below, which ends with it
            return now
        late_s = max(0.0, (now - message.at_ns) / 1e9)
        return message.at_ns

    try:
        while isinstance(message := await inbox.get(), PlayRepeat):
            played = await player.play(message.repeat, on_ready)
            late = {"begun_late_s": late_s} if late_s else {}
            send(replace(played, health={**played.health, **late}))
    except OSError as error:
        send(Problem(f"The backend cannot be reached: {error.strerror or error}."))
    except Exception as error:  # an unexpected error is reported and ends the run
        send(Problem(fault(error)))
    finally:
        listening.cancel()
        player.client.close()


if __name__ == "__main__":
    asyncio.run(work())
