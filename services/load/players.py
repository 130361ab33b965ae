"""Choose what plays a run: this process, a pool of processes if the load needs one, or the nodes of
a Ray cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.base import machine
from services.base.ipc import Send
from services.load.nodes.pool import NodePool
from services.load.process_pool import ProcessPool
from services.load.protocol import Job
from services.load.repeat import RepeatPlayer
from services.load.shards import shards

Player = RepeatPlayer | ProcessPool | NodePool


@asynccontextmanager
async def open_player(job: Job, send: Send) -> AsyncIterator[Player]:
    """Yield a player for the job's repeats; its messages go to `send`.

    Raises:
        ProcessPoolProblem: see `ProcessPool.start` and `NodePool.start`.
    """
    if job.config.on is not None:
        async with open_nodes(job, send) as nodes:
            yield nodes
        return
    parts = shards(job.config, machine.cores())
    if len(parts) == 1:
        player = RepeatPlayer(job, send)
        try:
            yield player
        finally:
            player.client.close()
        return
    pool = await ProcessPool.start([replace(job, shard=part) for part in parts], send)
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def open_nodes(job: Job, send: Send) -> AsyncIterator[NodePool]:
    """Yield the nodes of the config's cluster. Raises ProcessPoolProblem."""
    nodes = await NodePool.start(job, send)
    try:
        yield nodes
    finally:
        await nodes.close()
