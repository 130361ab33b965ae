"""What the drivers of client libraries share. They run in environments without Paceline.

`python DRIVER JOB` reads `{"base_url", "model", "prompts", "max_tokens"}`, asks all prompts at once
and prints, in the prompts' order, `[sent, [chunk, …]]`: nanoseconds of the monotonic clock, taken
when the library hands a chunk over; or why a request failed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any


def job() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return loaded


def body(work: dict[str, Any], prompt: str) -> dict[str, Any]:
    return {
        "model": work["model"],
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": work["max_tokens"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def timed(chunks: AsyncIterator[Any]) -> Any:
    """Return `[sent, [chunk, …]]`; `chunks` yields once for each chunk that carries a token."""
    sent, times = perf_counter_ns(), []
    try:
        async for _ in chunks:
            times.append(perf_counter_ns())
    except Exception as error:  # of whatever class the library raises: the request failed
        return f"{type(error).__name__}: {error}"
    return [sent, times]


async def play(ask: Callable[[dict[str, Any]], AsyncIterator[Any]], work: dict[str, Any]) -> None:
    bodies = [body(work, prompt) for prompt in work["prompts"]]
    json.dump(await asyncio.gather(*(timed(ask(one)) for one in bodies)), sys.stdout)
