"""The later turns of a session: each is sent when the previous answer has ended and the delay has
passed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import perf_counter_ns
from typing import Literal, NamedTuple

from services.load.supply import PreparedRequest

Why = Literal["failed", "ended"]  # turns were not sent: the one before failed; the time was up


class Outcome(NamedTuple):
    """When a request ended, and its answer if it succeeded."""

    ended_ns: int
    answer: str | None = None


class SessionEnd(NamedTuple):
    """When the last answer of a session ended; how many of its turns were not sent, and why."""

    ended_ns: int
    unsent: int = 0
    why: Why = "failed"


Send = Callable[[PreparedRequest, int], Awaitable[Outcome]]  # sends a request when it is due


async def follow(
    request: PreparedRequest,
    outcome: Outcome,
    send: Send,
    ends_ns: int | None,
    stopped: asyncio.Event,
) -> SessionEnd:
    """Send the turns that follow a request with this outcome, one after the other. A failed turn
    ends the session, and no turn is due at or after `ends_ns`."""
    while (following := request.following) and not stopped.is_set():
        if outcome.answer is None:
            return SessionEnd(outcome.ended_ns, following.left, "failed")
        due = outcome.ended_ns + round(following.delay_s * 1e9)
        if ends_ns is not None and due >= ends_ns:
            return SessionEnd(outcome.ended_ns, following.left, "ended")
        request = following.prepare(outcome.answer)
        outcome = await send(request, due)
    return SessionEnd(outcome.ended_ns)


async def wait_unless(event: asyncio.Event, at_ns: int) -> None:
    """Wait until a time, or until the event is set."""
    if (wait_ns := at_ns - perf_counter_ns()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), wait_ns / 1e9)
