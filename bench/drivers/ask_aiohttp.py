"""A client as one would write it on aiohttp, and as most load tools are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from _driver import job, play


async def main() -> None:
    work = job()
    url = f"{work['base_url']}/chat/completions"
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def ask(body: dict[str, Any]) -> AsyncIterator[None]:
            async with session.post(url, json=body) as answer:
                answer.raise_for_status()
                async for line in answer.content:
                    if not line.startswith(b"data: {"):
                        continue
                    choices = json.loads(line[6:])["choices"]
                    if choices and choices[0]["delta"].get("content"):
                        yield

        await play(ask, work)


asyncio.run(main())
