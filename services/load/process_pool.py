"""Several processes that play one repeat together: ready one by one, begun at one moment.

They share this machine's monotonic clock, so their times need no reconciling: a moment to begin at
means the same to each. This process sends nothing itself; it hands on what its members tell.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from services.base.ipc import LINE_BYTES, Send
from services.load.load_process import described
from services.load.repeat import Go, Job, Played
from services.load.response_profile import ResponseProfile, typical
from services.servers.engines.within import ROOT

LEAD_NS = 50_000_000  # from the word to the beginning: what it takes to reach every member
STOP_S = 1.0
COUNTS = ("sent", "in_flight", "done", "failed", "tokens")
WORST = ("late_p99_s", "lag_p99_s", "cpu_share")


class ProcessPoolProblem(RuntimeError):
    """A pool that cannot play on, in a sentence."""


class LoadProcess:
    """One process, as its pool sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.progress: dict[str, Any] = {}
        self.playing = False

    @classmethod
    async def started(cls, job: Job) -> LoadProcess:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.load.load_process"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        member = cls(process)
        member.tell(described(job))
        return member

    def tell(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        if not self.process.stdin.is_closing():
            self.process.stdin.write(orjson.dumps(message) + b"\n")

    async def told(self) -> dict[str, Any]:
        """Return its next message.

        Raises:
            ProcessPoolProblem: it has ended, or met a problem.
        """
        assert self.process.stdout
        line = await self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise ProcessPoolProblem("One of the processes that send the requests has ended.")
        message: dict[str, Any] = orjson.loads(line)
        if message["type"] == "problem":
            raise ProcessPoolProblem(message["sentence"])
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
    """Plays repeats like `repeat.Playing` does, by its members."""

    def __init__(
        self, members: Sequence[LoadProcess], send: Send, errors_allowed: int | None
    ) -> None:
        self._members = members
        self._send = send
        self._errors_allowed = errors_allowed

    @classmethod
    async def started(cls, jobs: Sequence[Job], send: Send) -> ProcessPool:
        """Start a process for each job.

        Raises:
            ProcessPoolProblem: this machine does not start so many.
        """
        members: list[LoadProcess] = []
        pool = cls(members, send, jobs[0].config.stop_after_errors)
        try:
            for job in jobs:
                members.append(await LoadProcess.started(job))
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
        for member in self._members:
            assert member.process.stdin
            member.process.stdin.close()

    async def play(self, repeat: int, go: Go) -> Played:
        """Play a repeat.

        Raises:
            ProcessPoolProblem: a member has ended, or cannot find the backend.
        """
        for member in self._members:
            member.progress, member.playing = {}, True
            member.tell({"repeat": repeat})
        await asyncio.gather(*(self._until(member, "ready") for member in self._members))
        began = await go() + LEAD_NS
        for member in self._members:
            member.tell({"begin": began})
        played = await asyncio.gather(*(self._until(m, "played") for m in self._members))
        self._tell([member.progress for member in self._members])
        return together([_played(message["played"]) for message in played])

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(member.end() for member in self._members))

    async def _until(self, member: LoadProcess, kind: str) -> dict[str, Any]:
        while (message := await member.told())["type"] != kind:  # "ready" or "played"
            if message["type"] == "progress":
                member.progress = message["progress"]
                self._tell_progress(member)
            else:
                self._send(message)
        member.playing = kind == "ready"
        return message

    def _tell_progress(self, of: LoadProcess) -> None:
        """Tell how far all are, whenever the first that still plays says how far it is."""
        said = [member.progress for member in self._members if member.progress]
        failed = sum(progress["failed"] for progress in said)
        if self._errors_allowed is not None and failed >= self._errors_allowed:
            for member in self._members:
                member.tell({"stop": True})
        if of is next(member for member in self._members if member.playing):
            self._tell(said)

    def _tell(self, said: Sequence[dict[str, Any]]) -> None:
        self._send({"type": "progress", "progress": summed(said)})


def summed(said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the progress of all: counts add up, time and repeat are those of the first, and what
    is said of the client is the worst."""
    counts = {name: sum(progress[name] for progress in said) for name in COUNTS}
    worst = {
        name: max((p[name] for p in said if p[name] is not None), default=None) for name in WORST
    }
    return {**said[0], **counts, **worst}


def _played(data: dict[str, Any]) -> Played:
    profile = data["profile"]
    return Played(**{**data, "profile": ResponseProfile(**profile) if profile else None})


def together(played: Sequence[Played]) -> Played:
    """Return what all have played as one: as long as the longest, as healthy as the worst."""
    healths = [one.health for one in played]
    lags = [h["loop_lag_p99_s"] for h in healths if h["loop_lag_p99_s"] is not None]
    kernel = all(health["clock"] == "kernel" for health in healths)
    health = {
        "clock": "kernel" if kernel else "loop",
        "cpu_share": max(health["cpu_share"] for health in healths),
        "loop_lag_p99_s": max(lags, default=None),
        "processes": len(played),
    }
    if odd := sum((Counter(h.get("oddities", {})) for h in healths), Counter()):
        health["oddities"] = dict(odd)
    profile = typical([one.profile for one in played if one.profile])
    return Played(played[0].began_ns, max(one.duration_s for one in played), health, profile)
