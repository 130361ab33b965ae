"""Sends the tasks of one server: resolves the target and the key of each, and keeps the
connections, or the embedded model, until the server is released."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from sqlalchemy import Engine

from db import task_queue
from jobs.destination import restore
from services.ask.backends import BackendProblem, Target
from services.ask.backends.messages import UnsupportedPart
from services.ask.config import RunConfig
from services.ask.config import stored as stored_config
from services.ask.measurement import Measurement, Status
from services.ask.tasks import TaskEnd, TaskResult, TaskStatus
from services.base import untrusted
from services.base.settings import InvalidSettings
from services.load import retries
from services.load.prompt_client import PromptClient
from services.servers import engines, probe
from services.servers.engines.embedded_engine import MAX_CONTEXT, TEMPLATE_TOKENS

SECRETS_S = 3.0  # the longest to wait for secrets that were handed over
MAX_SLOTS = 8  # of the embedded model
MIN_CONTEXT = 2048  # tokens
MAX_ROUTES = 500  # kept, each of a few kilobytes; every submission has settings of its own


class Secrets:
    """The secrets that were handed over for tasks, by ticket. In memory only."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, Any]] = {}
        self._more = asyncio.Condition()

    async def add(self, secrets: Mapping[str, Mapping[str, Any]]) -> None:
        """Store what is handed over."""
        async with self._more:
            self._kept.update(secrets)
            self._more.notify_all()

    @property
    def tickets(self) -> set[str]:
        """Return the tickets whose secrets are kept."""
        return set(self._kept)

    def forget(self, tickets: Iterable[str]) -> None:
        """Forget the secrets of these tickets."""
        for ticket in tickets:
            self._kept.pop(ticket, None)

    async def get(self, ticket: str | None) -> Mapping[str, Any] | None:
        """Return the secrets of a ticket, waiting for them if necessary; None if there are none."""
        if ticket is None:
            return None
        try:
            async with asyncio.timeout(SECRETS_S), self._more:
                await self._more.wait_for(lambda: ticket in self._kept)
        except TimeoutError:
            return None
        return self._kept[ticket]


@dataclass(frozen=True, slots=True)
class Route:
    """The config and target of all tasks with the same settings."""

    config: RunConfig
    target: Target

    @property
    def connection(self) -> tuple[Any, ...]:
        """Return a key that is equal for tasks that can share connections."""
        config = self.config
        limits = (config.connect_timeout_s, config.first_token_timeout_s, config.chunk_timeout_s)
        return (self.target, config.timeout_s, *limits)


class TaskClient:
    """Answers the tasks of one server, any number of them concurrently."""

    def __init__(self, database: Engine, secrets: Secrets, at_once: int) -> None:
        self._database, self._secrets = database, secrets
        self._routes: dict[int, asyncio.Task[Route]] = {}  # by the number of their settings
        self._clients: dict[tuple[Any, ...], PromptClient] = {}
        self._embedded = EmbeddedEngine(min(at_once, MAX_SLOTS))
        self._random = Random()

    async def send(self, settings: int, prompt: str) -> TaskEnd:
        """Send a task with these settings and return how it ended. A refusal is an end, too."""
        try:
            route = await self._route(settings)
            if route.target.backend in engines.WITHIN:
                return await self._send_to_embedded(route, prompt)
            return await self._send_to(route, prompt)
        except (BackendProblem, InvalidSettings, engines.EngineProblem) as problem:
            return _failed(str(problem))
        except UnsupportedPart as problem:
            return _failed(
                f"This server's API format does not support {problem}. Choose another format."
            )
        except OSError as error:
            return _failed(f"The server cannot be reached: {error.strerror or error}.")

    async def close(self) -> None:
        """Close the connections and end the embedded model."""
        for lookup in self._routes.values():
            lookup.cancel()
        for client in self._clients.values():
            client.close()
        await self._embedded.close()

    async def _route(self, settings: int) -> Route:
        """Return the route of tasks with these settings. Tasks that need it at once share one
        lookup; after a failure the next task tries again."""
        lookup = self._routes.pop(settings, None)
        if lookup is None or (lookup.done() and (lookup.cancelled() or lookup.exception())):
            lookup = asyncio.create_task(self._find(settings))
        self._routes[settings] = lookup  # as the last: the first was needed least lately
        for oldest in [*self._routes][:-MAX_ROUTES]:
            if self._routes[oldest].done():
                del self._routes[oldest]
        return await asyncio.shield(lookup)

    async def _find(self, settings: int) -> Route:
        found = await asyncio.to_thread(task_queue.load_settings, self._database, [settings])
        if settings not in found:
            raise BackendProblem("The settings of this task were deleted.")
        known = found[settings]
        config = stored_config(known.config)
        target, env = restore(config, known.destination, await self._secrets.get(known.ticket))
        os.environ.update(env)  # for LiteLLM, in memory only
        return Route(config, await self._with_model(target, config.retries))

    async def _with_model(self, target: Target, again: int) -> Target:
        """Return the target with a model that its server lists, if none is named."""
        if target.base_url is None:
            return target
        for attempt in count(1):
            try:
                return await probe.with_model(target)
            except BackendProblem:
                if attempt > again:
                    raise
            await asyncio.sleep(retries.wait_s(attempt, "", self._random))
        raise AssertionError("it ends above")

    async def _send_to_embedded(self, route: Route, prompt: str) -> TaskEnd:
        tokens = len(prompt.encode()) // 2 + route.config.max_tokens + TEMPLATE_TOKENS
        if tokens > MAX_CONTEXT:
            return _failed(
                f"The embedded model has a context of {MAX_CONTEXT:,} tokens for prompt and "
                f"answer; this task could need {tokens:,}. Lower the token limit or "
                "shorten the prompt."
            )
        async with self._embedded.with_context(tokens) as url:
            end = await self._send_to(Route(route.config, route.target.at(url)), prompt)
        if end.error_class == "connect":
            self._embedded.mark_lost(url)
        return end

    async def _send_to(self, route: Route, prompt: str) -> TaskEnd:
        if route.connection not in self._clients:
            self._clients[route.connection] = PromptClient(route.config, route.target)
        answer = await self._clients[route.connection].send(route.config, prompt)
        return task_end(answer.measured, route.target.model, answer.tool_calls)


class EmbeddedEngine:
    """The embedded model, started for the first task and again for one that needs more context."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._url = ""
        self._context = self._needed = 0
        self._users = 0
        self._free = asyncio.Condition()
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def with_context(self, tokens: int) -> AsyncIterator[str]:
        """Yield the address of the model, with a context of `tokens`.

        Raises:
            EngineProblem: it cannot be started.
        """
        async with self._free:
            self._needed = max(self._needed, tokens)
            await self._free.wait_for(lambda: self._needed <= self._context or not self._users)
            if self._needed > self._context:
                await self._start()
            self._users += 1
        try:
            yield self._url
        finally:
            async with self._free:
                self._users -= 1
                self._free.notify_all()

    def mark_lost(self, url: str) -> None:
        """Record that the model at `url` no longer answers, so that it is started again for the
        next task."""
        if url == self._url:
            self._context = 0

    async def close(self) -> None:
        """End the embedded model."""
        self._context = 0
        await self._stack.aclose()

    async def _start(self) -> None:
        await self.close()
        context = MIN_CONTEXT
        while context < self._needed:
            context *= 2
        started = engines.start_embedded("embedded", self._slots, min(context, MAX_CONTEXT))
        self._url = (await self._stack.enter_async_context(started)).base_url
        self._context = min(context, MAX_CONTEXT)


def task_end(
    measured: Measurement, model: str, tool_calls: list[dict[str, Any]] | None = None
) -> TaskEnd:
    """Return how a task ended, from the measurement of its last attempt."""
    sent, first, end = measured.t_send, measured.t_first, measured.t_end
    result = TaskResult(
        answer=measured.answer or None,
        model=model,
        finish_reason=measured.finish_reason,
        prompt_tokens=measured.prompt_tokens,
        output_tokens=measured.output_tokens,
        reasoning_tokens=measured.reasoning_tokens,
        cached_tokens=measured.cached_tokens,
        ttft_s=None if sent is None or first is None else first - sent,
        e2e_s=None if sent is None or end is None else end - sent,
        attempts=measured.attempts,
        tool_calls=tool_calls,
    )
    return TaskEnd(
        STATUS_OF[measured.status],
        measured.http_status,
        measured.error_class,
        measured.error,
        result,
    )


def _failed(sentence: str) -> TaskEnd:
    return TaskEnd("failed", error=untrusted.text(sentence, (), untrusted.SENTENCE))


STATUS_OF: dict[Status, TaskStatus] = {
    "ok": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
