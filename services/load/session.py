"""One work item of a run: the engine if it needs one, the warm-up, the repeats, what was seen.

What is seen leaves as messages, so that nothing on a token's way touches a disk or a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter_ns
from typing import Any

import httpx

from services.ask import backends
from services.ask.config import RunConfig
from services.ask.measurement import Repeat
from services.ask.own_prompts import own_prompts
from services.ask.plan import calibrates
from services.ask.work_item import WorkItem
from services.base import machine, untrusted
from services.base.ipc import Send
from services.load.calibrate import calibrate
from services.load.players import players
from services.load.process_pool import ProcessPool, ProcessPoolProblem
from services.load.protocol import (
    Calibrated,
    Environment,
    Job,
    Model,
    Phase,
    RepeatSeen,
    Served,
    Serving,
)
from services.load.repeat import Playing
from services.load.response_profile import ResponseProfile
from services.servers import engines, probe
from services.wire import limits


@dataclass
class Session:
    """One work item: what is asked, where messages go, whether it is to stop. Its nonce makes
    the prompts differ from those of other runs, which the server may still have in a cache."""

    item: WorkItem
    env: Mapping[str, str] = field(repr=False)
    send: Send
    began_ns: int
    playing: Playing | ProcessPool | None = None
    # What no server may have kept: the key, the person's prompts.
    secrets: tuple[str, ...] = field(default=(), repr=False)
    profile: ResponseProfile | None = None  # of the last repeat's answers
    cancelled: bool = False
    measured: bool = False  # every repeat is over

    @property
    def config(self) -> RunConfig:
        return self.item.config

    def cancel(self) -> None:
        self.cancelled = True
        if self.playing is not None:
            self.playing.stop()

    @contextmanager
    def stopping(self, playing: Playing | ProcessPool) -> Iterator[None]:
        """While it lasts, `cancel` stops what is playing."""
        self.playing = playing
        if self.cancelled:
            playing.stop()
        try:
            yield
        finally:
            self.playing = None

    def phase(self, words: str) -> None:
        self.send(Phase(words))

    def clean(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return data in which a server may have had a say, without secrets and within limits."""
        cleaned: dict[str, Any] = untrusted.data(data, self.secrets)
        return cleaned

    def serving(self, target: backends.Target, pid: int | None) -> None:
        """Tell where the server is, so that it can be watched from elsewhere until `Served`."""
        if target.base_url is not None:
            self.send(Serving(target.base_url, pid, self.began_ns))


async def measure(session: Session) -> None:
    """Carry the run out.

    Raises:
        Impossible, EngineProblem, BackendProblem, OSError: why it could not be.
    """
    config = session.config
    target = _target(session)
    session.secrets = (*target.secrets, *own_prompts(config))
    longest = limits.check(config)
    if config.backend not in engines.WITHIN:
        await _calibrate(session, await _on(session, target))
        return
    slots, context = engines.size(config, longest)
    session.phase(f"Starting {engines.WITHIN[config.backend].label}")
    shared = not config.unique_prompts  # a prefix cache only where it is what is measured
    async with engines.started(config.backend, slots, context, shared) as engine:
        facts = {"slots": slots, "context_per_slot": context}
        session.send(Environment(facts))
        job = await _on(session, target.at(engine.base_url), engine.pid)
    await _calibrate(session, job)  # the engine has ended: it would take the client's cores


def _target(session: Session) -> backends.Target:
    """To whom it goes: as it was submitted, else as this process's environment says."""
    return session.item.target or backends.target(session.config, session.env)


async def _on(session: Session, target: backends.Target, pid: int | None = None) -> Job:
    """Measure what answers at `target`; `pid`: its process, where this one has started it."""
    config = session.config
    prompts = own_prompts(config)
    target = await probe.with_model(target, prompts)
    facts = await probe.engine_facts(target, prompts)
    libraries = ("litellm",) if target.client == "litellm" else ()
    environment = {
        **machine.environment(libraries=libraries),
        **facts,
        "prompt_mark": session.item.nonce,
    }
    if target.proxy:
        environment["through_proxy"] = True
    session.send(Model(target.model))
    session.send(Environment(session.clean(environment)))
    session.serving(target, pid)
    job = Job(config, target, session.item.nonce, session.began_ns)
    await _warm_up(session, job)
    async with players(job, session.send) as playing:
        for repeat in session.item.repeats:
            if not session.cancelled:
                await _repeat(session, playing, repeat)
    session.send(Served())
    return job


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


async def _repeat(session: Session, playing: Playing | ProcessPool, repeat: int) -> None:
    config = session.config
    several = f", repeat {repeat + 1} of {config.repeats}" if config.repeats > 1 else ""
    session.phase("Measuring" + several)
    began_at, anchor_ns = datetime.now(UTC), perf_counter_ns()

    async def go() -> int:
        nonlocal began_at, anchor_ns
        began_at, anchor_ns = datetime.now(UTC), perf_counter_ns()
        session.send(RepeatSeen(Repeat(repeat, began_at)))
        return anchor_ns

    with session.stopping(playing):
        played = await playing.play(repeat, go)
    session.profile = played.profile or session.profile
    t = (played.began_ns - session.began_ns) / 1e9
    health = {**played.health, "began_ns": played.began_ns, "t": t}
    began_at += timedelta(microseconds=(played.began_ns - anchor_ns) / 1000)
    finished = Repeat(repeat, began_at, played.duration_s, health)
    session.send(RepeatSeen(finished))


async def _calibrate(session: Session, job: Job) -> None:
    """Find out what the client adds at this load, where that is wanted and there is an answer to
    play. It spoils no run: what goes wrong is told in its place, and a cancel ends only it."""
    session.measured = not session.cancelled
    wanted = session.item.calibrate and calibrates(session.config)
    if session.cancelled or session.profile is None or not wanted:
        return
    session.phase("Calibrating this client at the same load")
    found: dict[str, Any]
    try:
        found = asdict(await calibrate(job, session.profile, session.stopping))
    except (OSError, ValueError, httpx.HTTPError, ProcessPoolProblem) as error:
        found = {"problem": f"The calibration failed: {str(error).rstrip('.')}."}
    if not session.cancelled:
        session.send(Calibrated(session.clean(found)))
