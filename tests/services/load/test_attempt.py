"""What a server repeats of a run's secrets is not kept: not in an answer, and not in a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from time import perf_counter_ns

import pytest

from services.ask.backends import Target
from services.ask.config import parse
from services.base.ipc import Message
from services.load.prompt_client import PromptAnswer, PromptClient
from services.load.protocol import Job, Requests
from services.load.repeat import RepeatPlayer
from tests.canned import canned, chunked

KEY, TENANT = "my.own-key_of=no_known+form", "tenant.word-of_no+known form"
CALL = {"index": 0, "id": TENANT, "function": {"name": "f", "arguments": f"{KEY} {TENANT}"}}
DELTA = {"content": f"I was sent {KEY} and {TENANT}.", "tool_calls": [CALL]}
ECHO = {"choices": [{"index": 0, "delta": DELTA, "finish_reason": "stop"}]}
CONFIG = {"backend": "url", "base_url": "http://127.0.0.1:1/v1", "model": "m"}


@pytest.fixture
def target() -> Iterator[Target]:
    """A server that repeats its key and the secret in a header."""
    with canned(chunked(b"data: " + json.dumps(ECHO).encode() + b"\n\n")) as url:
        yield Target("url", url, "m", KEY, headers=(("X-Tenant", TENANT),), hidden=(TENANT,))


def test_the_secrets_of_a_run_are_removed_from_its_answers(target: Target) -> None:
    messages: list[Message] = []

    async def now() -> int:
        return perf_counter_ns()

    async def play() -> None:
        config = parse({**CONFIG, "mode": "batch", "requests": 2})
        player = RepeatPlayer(Job(config, target, "nonce", 0), messages.append)
        await player.play(0, now)
        player.client.close()

    asyncio.run(play())
    batches = [message for message in messages if isinstance(message, Requests)]
    answers = [seen.answer for batch in batches for seen in batch.measurements()]
    assert answers == ["I was sent [removed] and [removed]."] * 2


def test_the_secrets_are_removed_from_the_answer_to_a_prompt_and_its_calls(target: Target) -> None:
    async def send() -> PromptAnswer:
        client, config = PromptClient(parse(CONFIG), target), parse(CONFIG)
        try:
            return await client.send(config, "hello")
        finally:
            client.close()

    answer = asyncio.run(send())
    assert answer.measured.answer == "I was sent [removed] and [removed]."
    assert answer.tool_calls == [
        {
            "id": "[removed]",
            "type": "function",
            "function": {"name": "f", "arguments": "[removed] [removed]"},
        }
    ]
