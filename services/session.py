"""One run carried out: the engine if it needs one, the warm-up, every repeat, and what was seen.

What is seen leaves as messages, so that nothing on a token's way touches a disk or a database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter_ns

from services import backends, engines, limits, machine, modes, probe
from services.config import RunConfig
from services.measurement import Repeat
from services.repeat import Job, Playing
from services.share import shares
from services.talk import Send
from services.team import Team


@dataclass
class Session:
    """One run: what is asked, where messages go, whether it is to stop. `mark` makes its prompts
    differ from those of every other run, which the server may still have in a cache."""

    config: RunConfig
    env: Mapping[str, str]
    send: Send
    began_ns: int
    mark: str
    players: Playing | Team | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True
        if self.players is not None:
            self.players.stop()

    @contextmanager
    def stopping(self, players: Playing | Team) -> Iterator[None]:
        """While it lasts, `cancel` stops these players."""
        self.players = players
        if self.cancelled:
            players.stop()
        try:
            yield
        finally:
            self.players = None

    def phase(self, words: str) -> None:
        self.send({"type": "phase", "phase": words})


async def measure(session: Session) -> None:
    """Carry the run out.

    Raises:
        Impossible, EngineProblem, BackendProblem, OSError: why it could not be.
    """
    config = session.config
    target = backends.target(config, session.env)
    longest = limits.check(config)
    if config.backend not in engines.ENGINES:
        await _on(session, target)
        return
    slots, context = engines.size(config, longest)
    session.phase(f"Starting {engines.ENGINES[config.backend].label}")
    shared = not config.unique_prompts  # a prefix cache only where it is what is measured
    async with engines.started(config.backend, slots, context, shared) as base_url:
        facts = {"slots": slots, "context_per_slot": context}
        session.send({"type": "environment", "values": facts})
        await _on(session, target.at(base_url))


async def _on(session: Session, target: backends.Target) -> None:
    config = session.config
    target = await probe.with_model(target)
    facts = await probe.engine_facts(target)
    libraries = ("litellm",) if target.client == "litellm" else ()
    environment = {**machine.environment(libraries=libraries), **facts, "prompt_mark": session.mark}
    if target.proxy:
        environment["through_proxy"] = True
    session.send({"type": "model", "model": target.model})
    session.send({"type": "environment", "values": environment})
    job = Job(config, target, session.mark, session.began_ns)
    await _warm_up(session, job)
    async with _players(session, job) as players:
        for repeat in range(config.repeats):
            if not session.cancelled:
                await _repeat(session, players, repeat)


async def _warm_up(session: Session, job: Job) -> None:
    if not session.config.warmup or session.cancelled:
        return
    session.phase("Warming up")
    alone = Playing(job, session.send)
    try:
        with session.stopping(alone):
            await alone.warm_up()
    finally:
        alone.client.close()


@asynccontextmanager
async def _players(session: Session, job: Job) -> AsyncIterator[Playing | Team]:
    """Yield who plays the repeats: this process, or a team where the load wants one."""
    parts = shares(job.config, modes.schedule(job.config), machine.cores())
    if len(parts) == 1:
        alone = Playing(job, session.send)
        try:
            yield alone
        finally:
            alone.client.close()
        return
    session.phase(f"Starting {len(parts)} processes to send the requests")
    team = await Team.started([replace(job, share=share) for share in parts], session.send)
    try:
        yield team
    finally:
        await team.close()


async def _repeat(session: Session, players: Playing | Team, repeat: int) -> None:
    config = session.config
    several = f", repeat {repeat + 1} of {config.repeats}" if config.repeats > 1 else ""
    session.phase("Measuring" + several)
    began_at = datetime.now(UTC)

    async def go() -> int:
        nonlocal began_at
        began_at = datetime.now(UTC)
        session.send({"type": "repeat", "repeat": Repeat(repeat, began_at)})
        return perf_counter_ns()

    with session.stopping(players):
        played = await players.play(repeat, go)
    health = {**played.health, "began_ns": played.began_ns}
    finished = Repeat(repeat, began_at, played.duration_s, health)
    session.send({"type": "repeat", "repeat": finished})
