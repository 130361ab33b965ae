"""Waits until an engine is ready, that is, until it answers a chat request.

/health is not enough: both vLLM and SGLang can report that they are healthy and crash at their
first request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from services.ask.backends import Target
from services.servers.engines.launch import Launch
from services.servers.engines.problem import EngineProblem
from services.servers.probe.http import Answer, NoAnswer, answering, connected, message, read

POLL_S = 0.5
HEALTH_S = 5.0  # SGLang's check generates a token, which takes a second or more on a CPU
HELLO = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}


async def ready(launch: Launch, timeout_s: float, alive: Callable[[], bool]) -> None:
    """Wait until the engine has answered one chat request of a few tokens.

    Raises:
        EngineProblem: it ended (no longer `alive`), answered with an error, or was not ready within
            `timeout_s` seconds.
    """
    work = asyncio.create_task(_first_answer(launch))
    end = time.monotonic() + timeout_s
    try:
        while not work.done():
            if not alive():
                raise EngineProblem(f"{launch.label} ended before it was ready.")
            if time.monotonic() > end:
                raise EngineProblem(f"{launch.label} was not ready within {timeout_s:g} s.")
            await asyncio.wait([work], timeout=POLL_S)
        work.result()
    finally:
        work.cancel()
        await asyncio.wait([work])


async def _first_answer(launch: Launch) -> None:
    root = Target("url", launch.root, launch.model)
    async with connected(root) as client:

        async def ask(path: str, seconds: float, body: dict[str, object] | None = None) -> Answer:
            address = f"{launch.root}{path}"
            async with answering(client, root, address, seconds, body) as response:
                return await read(response)

        while not await _is_healthy(ask(launch.health, HEALTH_S)):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(POLL_S)
        body = {"model": launch.model, **HELLO}
        try:
            answer = await ask("/v1/chat/completions", 3600, body)  # `ready` applies the timeout
        except NoAnswer as error:
            raise EngineProblem(f"{launch.label} failed at its first request: {error}") from None
    if answer.status != 200:
        reason = f"HTTP {answer.status}{message(answer, root)}"
        raise EngineProblem(f"{launch.label} rejects its first request ({reason}).")


async def _is_healthy(health: Awaitable[Answer]) -> bool:
    try:
        return (await health).status == 200
    except NoAnswer:
        return False
