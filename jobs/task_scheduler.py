"""Schedules the tasks of one server: limits how many run at once, and lets callers take turns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Set
from datetime import UTC, datetime
from time import monotonic

from db.task_queue import ClaimedTask, EndedTask
from jobs.task_client import TaskClient
from services.ask.tasks import TaskEnd
from services.base.fault import fault

LINGER_S = 5.0  # with nothing to do: connections and the embedded model are kept for the next task
RESERVE = 2  # tasks claimed ahead per caller, as a multiple of those running at once


class TaskScheduler:
    """Begins tasks while fewer than `at_once` are running. `changed` is called when one ends."""

    def __init__(self, client: TaskClient, at_once: int, changed: Callable[[], None]) -> None:
        self.client = client
        self.begun: dict[int, datetime] = {}  # those that began since the last store
        self.paused = False
        self._at_once, self._changed = at_once, changed
        self._waiting: dict[str, deque[ClaimedTask]] = {}  # by caller, in the order of their turns
        self._callers: list[str] = []  # those whose tasks wait in the database
        self._running: dict[int, asyncio.Task[None]] = {}
        self._ended: list[EndedTask] = []
        self._ended_lately = 0
        self._busy_at = monotonic()

    @property
    def releasable(self) -> bool:
        """Whether the server can be released: it is paused and no task is running any more, or none
        has been for a while."""
        if self._running or self._ended:
            self._busy_at = monotonic()
            return False
        waits = bool(self._callers) or any(self._waiting.values())
        return self.paused or (not waits and monotonic() - self._busy_at > LINGER_S)

    def set_callers(self, callers: list[str]) -> None:
        """Set the callers whose tasks wait in the database."""
        self._callers = callers

    def to_claim(self) -> dict[str, int]:
        """Return how many more tasks to claim, by caller: enough until the next time."""
        if self.paused:
            return {}
        ahead = max(RESERVE * self._at_once, RESERVE * self._ended_lately)
        missing = {caller: ahead - len(self._waiting.get(caller, ())) for caller in self._callers}
        return {caller: count for caller, count in missing.items() if count > 0}

    def add(self, claimed: Iterable[ClaimedTask]) -> None:
        """Queue tasks that were claimed."""
        for task in claimed:
            self._waiting.setdefault(task.caller, deque()).append(task)

    def known(self) -> set[int]:
        """Return the claimed tasks that have not ended."""
        return {task.id for queue in self._waiting.values() for task in queue} | set(self._running)

    def drop(self, cancelled: Set[int]) -> None:
        """Drop tasks that were cancelled; their requests stop."""
        for caller, queue in [*self._waiting.items()]:
            self._waiting[caller] = deque(task for task in queue if task.id not in cancelled)
        for number in cancelled & self._running.keys():
            self._running.pop(number).cancel()
            self.begun.pop(number, None)

    def begin(self) -> None:
        """Begin as many tasks as may run, one of each caller in turn."""
        while not self.paused and len(self._running) < self._at_once:
            caller = next((caller for caller, queue in self._waiting.items() if queue), None)
            if caller is None:
                return
            queue = self._waiting.pop(caller)
            task = queue.popleft()
            self._waiting[caller] = queue  # after the others
            self.begun[task.id] = datetime.now(UTC)
            self._running[task.id] = asyncio.create_task(self._send(task, self.begun[task.id]))

    def ended(self) -> list[EndedTask]:
        """Return the tasks that have ended and are not yet stored."""
        return list(self._ended)

    def stored(self, ended: Collection[EndedTask], begun: Collection[int]) -> None:
        """Forget the ends and starts that have been stored."""
        done = {each.id for each in ended}
        self._ended = [each for each in self._ended if each.id not in done]
        self._ended_lately = len(done)
        for number in begun:
            self.begun.pop(number, None)

    async def stop(self) -> None:
        """Stop all running tasks."""
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()
        await self.client.close()

    async def _send(self, task: ClaimedTask, began: datetime) -> None:
        try:
            end = await self.client.send(task.settings, task.prompt)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a bug ends this task, not all of them
            end = TaskEnd("failed", error=fault(error))
        if self._running.pop(task.id, None) is not None:  # else it was cancelled
            self.begun.pop(task.id, None)
            self._ended.append(EndedTask(task.id, began, datetime.now(UTC), end))
        self.begin()
        self._changed()
