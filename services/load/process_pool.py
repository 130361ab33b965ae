"""Several processes that play one repeat together: prepared one by one, started at the same moment.

They share this machine's monotonic clock, so a start time means the same to each, and their times
need no reconciliation. This process sends no requests itself; it passes on the others' messages.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from services.ask.measurement import WARM_UP_ENDS, Progress
from services.base.ipc import LINE_BYTES, Message, ProtocolProblem, Send
from services.base.root import ROOT
from services.load.protocol import (
    Begin,
    Job,
    Played,
    PlayRepeat,
    Problem,
    ProgressSeen,
    Ready,
    StopRepeat,
    decode,
    encode,
)
from services.load.repeat import OnReady
from services.load.response_profile import median_profile

LEAD_NS = 50_000_000  # from `Begin` to the start: time to reach every process
STOP_S = 1.0
SUMMED_FIELDS = ("sent", "in_flight", "done", "failed", "tokens", "sent_again")
COUNTED_HEALTH = (WARM_UP_ENDS, "oddities", "unsent_turns")
MAX_FIELDS = ("late_p99_s", "lag_p99_s", "cpu_share")
Expected = TypeVar("Expected", bound=Message)


class ProcessPoolProblem(RuntimeError):
    """A pool cannot go on; the message is a sentence."""


class LoadProcess:
    """One load process, from its pool's side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.progress: Progress | None = None
        self.playing = False

    @classmethod
    async def start(cls, job: Job) -> LoadProcess:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.load.load_process"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        load = cls(process)
        load.send(job)
        return load

    def send(self, message: Message) -> None:
        assert self.process.stdin
        if not self.process.stdin.is_closing():
            self.process.stdin.write(encode(message))

    async def receive(self) -> Message:
        """Return its next message.

        Raises:
            ProcessPoolProblem: it has ended, cannot go on, or is of another version.
        """
        assert self.process.stdout
        try:
            line = await self.process.stdout.readline()
        except ValueError:  # asyncio's, for a line of more than LINE_BYTES
            raise ProcessPoolProblem("One answer is too long to be passed on.") from None
        if not line.endswith(b"\n"):
            raise ProcessPoolProblem("One of the processes that send the requests has ended.")
        try:
            message = decode(line)
        except ProtocolProblem as problem:
            raise ProcessPoolProblem(str(problem)) from None
        if isinstance(message, Problem):
            raise ProcessPoolProblem(message.sentence)
        return message

    async def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class ProcessPool:
    """Plays repeats as `repeat.RepeatPlayer` does, with several processes."""

    def __init__(
        self, processes: Sequence[LoadProcess], send: Send, errors_allowed: int | None
    ) -> None:
        self._processes = processes
        self._send = send
        self._errors_allowed = errors_allowed

    @classmethod
    async def start(cls, jobs: Sequence[Job], send: Send) -> ProcessPool:
        """Start a process for each job.

        Raises:
            ProcessPoolProblem: this machine cannot start so many.
        """
        processes: list[LoadProcess] = []
        pool = cls(processes, send, jobs[0].config.stop_after_errors)
        try:
            for job in jobs:
                processes.append(await LoadProcess.start(job))
        except OSError as error:
            await pool.close()
            raise ProcessPoolProblem(
                f"This machine cannot start {len(jobs)} processes: {error.strerror or error}."
            ) from None
        except asyncio.CancelledError:
            await pool.close()
            raise
        return pool

    def stop(self) -> None:
        """Send nothing more, now or later, and end what is in flight."""
        for load in self._processes:
            assert load.process.stdin
            load.process.stdin.close()

    async def play(self, repeat: int, on_ready: OnReady) -> Played:
        """Play a repeat.

        Raises:
            ProcessPoolProblem: a process has ended, or cannot find the backend.
        """
        for load in self._processes:
            load.progress, load.playing = None, True
            load.send(PlayRepeat(repeat))
        await asyncio.gather(*(self._receive_until(Ready, load) for load in self._processes))
        began = await on_ready() + LEAD_NS
        for load in self._processes:
            load.send(Begin(began))
        played = await asyncio.gather(
            *(self._receive_until(Played, load) for load in self._processes)
        )
        self._send(ProgressSeen(total_progress(self._progress())))
        return combined(played)

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(load.end() for load in self._processes))

    async def _receive_until(self, kind: type[Expected], load: LoadProcess) -> Expected:
        """Pass on a process's messages until one is of `kind`: `Ready` or `Played`; return it."""
        while not isinstance(message := await load.receive(), kind):
            if isinstance(message, ProgressSeen):
                load.progress = message.progress
                self._report_progress(load)
            else:
                self._send(message)
        load.playing = isinstance(message, Ready)
        return message

    def _progress(self) -> list[Progress]:
        return [load.progress for load in self._processes if load.progress is not None]

    def _report_progress(self, source: LoadProcess) -> None:
        """Report the total progress when `source` is the first process that still plays. Stop all
        when together they have reached the limit of errors."""
        progress = self._progress()
        failed = sum(each.failed for each in progress)
        if self._errors_allowed is not None and failed >= self._errors_allowed:
            for load in self._processes:
                load.send(StopRepeat())
        if source is next(load for load in self._processes if load.playing):
            self._send(ProgressSeen(total_progress(progress)))


def total_progress(progress: Sequence[Progress]) -> Progress:
    """Return the progress of all: counts are summed, client health is the worst, and time and
    repeat are the first's."""
    counts = {name: sum(getattr(each, name) for each in progress) for name in SUMMED_FIELDS}
    values = {name: [getattr(each, name) for each in progress] for name in MAX_FIELDS}
    worst = {
        name: max((v for v in values[name] if v is not None), default=None) for name in MAX_FIELDS
    }
    both: dict[str, Any] = {**counts, **worst}
    return replace(progress[0], **both)


def combined(played: Sequence[Played]) -> Played:
    """Return the shards' results as one: the longest duration, and the worst client health."""
    healths = [each.health for each in played]
    lags = [h["loop_lag_p99_s"] for h in healths if h["loop_lag_p99_s"] is not None]
    kernel = all(health["clock"] == "kernel" for health in healths)
    health = {
        "clock": "kernel" if kernel else "loop",
        "cpu_share": max(health["cpu_share"] for health in healths),
        "loop_lag_p99_s": max(lags, default=None),
        "processes": len(played),
    }
    for name in COUNTED_HEALTH:
        if total := sum((Counter(each.get(name, {})) for each in healths), Counter()):
            health[name] = dict(total)
    profile = median_profile([each.profile for each in played if each.profile])
    return Played(played[0].began_ns, max(each.duration_s for each in played), health, profile)
