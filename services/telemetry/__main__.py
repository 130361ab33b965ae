"""The process that watches a server: `python -m services.telemetry`.

What to watch comes in on standard input as a line of JSON (see `asked.py`); a sample goes out on
standard output, a line of JSON each, until standard input ends. It steps back behind the client: a
sample that comes late is better than a token that is read late.
"""

from __future__ import annotations

import asyncio
from time import monotonic

import orjson

from services.embedded import step_back
from services.talk import sender, standard_input
from services.telemetry.asked import Asked
from services.telemetry.sampler import Sampler


async def work() -> None:
    """Look once a period, until whoever asked is gone."""
    step_back()
    send, reader = sender(), await standard_input()
    asked = Asked.read(orjson.loads(await reader.readline()))
    sampler = Sampler(asked)
    ended = asyncio.create_task(reader.read())
    due = monotonic()
    while not ended.done():
        looking = asyncio.create_task(sampler.look())
        await asyncio.wait([looking, ended], return_when=asyncio.FIRST_COMPLETED)
        if not looking.done():
            looking.cancel()
            break
        if (sample := looking.result()).values:
            send({"t": sample.t, "values": sample.values})
        due += asked.period_s
        if due < monotonic():  # late: no two looks in a row to make up for it
            due = monotonic() + asked.period_s
        await asyncio.wait([ended], timeout=due - monotonic())
    await sampler.close()


if __name__ == "__main__":
    asyncio.run(work())
