"""One process of a pool: `python -m services.load.load_process`. `process_pool.py` starts it.

Its job comes in as a line of JSON, then `repeat` with a number, answered by `ready` when its
connections are open, and `begin` with the time to begin at. `stop` ends the repeat in hand, and
the end of standard input ends the process, so that it does not outlive its worker.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from time import perf_counter_ns
from typing import Any

import orjson

from services.ask import modes
from services.ask.backends.stored_target import private, public, whole
from services.ask.config import stored
from services.base.fault import fault
from services.base.ipc import sender, standard_input
from services.load.repeat import Job, Playing
from services.load.shards import Shard
from services.wire import limits

Inbox = asyncio.Queue[dict[str, Any]]


def described(job: Job) -> dict[str, Any]:
    """Return a job as JSON-ready data, with its keys: for a pipe, and for nothing else."""
    return {
        "config": job.config.model_dump(mode="json"),
        "target": {**public(job.target), **private(job.target)},
        "nonce": job.nonce,
        "run_began_ns": job.run_began_ns,
        "share": asdict(job.shard),
    }


def job_of(data: dict[str, Any]) -> Job:
    """Return the job that `described` wrote down."""
    config, target = stored(data["config"]), whole(data["target"], {})
    return Job(config, target, data["nonce"], data["run_began_ns"], Shard(**data["share"]))


def at_once(job: Job) -> int:
    """Return how many requests of the job's share may be in flight."""
    count = len(job.shard.indices(job.config.requests))
    return min(job.shard.schedule(modes.schedule(job.config)).in_flight or count, count)


async def listen(reader: asyncio.StreamReader, playing: Playing, inbox: Inbox) -> None:
    """Hand on what is asked until nothing more can be."""
    while line := await reader.readline():
        message = orjson.loads(line)
        if "stop" in message:
            playing.stop_repeat()
        else:
            inbox.put_nowait(message)
    playing.stop()
    inbox.put_nowait({"end": True})


async def work() -> None:
    """Play what standard input asks for until it ends."""
    send, reader, inbox = sender(), await standard_input(), Inbox()
    try:
        job = job_of(orjson.loads(await reader.readline()))
        limits.allow_files(at_once(job) + limits.SPARE_FILES)
    except limits.Impossible as error:
        send({"type": "problem", "sentence": str(error)})
        return
    playing = Playing(job, send)
    listening = asyncio.create_task(listen(reader, playing, inbox))

    async def go() -> int:
        send({"type": "ready"})
        return (await inbox.get()).get("begin") or perf_counter_ns()  # none: it is to end

    try:
        while (repeat := (await inbox.get()).get("repeat")) is not None:
            send({"type": "played", "played": asdict(await playing.play(repeat, go))})
    except OSError as error:
        why = error.strerror or error
        send({"type": "problem", "sentence": f"The backend cannot be reached: {why}."})
    except Exception as error:  # whatever nobody thought of: the run is told, and ends
        send({"type": "problem", "sentence": fault(error)})
    finally:
        listening.cancel()
        playing.client.close()


if __name__ == "__main__":
    asyncio.run(work())
