"""The process that works on tasks:

`python -m jobs.task_worker`, started by the supervisor. It claims servers and their tasks from the
database, sends them, and stores the outcomes, many at a time and never while handling an answer. It
ends when its standard input closes, on which it receives secrets; its unfinished tasks are queued
again, by itself or, if it was killed, by the next one.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sys
from collections.abc import Mapping
from secrets import token_hex
from threading import Timer
from time import monotonic
from typing import Any

import orjson
from sqlalchemy import Engine

from db import task_queue, tasks
from db.database import UNUSABLE, connect, upgrade
from db.task_queue import TaskWorker, WorkerGone
from jobs.absent_machines import AbsentMachines
from jobs.retry import with_retries
from jobs.supervisor_lock import QueueProblem, machine_id, supervisor_file
from jobs.task_client import Secrets, TaskClient
from jobs.task_scheduler import TaskScheduler
from services.ask.tasks import limits
from services.base import ipc, logs, private_file, settings
from services.base.fault import fault

LOOK_S = 0.25  # between two looks at the queue
SPACE_S = 0.04  # between two exchanges with the database, so that several ends are written together
HEARTBEAT_S = 2.0
EXPIRE_S = 5.0
UNWIND_S = 5.0  # to release everything at the end

log = logging.getLogger("paceline.tasks")


class Worker:
    """Claims servers, exchanges tasks with the database and sends them, until it is stopped."""

    def __init__(self, database: Engine, me: TaskWorker, secrets: Secrets) -> None:
        self._database, self._me, self._secrets = database, me, secrets
        self._servers: dict[str, TaskScheduler] = {}
        self._changed, self._absent = asyncio.Event(), AbsentMachines()
        self._last: dict[str, float] = {}  # when each step was last done

    async def work(self) -> None:
        """Work until cancelled. Raises WorkerGone."""
        await asyncio.to_thread(task_queue.register_worker, self._database, self._me)
        while True:
            if self._due("look", LOOK_S):
                await self._look()
            await self._exchange()
            await self._release()
            await self._pause()

    async def end(self) -> None:
        """Store what has ended, and release everything."""
        ended = [each for scheduler in self._servers.values() for each in scheduler.ended()]
        await asyncio.gather(*(scheduler.stop() for scheduler in self._servers.values()))
        await self._call(task_queue.exchange, self._me, ended, {}, {})
        await self._call(task_queue.remove_worker, self._me.worker)

    async def _look(self) -> None:
        """Claim servers with tasks, and look whose tasks wait and whether a run comes first."""
        if self._due("heartbeat", HEARTBEAT_S):
            await self._call(task_queue.heartbeat, self._me.worker)
        if self._due("expire_workers", EXPIRE_S):
            await self._expire()
            await self._forget_secrets()
        for server in await self._call(task_queue.waiting_servers, self._me.machine):
            if server not in self._servers and await self._call(
                task_queue.claim_server, self._me, server
            ):
                at_once = _at_once()
                client = TaskClient(self._database, self._secrets, at_once)
                self._servers[server] = TaskScheduler(client, at_once, self._changed.set)
        for server, scheduler in self._servers.items():
            scheduler.paused = await self._call(task_queue.run_waits, server)
            scheduler.set_callers(await self._call(task_queue.callers, self._me.machine, server))

    async def _expire(self) -> None:
        """Queue the tasks of dead processes again, and end those whose machine is gone."""
        await self._call(task_queue.expire_workers, self._me.worker)
        if gone := self._absent.gone(await self._call(task_queue.absent_machines)):
            await self._call(task_queue.end_abandoned, gone)

    async def _forget_secrets(self) -> None:
        """Forget the secrets whose tasks have all ended. They arrive after their tasks were stored,
        so those that are here before the look have been needed."""
        if here := self._secrets.tickets:
            self._secrets.forget(here - await self._call(tasks.tickets))

    async def _exchange(self) -> None:
        """Store what ended and began, claim more tasks, and drop those that were cancelled."""
        ended = {server: scheduler.ended() for server, scheduler in self._servers.items()}
        begun = {server: dict(scheduler.begun) for server, scheduler in self._servers.items()}
        to_claim = {
            (server, caller): count
            for server, scheduler in self._servers.items()
            for caller, count in scheduler.to_claim().items()
        }
        if not self._servers:
            return
        held = {number for scheduler in self._servers.values() for number in scheduler.known()}
        claimed, mine = await self._call(
            task_queue.exchange,
            self._me,
            [each for some in ended.values() for each in some],
            {number: at for some in begun.values() for number, at in some.items()},
            to_claim,
        )
        for server, scheduler in self._servers.items():
            scheduler.stored(ended[server], begun[server])
            scheduler.drop(held - mine)
            scheduler.add(task for task in claimed if task.server == server)
            scheduler.begin()

    async def _release(self) -> None:
        for server in [
            server for server, scheduler in self._servers.items() if scheduler.releasable
        ]:
            await self._servers.pop(server).stop()
            await self._call(task_queue.release_server, self._me.worker, server)

    async def _pause(self) -> None:
        """Wait until something has changed, or it is time to look."""
        await asyncio.sleep(SPACE_S)
        try:
            async with asyncio.timeout(LOOK_S):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    async def _call(self, function: Any, *arguments: Any) -> Any:
        """Call a database function in a thread, retrying while the database is unavailable."""
        return await asyncio.to_thread(
            with_retries, lambda: function(self._database, *arguments), "tasks"
        )

    def _due(self, what: str, every_s: float) -> bool:
        due = monotonic() - self._last.get(what, float("-inf")) >= every_s
        if due:
            self._last[what] = monotonic()
        return due


def _at_once() -> int:
    try:
        return limits.at_once(settings.environment())
    except (limits.InvalidLimit, settings.InvalidSettings) as problem:  # submissions are refused
        log.warning("%s", problem)
        return limits.DEFAULT_AT_ONCE


async def serve(database: Engine, me: TaskWorker) -> None:
    """Work until standard input ends; secrets arrive on it."""
    secrets = Secrets()
    worker = Worker(database, me, secrets)
    working = asyncio.create_task(worker.work())
    reading = asyncio.create_task(_read(secrets))
    await asyncio.wait([working, reading], return_when=asyncio.FIRST_COMPLETED)
    limit = Timer(UNWIND_S, os._exit, [1])
    limit.daemon = True
    limit.start()
    working.cancel()
    reading.cancel()
    try:
        await working
    except asyncio.CancelledError:
        await worker.end()
    except WorkerGone:
        log.warning("tasks: another process took over, because this one was considered dead")
        os._exit(1)  # at once: another process may already be running these tasks
    except Exception as error:
        log.error("tasks: this process ends")
        fault(error)
        os._exit(1)


async def _read(secrets: Secrets) -> None:
    reader = await ipc.standard_input()
    while line := await reader.readline():
        message: Mapping[str, Mapping[str, Any]] = orjson.loads(line)
        await secrets.add(message)


def main() -> None:
    """Run as the task process of this place, once the previous one is gone."""
    settings.load()
    logs.setup("tasks", os.environ)
    database = connect()
    upgrade(database)
    file = supervisor_file(database, "tasks")
    private_file.create_folder(file.parent)
    lock = private_file.open_file(file, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    me = TaskWorker(token_hex(8), f"{machine_id()} {file.name}", machine_id())
    asyncio.run(serve(database, me))


if __name__ == "__main__":
    try:
        main()
    except (settings.InvalidSettings, QueueProblem, *UNUSABLE) as problem:
        sys.exit(str(problem))
