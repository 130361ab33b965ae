"""Sends single prompts of tasks to a server, unchanged, and retries them if that may help."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from time import perf_counter_ns
from typing import Any

from services.ask.backends import Target
from services.ask.backends.wire_formats import body, hidden
from services.ask.config import RunConfig
from services.ask.dialogue import all_text_of
from services.ask.measurement import Measurement
from services.base.redact import known
from services.load import retries
from services.load.attempt import ONCE, measurement_of, tool_calls_of
from services.load.protocol import Job
from services.load.repeat import client_of


@dataclass(frozen=True, slots=True)
class PromptAnswer:
    """The result of a prompt: its measurement, and the tool calls in the answer."""

    measured: Measurement
    tool_calls: list[dict[str, Any]] | None


class PromptClient:
    """Sends prompts to one target; connections are kept while other prompts are in flight."""

    def __init__(self, config: RunConfig, target: Target) -> None:
        self._target = target
        self._client: Any = client_of(Job(config, target, "", 0))
        self._random = Random()
        self._in_flight = 0

    async def send(self, config: RunConfig, prompt: str) -> PromptAnswer:
        """Send a prompt, with up to `config.retries` retries; times count from the first attempt.

        Raises:
            UnsupportedPart: the API format has no place for a part of the prompt.
        """
        hides, began = hidden(self._target), perf_counter_ns()
        data = self._client.request(body(config, self._target, prompt))
        secrets = (known(all_text_of(prompt)), *hides)
        tries, due = ONCE, began
        self._in_flight += 1
        try:
            while True:
                exchange = await self._client.ask(data, due, self._others, secrets)
                again = exchange.error_class in retries.RETRIED and tries.attempts <= config.retries
                if not again:
                    measured = measurement_of(exchange, 0, 0, due, began, hides, tries=tries)
                    return PromptAnswer(measured, tool_calls_of(exchange, hides))
                wait = retries.wait_s(tries.attempts, exchange.retry_after, self._random)
                await asyncio.sleep(wait)
                tries, due = tries.after(exchange.error_class, wait), perf_counter_ns()
        finally:
            self._in_flight -= 1

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _others(self) -> int:
        """Return how many connections are worth keeping."""
        return self._in_flight
