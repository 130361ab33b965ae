"""A peer to measure beside: the client one would write with aiohttp, as most load tools do.

`python -m bench.peer` takes a RunConfig as a line of JSON, plays its schedule and prints a row of
[prompt, first, last] for each request: nanoseconds of the monotonic clock, taken when aiohttp hands
the line over.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter_ns
from typing import Any

import aiohttp

from services import backends, modes, workloads
from services.backends import asking
from services.config import RunConfig, parse
from services.limits import allow_files


async def ask(session: Any, url: str, body: dict[str, Any], due_s: float) -> list[int]:
    await asyncio.sleep(due_s)
    first = last = 0
    async with session.post(url, json=body) as answer:
        async for line in answer.content:
            if not line.startswith(b"data: {"):
                continue
            choices = json.loads(line[6:])["choices"]
            if choices and choices[0]["delta"].get("content"):
                last = perf_counter_ns()
                first = first or last
    return [first, last]


async def play(config: RunConfig) -> list[Any]:
    target = backends.target(config, {})
    prompts = [workloads.prompt(config, 0, index, "peer") for index in range(config.requests)]
    dues = modes.schedule(config).due_s
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        url = asking.chat_url(target)
        bodies = [asking.body(config, target, prompt) for prompt in prompts]
        tasks = [ask(session, url, body, due) for body, due in zip(bodies, dues, strict=True)]
        times = await asyncio.gather(*tasks)
    return [[prompt, *pair] for prompt, pair in zip(prompts, times, strict=True)]


if __name__ == "__main__":
    asked = parse(json.loads(sys.stdin.readline()))
    allow_files(asked.requests + 100)
    json.dump(asyncio.run(play(asked)), sys.stdout)
