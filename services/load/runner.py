"""Play a schedule: one loop for every mode, which sends what is due and keeps the results."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Protocol

from services.ask.measurement import Measurement, Progress, Status
from services.ask.modes import Schedule
from services.base.redact import Secret, without_secrets
from services.load.response_profile import ResponseProfile, profile_of
from services.wire.exchange import Exchange
from services.wire.in_flight import InFlight

LEAD_NS = 250_000_000  # a connection is prepared this long before its request is due
STOP_S = 1.0  # how long requests in flight may take to end when the run is stopped


class Client(Protocol):
    """What the runner needs of a client: `Wire`, or `ViaLiteLLM`."""

    in_flight: InFlight

    async def open(self, count: int) -> None: ...
    async def ask(
        self, body: bytes, due_ns: int, more: Callable[[], int], secrets: tuple[Secret, ...]
    ) -> Exchange: ...


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """One request, ready to be sent. `prompt` is kept out of error messages."""

    index: int
    body: bytes
    prompt: Secret


class Runner:
    """Plays one repeat. `finished` collects measurements until `take` is called."""

    def __init__(
        self, client: Client, repeat: int, key: str | None, stop_after_errors: int | None = None
    ) -> None:
        self.finished: list[Measurement] = []
        self.profiles: list[ResponseProfile] = []
        self.lateness_s: list[float] = []  # how long after their due time requests were sent
        self.oddities: Counter[str] = Counter()  # number of answers with each oddity
        self.began_ns = 0
        self._client = client
        self._repeat = repeat
        self._key = key
        self._errors_allowed = stop_after_errors
        self._previous_end = 0
        self._unsent = 0
        self._done = self._failed = self._tokens = 0
        self._dispatcher: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    async def play(
        self,
        schedule: Schedule,
        requests: Sequence[PreparedRequest],
        on_ready: Callable[[], Awaitable[int]],
    ) -> float:
        """Send every request when it is due; return how long the repeat took, in seconds.

        Connections are opened first, then `on_ready` returns when to begin (`perf_counter_ns`).
        After `stop` it returns within STOP_S, with the requests in flight marked cancelled; they
        are also marked when this call itself is cancelled.

        Raises:
            OSError: the backend's host cannot be found.
        """
        self._unsent = len(requests)
        await self._open(initial_connections(schedule))
        self.began_ns = self._previous_end = await on_ready()
        tasks: list[asyncio.Task[None]] = []
        if not self._stopped.is_set():
            self._dispatcher = asyncio.create_task(self._send_all(schedule, requests, tasks))
        try:
            if self._dispatcher is not None:
                await asyncio.wait([self._dispatcher])
            await self._wait_for(tasks)
        except asyncio.CancelledError:
            self.stop()
            await self._wait_for(tasks)
            raise
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
        """Send nothing more, and end what is in flight."""
        self._stopped.set()
        if self._dispatcher is not None:
            self._dispatcher.cancel()
        self._client.in_flight.stop()

    def take(self) -> list[Measurement]:
        """Return the measurements that finished since the last call."""
        finished, self.finished = self.finished, []
        return finished

    def progress(self, run_began_ns: int) -> Progress:
        """Return the current counts; `t` is in seconds since the run began."""
        in_flight = self._client.in_flight.count()
        return Progress(
            t=(perf_counter_ns() - run_began_ns) / 1e9,
            repeat=self._repeat,
            sent=in_flight + self._done + self._failed,
            in_flight=in_flight,
            done=self._done,
            failed=self._failed,
            tokens=self._tokens + self._client.in_flight.received(),
        )

    async def _send_all(
        self,
        schedule: Schedule,
        requests: Sequence[PreparedRequest],
        tasks: list[asyncio.Task[None]],
    ) -> None:
        slots = asyncio.Semaphore(schedule.in_flight or len(requests) or 1)
        for position, (request, offset) in enumerate(zip(requests, schedule.due_s, strict=True)):
            await slots.acquire()
            due = self.began_ns + round(offset * 1e9)
            if schedule.pause_s is not None and position:
                due = max(due, self._previous_end + round(schedule.pause_s * 1e9))
            if (wait_ns := due - LEAD_NS - perf_counter_ns()) > 0:
                await asyncio.sleep(wait_ns / 1e9)
            tasks.append(asyncio.create_task(self._run_request(request, due, slots)))

    async def _run_request(
        self, request: PreparedRequest, due: int, slots: asyncio.Semaphore
    ) -> None:
        self._unsent -= 1
        if self._stopped.is_set():
            return
        secrets = (request.prompt, *filter(None, [self._key]))
        try:
            exchange = await self._client.ask(request.body, due, lambda: self._unsent, secrets)
            self._previous_end = exchange.ended or perf_counter_ns()
        finally:
            slots.release()
        self.oddities.update(exchange.oddities)
        if profile := profile_of(exchange):
            self.profiles.append(profile)
        if exchange.sent is not None:  # else it was cancelled before it was due
            measurement = measurement_of(
                exchange, self._repeat, request.index, due, self.began_ns, self._key
            )
            self._count(measurement)

    def _count(self, measurement: Measurement) -> None:
        if measurement.t_send is not None:
            self.lateness_s.append(measurement.t_send - measurement.t_due)
        self.finished.append(measurement)
        if measurement.status == "failed":
            self._failed += 1
        else:
            self._done += measurement.status == "ok"
            self._tokens += measurement.output_tokens or len(measurement.token_times)
        if self._errors_allowed is not None and self._failed >= self._errors_allowed:
            self.stop()

    async def _wait_for(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait for the requests in flight; after `stop`, no longer than STOP_S."""
        if not tasks:
            return
        stopping = asyncio.create_task(self._stopped.wait())
        first_error = asyncio.FIRST_EXCEPTION
        all_done = asyncio.create_task(asyncio.wait(tasks, return_when=first_error))
        waiting: list[asyncio.Future[Any]] = [all_done, stopping]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._stopped.is_set():
            await asyncio.wait(tasks, timeout=STOP_S)
        for task in tasks:  # those left are still connecting
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()


def initial_connections(schedule: Schedule) -> int:
    """Return how many connections to open beforehand: one for each request due at the start."""
    due = sum(offset * 1e9 <= LEAD_NS for offset in schedule.due_s)
    return min(due, schedule.in_flight or due)


def measurement_of(
    exchange: Exchange, repeat: int, index: int, due_ns: int, began_ns: int, key: str | None = None
) -> Measurement:
    """Convert an exchange to a measurement, in seconds since the repeat began. The key is removed
    from the answer, should the server repeat it."""

    def since(stamp: int | None) -> float | None:
        return None if stamp is None else (stamp - began_ns) / 1e9

    status: Status = "failed" if exchange.error_class else "ok"
    usage = exchange.usage
    counted = exchange.has_usage and usage.output_tokens is not None
    return Measurement(
        repeat=repeat,
        index=index,
        status="cancelled" if exchange.cancelled else status,
        t_due=(due_ns - began_ns) / 1e9,
        t_send=since(exchange.sent),
        t_first=since(exchange.first),
        t_answer=since(exchange.answered),
        t_last=since(exchange.last),
        t_end=since(exchange.ended),
        token_times=tuple((stamp - began_ns) / 1e9 for stamp in exchange.token_times),
        prompt_tokens=usage.prompt_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cached_tokens=usage.cached_tokens,
        token_source="usage" if counted else "unknown",
        error_class=exchange.error_class,
        error=exchange.error,
        http_status=exchange.http_status,
        finish_reason=exchange.finish_reason,
        connect_s=exchange.connect_s,
        coalesced_reads=exchange.coalesced,
        answer=without_secrets(exchange.answer, filter(None, [key])),
    )
