"""OpenAI's own client library, as it comes, but that it does not retry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from _driver import job, play
from openai import AsyncOpenAI


async def main() -> None:
    work = job()
    client = AsyncOpenAI(base_url=work["base_url"], api_key="none", max_retries=0)

    async def ask(body: dict[str, Any]) -> AsyncIterator[None]:
        async for chunk in await client.chat.completions.create(**body):
            if chunk.choices and chunk.choices[0].delta.content:
                yield

    await play(ask, work)


asyncio.run(main())
