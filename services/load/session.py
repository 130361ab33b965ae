"""Carry out one work item of a run: start its engine if it needs one, warm up, play the repeats.

Results are sent as messages, so that no token waits for a disk or a database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter_ns
from typing import Any

import httpx

from services.ask import backends, workloads
from services.ask.config import RunConfig
from services.ask.measurement import CACHE, WARM_UP_ENDS, WARMING_UP, Repeat
from services.ask.own_prompts import own_prompts
from services.ask.plan import calibrates
from services.ask.work_item import WorkItem
from services.base import machine, untrusted
from services.base.ipc import Send
from services.load import run_limits
from services.load.calibrate import calibrate
from services.load.players import Player, open_nodes, open_player
from services.load.process_pool import ProcessPoolProblem
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
from services.load.repeat import RepeatPlayer
from services.load.response_profile import ResponseProfile
from services.servers import engines, probe
from services.servers.empty_cache import empty_cache


@dataclass
class Session:
    """The state of one work item. Its nonce makes the prompts differ from those of other runs,
    which the server may still have in a cache."""

    item: WorkItem
    env: Mapping[str, str] = field(repr=False)
    send: Send
    began_ns: int
    player: Player | None = None
    # The key and the user's prompts, to be removed from what servers send.
    secrets: tuple[str, ...] = field(default=(), repr=False)
    profile: ResponseProfile | None = None  # of the last repeat's answers
    cancelled: bool = False
    measured: bool = False  # all repeats have ended

    @property
    def config(self) -> RunConfig:
        return self.item.config

    def cancel(self) -> None:
        self.cancelled = True
        if self.player is not None:
            self.player.stop()

    @contextmanager
    def stopping(self, player: Player) -> Iterator[None]:
        """Let `cancel` stop this player meanwhile."""
        self.player = player
        if self.cancelled:
            player.stop()
        try:
            yield
        finally:
            self.player = None

    def phase(self, text: str) -> None:
        self.send(Phase(text))

    def clean(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return data that may come from a server, without secrets and within limits."""
        cleaned: dict[str, Any] = untrusted.data(data, self.secrets)
        return cleaned

    def serving(self, target: backends.Target, pid: int | None) -> None:
        """Report the server's address, so that others can monitor it until `Served`."""
        if target.base_url is not None:
            self.send(Serving(target.base_url, pid, self.began_ns))


async def measure(session: Session) -> None:
    """Carry out the work item.

    Raises:
        MachineLimit, EngineProblem, BackendProblem, OSError: it cannot be carried out.
    """
    config = session.config
    target = _target(session)
    session.secrets = (*target.secrets, *own_prompts(config))
    longest = run_limits.check(config)
    if config.backend not in engines.WITHIN:
        await _calibrate(session, await _measure_target(session, target))
        return
    slots, context = engines.embedded_size(config, longest)
    session.phase(f"Starting {engines.WITHIN[config.backend].label}")
    shared = workloads.uses_prefix_cache(config)
    async with engines.start_embedded(config.backend, slots, context, shared) as engine:
        facts = {"slots": slots, "context_per_slot": context}
        session.send(Environment(facts))
        job = await _measure_target(session, target.at(engine.base_url), engine.pid)
    await _calibrate(session, job)  # after the engine has ended, which would take the cores


def _target(session: Session) -> backends.Target:
    """Return the submitted target, else the one from this process's environment."""
    return session.item.target or backends.target(session.config, session.env)


async def _measure_target(session: Session, target: backends.Target, pid: int | None = None) -> Job:
    """Measure the server at `target`; `pid` is the server's process if this process started it."""
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
    warm_up = await _warm_up(session, job)
    async with open_player(job, session.send) as player:
        for repeat in session.item.repeats:
            if not session.cancelled:
                emptied = await _empty_cache(session, target, facts.get("engine", ""))
                await _repeat(session, player, repeat, emptied, warm_up)
                warm_up = Counter()
    session.send(Served())
    return job


async def _warm_up(session: Session, job: Job) -> Counter[str]:
    """Send the warm-up requests; return how they ended, as `Record.warm_up`."""
    if not session.config.warmup or session.cancelled:
        return Counter()
    session.phase(WARMING_UP)
    player = RepeatPlayer(job, session.send)
    try:
        with session.stopping(player):
            return await player.warm_up()
    finally:
        player.client.close()


async def _empty_cache(session: Session, target: backends.Target, engine: str) -> dict[str, str]:
    """Empty the server's cache if requested; return a repeat's fact about it."""
    if not session.config.empty_cache:
        return {}
    session.phase("Emptying the server's cache")
    return {CACHE: await empty_cache(target, engine)}


async def _repeat(
    session: Session,
    player: Player,
    repeat: int,
    more: Mapping[str, str],
    warm_up: Counter[str],
) -> None:
    """Measure one repeat; `more`: further facts about it; `warm_up`: how the requests ended that
    were sent before it."""
    config = session.config
    which = f", repeat {repeat + 1} of {config.repeats}" if config.repeats > 1 else ""
    session.phase("Measuring" + which)
    began_at, anchor_ns = datetime.now(UTC), perf_counter_ns()

    async def on_ready() -> int:
        nonlocal began_at, anchor_ns
        began_at, anchor_ns = datetime.now(UTC), perf_counter_ns()
        session.send(RepeatSeen(Repeat(repeat, began_at)))
        return anchor_ns

    with session.stopping(player):
        played = await player.play(repeat, on_ready)
    session.profile = played.profile or session.profile
    t = (played.began_ns - session.began_ns) / 1e9
    health = {**played.health, "began_ns": played.began_ns, "t": t, **session.clean(dict(more))}
    if total := warm_up + Counter(played.health.get(WARM_UP_ENDS, {})):
        health[WARM_UP_ENDS] = dict(total)
    began_at += timedelta(microseconds=(played.began_ns - anchor_ns) / 1000)
    finished = Repeat(repeat, began_at, played.duration_s, health)
    session.send(RepeatSeen(finished))


async def _calibrate(session: Session, job: Job) -> None:
    """Measure what the client adds at this load, if requested and there were answers to imitate.
    A failure becomes the calibration's `problem`, and a cancel ends only the calibration."""
    config = session.config
    session.measured = not session.cancelled
    wanted = session.item.calibrate and calibrates(config)
    if session.cancelled or session.profile is None or not wanted:
        return
    session.phase("Calibrating this client at the same load")
    result: dict[str, Any]
    try:
        if config.on is not None:
            result = await _calibrate_nodes(session, job, session.profile)
        else:
            result = asdict(await calibrate(job, session.profile, session.stopping))
    except (OSError, ValueError, httpx.HTTPError, ProcessPoolProblem) as error:
        result = {"problem": f"The calibration failed: {str(error).rstrip('.')}."}
    if not session.cancelled:
        session.send(Calibrated(session.clean(result)))


async def _calibrate_nodes(session: Session, job: Job, profile: ResponseProfile) -> dict[str, Any]:
    """Calibrate each node on its own machine."""
    async with open_nodes(job, lambda message: None) as nodes:
        with session.stopping(nodes):
            return await nodes.calibrate(profile)
