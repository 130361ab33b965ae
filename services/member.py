"""One process of a team: `python -m services.member`. See `team.py` for who talks to it.

Its job comes in as a line of JSON, then `repeat` with a number, answered by `ready` when its
connections are open, and `begin` with the time to begin at. `stop` ends the repeat in hand, and
the end of standard input ends everything: a member does not outlive its team.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import asdict
from time import perf_counter_ns
from typing import Any

import orjson

from services import backends, limits
from services.config import parse
from services.repeat import Job, Playing
from services.share import Share
from services.talk import sender, standard_input

Inbox = asyncio.Queue[dict[str, Any]]


def described(job: Job) -> dict[str, Any]:
    """Return a job as JSON-ready data, without its key."""
    return {
        "config": job.config.model_dump(mode="json"),
        "model": job.target.model,
        "base_url": job.target.base_url,
        "mark": job.mark,
        "run_began_ns": job.run_began_ns,
        "share": asdict(job.share),
    }


def job_of(data: dict[str, Any], env: Mapping[str, str]) -> Job:
    """Return the job that `described` wrote down, with the key that the environment holds."""
    config = parse(data["config"])
    target = backends.target(config, env).named(data["model"])
    if data["base_url"]:
        target = target.at(data["base_url"])
    return Job(config, target, data["mark"], data["run_began_ns"], Share(**data["share"]))


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
    job = job_of(orjson.loads(await reader.readline()), os.environ)
    limits.allow_files(len(job.share.indices(job.config.requests)) + limits.SPARE_FILES)
    playing = Playing(job, send)
    listening = asyncio.create_task(listen(reader, playing, inbox))

    async def go() -> int:
        send({"type": "ready"})
        return (await inbox.get()).get("begin") or perf_counter_ns()  # none: it is to end

    try:
        while (repeat := (await inbox.get()).get("repeat")) is not None:
            send({"type": "played", "played": asdict(await playing.play(repeat, go))})
    except OSError as error:
        send({"type": "problem", "sentence": error.strerror or str(error)})
    finally:
        listening.cancel()
        playing.client.close()


if __name__ == "__main__":
    asyncio.run(work())
