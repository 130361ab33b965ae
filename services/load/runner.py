"""Play a schedule: send requests when they are due, or when users send them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from itertools import chain, takewhile
from random import Random
from time import perf_counter_ns
from typing import Any, Protocol

from services.ask.measurement import Progress
from services.ask.modes import Schedule
from services.ask.modes.schedule import Pauses
from services.base.redact import Secret
from services.load import retries
from services.load.attempt import ONCE, Tries
from services.load.follow import Outcome, Send, follow, wait_unless
from services.load.record import Record
from services.load.supply import PreparedRequest, Supply
from services.wire.exchange import Exchange
from services.wire.in_flight import InFlight

LEAD_NS = 250_000_000  # a connection is prepared this long before its request is due
PLACE_LEAD_NS = 1_000_000  # a later turn takes a place in flight this long before it is due
STOP_S = 1.0  # how long requests in flight may take to end when the run is stopped


class Client(Protocol):
    """What the runner needs of a client: `Wire`, or `ViaLiteLLM`."""

    in_flight: InFlight

    async def open(self, count: int) -> None: ...
    async def ask(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[Secret, ...]
    ) -> Exchange: ...


class Runner:
    """Plays one repeat; `record` has what it measured."""

    def __init__(
        self,
        client: Client,
        repeat: int,
        secrets: tuple[str, ...] = (),
        stop_after_errors: int | None = None,
        most_retries: int = 0,
    ) -> None:
        self.record = Record(repeat, secrets)
        self.began_ns = 0
        self._client = client
        self._secrets = secrets  # that the server gets, and may repeat
        self._errors_allowed = stop_after_errors
        self._retries = most_retries
        self._random = Random()
        self._unsent = 0
        self._dispatcher: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._stopped_ns: int | None = None  # when it was set first
        self._taken = 0  # sessions of an open loop whose first request got a place in flight
        self._held: PreparedRequest | None = None  # the next one, which waits for a place
        self._left = 0  # sessions that no user has taken yet
        self._enough = asyncio.Event()  # set when users send no more: stopped, or nothing left
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()  # nothing is in flight
        self._problem: BaseException | None = None

    async def play(
        self, schedule: Schedule, supply: Supply, on_ready: Callable[[], Awaitable[int]]
    ) -> float:
        """Send every request when it is due; return how long the repeat took, in seconds.

        Connections are opened first, then `on_ready` returns when to begin (`perf_counter_ns`).
        Times are counted from `schedule.lead_s` later: requests that are due before are left out.
        After `stop` it returns within STOP_S, with the requests in flight marked cancelled; they
        are also marked when this call itself is cancelled.

        Raises:
            OSError: the backend's host cannot be found.
        """
        self._unsent, self._left = supply.count or supply.starts, supply.starts
        await self._open(initial_connections(schedule))
        self.began_ns = await on_ready() + round(schedule.lead_s * 1e9)
        if not self._stopped.is_set():
            send = self._send_for_users if schedule.users else self._send_when_due
            self._dispatcher = asyncio.create_task(send(schedule, supply))
        try:
            if self._dispatcher is not None:
                await asyncio.wait([self._dispatcher])
            await self._wait_for_answers()
        except asyncio.CancelledError:
            self.stop()
            await self._wait_for_answers()
            raise
        if self._problem is not None:
            raise self._problem
        if schedule.end_s is not None and not schedule.users:
            self._record_unsent(schedule, supply)
        if self._dispatcher and not self._dispatcher.cancelled():
            self._dispatcher.result()
        return (perf_counter_ns() - self.began_ns) / 1e9

    async def _open(self, count: int) -> None:
        """Open the connections; a stop does not wait for them."""
        opening = asyncio.create_task(self._client.open(count))
        stopping = asyncio.create_task(self._stopped.wait())
        await asyncio.wait([opening, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if opening.done():
            opening.result()
        else:
            opening.cancel()
            await asyncio.wait([opening])

    def stop(self) -> None:
        """Stop sending, and end the requests in flight."""
        if self._stopped_ns is None:
            self._stopped_ns = perf_counter_ns()
        self._stopped.set()
        self._enough.set()
        if self._dispatcher is not None:
            self._dispatcher.cancel()
        self._client.in_flight.stop()

    def progress(self, run_began_ns: int) -> Progress:
        """Return the current counts; `t` is in seconds since the run began."""
        return self.record.progress(
            (perf_counter_ns() - run_began_ns) / 1e9, self._client.in_flight
        )

    async def _send_when_due(self, schedule: Schedule, supply: Supply) -> None:
        all_at_once = len(schedule.warm_s) + len(schedule.due_s)
        slots = asyncio.Semaphore(schedule.in_flight or all_at_once or 1)
        free_ns = 0  # when a request last waited for a place in flight; all due before also did
        for offset in chain(schedule.warm_s, schedule.due_s):
            request = next(supply.warm if offset < 0 else supply.counted)
            self._held = request if offset >= 0 else None
            due = self.began_ns + round(offset * 1e9)
            await self._sleep_until(due - LEAD_NS)
            waits = slots.locked()
            await slots.acquire()
            if waits:
                free_ns = perf_counter_ns()
            self._held = None
            self._taken += offset >= 0
            self._begin(self._answer(request, due, slots, free_ns, offset >= 0, schedule))

    async def _answer(
        self,
        request: PreparedRequest,
        due: int,
        slots: asyncio.Semaphore,
        free_ns: int,
        counts: bool,
        schedule: Schedule,
    ) -> None:
        """Send a request that has a place in flight, then the later turns of its session."""
        try:
            outcome = await self._ask(request, due, free_ns, counts)
        finally:
            slots.release()
        if request.following is None:
            return
        ends = self._end_ns(schedule)
        lead_ns = LEAD_NS if schedule.in_flight is None else PLACE_LEAD_NS

        async def send(request: PreparedRequest, due: int) -> Outcome:
            await wait_unless(self._stopped, due - lead_ns)
            waits = slots.locked()
            try:
                await slots.acquire()
            except asyncio.CancelledError:  # a request that was still connecting had the place
                if counts and ends is not None:
                    self._record_cancelled(request, due)
                raise
            try:
                free_ns = perf_counter_ns() if waits else 0
                if self._stopped.is_set() and counts and ends is not None:
                    self._record_cancelled(request, due)
                return await self._ask(request, due, free_ns, counts)
            finally:
                slots.release()

        await self._follow(request, outcome, send, ends, counts)

    async def _follow(
        self, request: PreparedRequest, outcome: Outcome, send: Send, ends: int | None, counts: bool
    ) -> int:
        """Send the later turns of a request's session; return when its last answer ended."""
        followed = await follow(request, outcome, send, ends, self._stopped)
        if counts and followed.unsent:
            self.record.unsent_turns[followed.why] += followed.unsent
            self._unsent -= followed.unsent
        return followed.ended_ns

    def _record_cancelled(self, request: PreparedRequest, due: int, tries: Tries = ONCE) -> None:
        """Record a request that was due by the stop, but whose last attempt was not sent."""
        if self._stopped_ns is not None and due <= self._stopped_ns:
            self.record.add_cancelled(request.index, (due - self.began_ns) / 1e9, tries)

    async def _send_for_users(self, schedule: Schedule, supply: Supply) -> None:
        starts = self.began_ns - round(schedule.lead_s * 1e9)
        joins = schedule.joins_s or (0.0,) * schedule.users
        for user, join in enumerate(joins):
            due = starts + round(join * 1e9)
            await self._sleep_until(due - LEAD_NS)
            self._begin(self._run_user(schedule, supply, due, schedule.pauses(user)))

    async def _run_user(self, schedule: Schedule, supply: Supply, due: int, pauses: Pauses) -> None:
        """Act as a user: send, wait for the answer, pause, and repeat until requests or time run
        out."""
        ends = self._end_ns(schedule)
        while ends is None or due < ends:
            await wait_unless(self._enough, due - LEAD_NS)
            if self._enough.is_set():
                return
            counts = due >= self.began_ns
            request = next(supply.counted if counts else supply.warm)
            self._left -= counts
            if not self._left:
                self._enough.set()
            outcome = await self._ask(request, due, 0, counts)

            async def send(request: PreparedRequest, due: int, counts: bool = counts) -> Outcome:
                await wait_unless(self._stopped, due - LEAD_NS)
                return await self._ask(request, due, 0, counts)

            ended = await self._follow(request, outcome, send, ends, counts)
            due = ended + round(pauses.next() * 1e9)

    def _end_ns(self, schedule: Schedule) -> int | None:
        return None if schedule.end_s is None else self.began_ns + round(schedule.end_s * 1e9)

    async def _sleep_until(self, at_ns: int) -> None:
        if (wait_ns := at_ns - perf_counter_ns()) > 0:
            await asyncio.sleep(wait_ns / 1e9)

    def _record_unsent(self, schedule: Schedule, supply: Supply) -> None:
        """Record requests that were waiting for a place in flight as cancelled."""
        for offset in schedule.due_s[self._taken :]:
            due = self.began_ns + round(offset * 1e9)
            if self._stopped_ns is not None and due <= self._stopped_ns:
                request, self._held = self._held or next(supply.counted), None
                self._record_cancelled(request, due)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` concurrently; the first error of any such task ends the repeat."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        self._idle.clear()
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._problem = self._problem or task.exception()
            self.stop()
        if not self._tasks:
            self._idle.set()

    async def _ask(self, request: PreparedRequest, due: int, free_ns: int, counts: bool) -> Outcome:
        """Send one request and record its measurement, if it counts; return the outcome. `free_ns`:
        when the place in flight that it may have waited for became free."""
        self._unsent -= counts
        if self._stopped.is_set():
            return Outcome(perf_counter_ns())
        secrets = (request.prompt, *self._secrets)
        tries, sent_at = ONCE, due
        try:
            while True:
                exchange = await self._client.ask(
                    request.body, sent_at, lambda: self._unsent, secrets
                )
                if not self._is_retried(exchange, tries):
                    break
                wait_s = retries.wait_s(tries.attempts, exchange.retry_after, self._random)
                sent_at = perf_counter_ns() + round(wait_s * 1e9)
                self.record.sent_again += counts
                await wait_unless(self._stopped, sent_at)
                if self._stopped.is_set():
                    break
                tries = tries.after(exchange.error_class, wait_s)
        except asyncio.CancelledError:
            if counts:
                self._record_cancelled(request, due, tries)
            raise
        self.record.observe(exchange, counts)
        if counts and exchange.sent is None:  # stopped before it was due, or while connecting
            self._record_cancelled(request, due, tries)
        elif counts:
            self.record.add(exchange, request.index, due, self.began_ns, free_ns, tries)
            self._stop_after_errors()
        succeeded = exchange.error_class is None and not exchange.cancelled
        answer = exchange.answer if succeeded and request.following else None
        return Outcome(exchange.ended or perf_counter_ns(), answer)

    def _is_retried(self, exchange: Exchange, tries: Tries) -> bool:
        return (
            tries.attempts <= self._retries
            and exchange.error_class in retries.RETRIED
            and not self._stopped.is_set()
        )

    def _stop_after_errors(self) -> None:
        if self._errors_allowed is not None and self.record.failed >= self._errors_allowed:
            self.stop()

    async def _wait_for_answers(self) -> None:
        """Wait for the requests in flight; after `stop`, at most STOP_S."""
        if not self._tasks:
            return
        idle = asyncio.create_task(self._idle.wait())
        stopping = asyncio.create_task(self._stopped.wait())
        await asyncio.wait([idle, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not idle.done():
            await asyncio.wait([idle], timeout=STOP_S)
            for task in self._tasks.copy():  # those left are still connecting
                task.cancel()
            await idle


def initial_connections(schedule: Schedule) -> int:
    """Return how many connections to open beforehand: one for each request due at the start."""
    if schedule.users:
        return sum(join * 1e9 <= LEAD_NS for join in schedule.joins_s) or schedule.users
    begins = -schedule.lead_s * 1e9
    first = chain(schedule.warm_s, schedule.due_s)
    due = sum(1 for _ in takewhile(lambda at: at * 1e9 - begins <= LEAD_NS, first))
    return min(due, schedule.in_flight or due)
