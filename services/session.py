"""One run carried out: the engine if it needs one, the warm-up, every repeat, and what was seen.

What is seen leaves as messages, so that nothing on a token's way touches a disk or a database.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter_ns, process_time
from typing import Any

from services import backends, engines, limits, machine, modes, probe, workloads
from services.backends.asking import body, chat_url
from services.config import RunConfig
from services.measurement import Repeat
from services.pulse import Pulse
from services.runner import Ask, Player
from services.wire import Patience, Wire

Send = Callable[[dict[str, Any]], None]


@dataclass
class Session:
    """One run: what is asked, where messages go, whether it is to stop. `mark` makes its prompts
    differ from those of every other run, which the server may still have in a cache."""

    config: RunConfig
    env: Mapping[str, str]
    send: Send
    began_ns: int
    mark: str
    player: Player | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True
        if self.player is not None:
            self.player.stop()

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
    target = await probe.with_model(target)
    facts = await probe.engine_facts(target)
    libraries = ("litellm",) if target.client == "litellm" else ()
    environment = {**machine.environment(libraries=libraries), **facts, "prompt_mark": session.mark}
    if target.proxy:
        environment["through_proxy"] = True
    session.send({"type": "model", "model": target.model})
    session.send({"type": "environment", "values": environment})
    client = _client(session.config, target)
    try:
        await _warm_up(session, client, target)
        for repeat in range(session.config.repeats):
            if not session.cancelled:
                await _repeat(session, client, target, repeat)
    finally:
        client.close()


def _client(config: RunConfig, target: backends.Target) -> Any:
    patience = Patience(
        total_s=config.timeout_s,
        connect_s=config.connect_timeout_s,
        first_token_s=config.first_token_timeout_s,
        between_chunks_s=config.chunk_timeout_s,
    )
    if target.client == "litellm":
        from services.via_litellm import ViaLiteLLM  # five seconds of imports, only when asked for

        return ViaLiteLLM(target, patience)
    return Wire(chat_url(target), target.key, patience, target.proxy)


async def _warm_up(session: Session, client: Any, target: backends.Target) -> None:
    config = session.config
    if not config.warmup or session.cancelled:
        return
    session.phase("Warming up")
    schedule = modes.Schedule((0.0,) * config.warmup, in_flight=1, pause_s=0.0)
    session.player = Player(client, -1, target.key)
    asks = _asks(session, client, target, -1, config.warmup)
    await session.player.play(schedule, asks, on_start=lambda: None)


async def _repeat(session: Session, client: Any, target: backends.Target, repeat: int) -> None:
    config = session.config
    asks = _asks(session, client, target, repeat, config.requests)
    session.player = player = Player(client, repeat, target.key, config.stop_after_errors)
    several = f", repeat {repeat + 1} of {config.repeats}" if config.repeats > 1 else ""
    session.phase("Measuring" + several)
    began_at = datetime.now(UTC)

    loop = asyncio.get_running_loop()
    limits_set: list[asyncio.TimerHandle] = []

    def on_start() -> None:
        nonlocal began_at
        began_at = datetime.now(UTC)
        session.send({"type": "repeat", "repeat": Repeat(repeat, began_at)})
        if config.stop_after_s:
            limits_set.append(loop.call_later(config.stop_after_s, player.stop))

    pulse = Pulse(player, session.send, session.began_ns)
    _quiet()
    cpu, wall = process_time(), perf_counter_ns()
    try:
        async with pulse:
            duration = await player.play(modes.schedule(config), asks, on_start)
    finally:
        gc.enable()
        for limit in limits_set:
            limit.cancel()
    health = {
        "clock": "kernel" if client.kernel_clock else "loop",
        "began_ns": player.began_ns,  # this machine's monotonic clock, to match a server's log
        "cpu_share": round((process_time() - cpu) / ((perf_counter_ns() - wall) / 1e9), 4),
        "loop_lag_p99_s": pulse.lag_p99_s(),
    }
    finished = Repeat(repeat, began_at, duration, health)
    session.send({"type": "repeat", "repeat": finished})


def _quiet() -> None:
    """No garbage collection while tokens arrive; what there is now need never be looked at."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _asks(
    session: Session, client: Any, target: backends.Target, repeat: int, count: int
) -> list[Ask]:
    config = session.config
    texts = [workloads.prompt(config, repeat, index, session.mark) for index in range(count)]
    return [Ask(client.request(body(config, target, text)), text) for text in texts]
