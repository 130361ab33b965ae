"""Keeps the process that works on tasks alive while there are tasks."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

import orjson
from sqlalchemy import Engine

from db import tasks
from jobs import children
from jobs.keys import Keys

RESTART_S = 1.0  # before another process is started, after one that ended by itself
IDLE_S = 30.0  # without tasks, after which the process ends
STOP_S = 6.0  # the process itself takes a second less

log = logging.getLogger("paceline.jobs")


class TaskProcess:
    """The process that answers tasks, if there is one."""

    def __init__(self, database: Engine, keys: Keys) -> None:
        self._database, self._keys = database, keys
        self._process: subprocess.Popen[bytes] | None = None
        self._handed: set[str] = set()  # tickets whose secrets the process has
        self._started_at = self._active_at = float("-inf")

    def __bool__(self) -> bool:
        return self._process is not None

    def tick(self) -> None:
        """Start the process when there are tasks, hand secrets to it, and end it when there are
        none."""
        self._reap()
        if active := tasks.active(self._database):
            self._active_at = monotonic()
        if self._process is None and active and monotonic() - self._started_at > RESTART_S:
            self._start()
        if self._process is not None and active and self._keys:
            self._hand_over(self._process)
        if self._process is not None and monotonic() - self._active_at > IDLE_S:
            self._end_input(self._process)

    def stop(self) -> None:
        """End the process: its tasks are queued again."""
        if self._process is None:
            return
        self._end_input(self._process)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reap()

    def _start(self) -> None:
        self._started_at, self._handed = monotonic(), set()
        try:
            self._process = children.start("jobs.task_worker")
        except OSError as error:
            log.warning("no process for tasks: %s", error)

    def _reap(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        if self._process.returncode:
            log.warning("the process for tasks ended with %s", self._process.returncode)
        self._end_input(self._process)
        if self._process.stdout:
            self._process.stdout.close()
        self._process = None

    def _hand_over(self, process: subprocess.Popen[bytes]) -> None:
        new: dict[str, Mapping[str, Any]] = {}
        needed = tasks.tickets(self._database)
        for ticket in needed - self._handed:
            if (secrets := self._keys.get(ticket)) is not None:
                new[ticket] = secrets
        self._handed = (self._handed & needed) | new.keys()
        if new and process.stdin and not process.stdin.closed:
            with suppress(OSError):  # it has ended: the next process gets them
                process.stdin.write(orjson.dumps(new) + b"\n")
                process.stdin.flush()

    def _end_input(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin and not process.stdin.closed:
            with suppress(OSError):
                process.stdin.close()
