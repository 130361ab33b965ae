"""Is an engine ready? It answers a real question, not only /health.

Both vLLM and SGLang can say that they are well and die at their first request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from services.ask.backends import Target
from services.servers.engines.launch import Launch
from services.servers.engines.problem import EngineProblem
from services.servers.facts import engine_facts
from services.servers.probe.http import Answer, NoAnswer, answering, connected, message, read

LOOK_S = 0.5
HEALTH_S = 5.0  # SGLang's runs a tiny generation: a second and more on a CPU
HELLO = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}


async def ready(launch: Launch, timeout_s: float, alive: Callable[[], bool]) -> None:
    """Return when the engine has answered one chat request of a few tokens.

    Raises:
        EngineProblem: it ended (`alive` says so), answered with an error, or was not ready within
            `timeout_s` seconds.
    """
    work = asyncio.create_task(_answered(launch))
    end = time.monotonic() + timeout_s
    try:
        while not work.done():
            if not alive():
                raise EngineProblem(f"{launch.label} ended before it was ready.")
            if time.monotonic() > end:
                raise EngineProblem(f"{launch.label} was not ready within {timeout_s:g} s.")
            await asyncio.wait([work], timeout=LOOK_S)
        work.result()
    finally:
        work.cancel()
        await asyncio.wait([work])


async def facts_of(launch: Launch) -> dict[str, Any]:
    """Return what the engine tells of itself, see `facts.engine_facts`."""
    return await engine_facts(Target("url", launch.base_url, launch.model))


async def _answered(launch: Launch) -> None:
    root = Target("url", launch.root, launch.model)
    async with connected(root) as client:

        async def ask(path: str, seconds: float, body: dict[str, object] | None = None) -> Answer:
            address = f"{launch.root}{path}"
            async with answering(client, root, address, seconds, body) as response:
                return await read(response)

        while not await _well(ask(launch.health, HEALTH_S)):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(LOOK_S)
        body = {"model": launch.model, **HELLO}
        try:
            answer = await ask("/v1/chat/completions", 3600, body)  # `ready` ends it sooner
        except NoAnswer as error:
            raise EngineProblem(f"{launch.label} broke at its first request: {error}") from None
    if answer.status != 200:
        said = f"HTTP {answer.status}{message(answer, root)}"
        raise EngineProblem(f"{launch.label} refuses its first request ({said}).")


async def _well(asked: Awaitable[Answer]) -> bool:
    try:
        return (await asked).status == 200
    except NoAnswer:
        return False
