"""LiteLLM, at its best: no retries, no cap on connections, its price map not fetched."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["AIOHTTP_CONNECTOR_LIMIT"] = os.environ["AIOHTTP_CONNECTOR_LIMIT_PER_HOST"] = "0"

import litellm
from _driver import job, play


async def main() -> None:
    work = job()

    async def ask(body: dict[str, Any]) -> AsyncIterator[None]:
        request = {**body, "model": f"openai/{body['model']}", "api_base": work["base_url"]}
        stream = await litellm.acompletion(**request, api_key="none", num_retries=0, max_retries=0)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield

    await play(ask, work)


asyncio.run(main())
