"""Stops, dying servers, stuck sends: the runner comes to an end and keeps what was seen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from threading import Thread
from time import perf_counter_ns

import pytest

from services.ask.modes import Schedule
from services.load.runner import Runner
from services.load.supply import Following, PreparedRequest, Supply
from services.wire import Timeouts, Wire
from services.wire.client import DONE_GRACE_S
from tests.canned import canned, chunked
from tests.conftest import ReferenceServer, serving


async def so(holds: Callable[[], object]) -> None:
    """Wait, in the loop, until something holds."""
    while not holds():  # noqa: ASYNC110  what is waited for sets no event
        await asyncio.sleep(0.001)


async def now() -> int:
    return perf_counter_ns()


def asks(wire: Wire, model: str, count: int, size: int = 1) -> list[PreparedRequest]:
    message = {"role": "user", "content": "x" * size}
    body = wire.request({"model": model, "messages": [message]})
    return [PreparedRequest(index, body, "") for index in range(count)]


def play(
    wire: Wire,
    schedule: Schedule,
    bodies: list[PreparedRequest],
    meanwhile: Callable[[Runner], Awaitable[None]] | None = None,
    retries: int = 0,
) -> Runner:
    runner = Runner(wire, 0, most_retries=retries)

    async def both() -> None:
        task = asyncio.create_task(runner.play(schedule, Supply(iter(bodies), len(bodies)), now))
        if meanwhile is not None:
            await meanwhile(runner)
        await asyncio.wait_for(task, 10)
        wire.close()

    asyncio.run(both())
    return runner


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that accepts connections and never reads."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


@contextmanager
def with_one_place() -> Iterator[tuple[socket.socket, str]]:
    """A listener that never accepts, and its URL: it has room for one connection, and no other
    comes about."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        yield full, f"http://127.0.0.1:{full.getsockname()[1]}/v1"


def test_a_server_that_dies_between_two_requests_fails_only_the_second() -> None:
    with serving() as port:
        wire = Wire(f"http://127.0.0.1:{port}/v1/chat/completions")

        async def end_it(runner: Runner) -> None:
            await so(lambda: runner.record.finished)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /die HTTP/1.1\r\n\r\n")
            await reader.read()
            writer.close()

        schedule = Schedule((0.0, 0.0), in_flight=1, pause_s=0.6)
        runner = play(wire, schedule, asks(wire, "ref", 2), end_it)
    assert [m.status for m in runner.record.finished] == ["ok", "failed"]
    assert "Nothing answers" in str(runner.record.finished[1].error)


def test_a_send_to_a_server_that_does_not_read_times_out(deaf: int) -> None:
    wire = Wire(f"http://127.0.0.1:{deaf}/v1", timeouts=Timeouts(0.5))
    runner = play(wire, Schedule((0.0,)), asks(wire, "ref", 1, 20_000_000))
    assert [(m.status, m.error_class) for m in runner.record.finished] == [("failed", "timeout")]


def test_a_stop_in_mid_send_keeps_the_request_as_cancelled(deaf: int) -> None:
    wire = Wire(f"http://127.0.0.1:{deaf}/v1")

    async def stop(runner: Runner) -> None:
        await so(wire.in_flight.count)
        runner.stop()

    runner = play(wire, Schedule((0.0,)), asks(wire, "ref", 1, 20_000_000), stop)
    assert [m.status for m in runner.record.finished] == ["cancelled"]


def test_nothing_is_sent_after_a_stop(reference: ReferenceServer) -> None:
    wire = Wire(f"{reference.base_url}/chat/completions")
    before = reference.report()["state"]["requests"]

    async def stop(runner: Runner) -> None:
        await so(lambda: runner.began_ns)
        runner.stop()

    play(wire, Schedule((0.2,) * 5), asks(wire, "ref", 5), stop)
    assert reference.report()["state"]["requests"] == before


def test_a_stop_does_not_wait_for_connections_that_do_not_come_about() -> None:
    with with_one_place() as (full, url), socket.socket() as other:
        other.connect(full.getsockname())
        wire = Wire(url)

        async def stop(runner: Runner) -> None:
            await asyncio.sleep(0.05)
            runner.stop()

        began = perf_counter_ns()
        play(wire, Schedule((0.0,) * 4), asks(wire, "ref", 4), stop)
    assert perf_counter_ns() - began < 5e9


@pytest.mark.slow
def test_requests_that_were_due_and_still_connecting_at_a_stop_count_as_cancelled() -> None:
    with with_one_place() as (_, url):
        wire = Wire(url, timeouts=Timeouts(30.0))

        async def stop(runner: Runner) -> None:
            await so(lambda: len(wire.in_flight._live) == 4)
            await so(lambda: perf_counter_ns() > runner.began_ns + 320_000_000)
            runner.stop()

        schedule = Schedule((0.0, 0.3, 0.31, 0.32, 9.0), end_s=10.0)
        runner = play(wire, schedule, asks(wire, "ref", 5), stop)
    recorded = sorted(
        (m.index, m.status, m.t_due, m.t_send is None) for m in runner.record.finished
    )
    assert recorded == [
        (0, "cancelled", 0.0, False),  # it found the one place
        (1, "cancelled", 0.3, True),
        (2, "cancelled", 0.31, True),
        (3, "cancelled", 0.32, True),
    ]


@pytest.mark.slow
def test_a_later_turn_that_waits_for_a_connecting_request_at_a_stop_counts_as_cancelled() -> None:
    with with_one_place() as (listener, url), socket.socket() as other:
        wire = Wire(url, timeouts=Timeouts(30.0))

        def answer_once() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                other.connect(listener.getsockname())
                sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                sock.sendall(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
                sock.sendall(b"data: [DONE]\n\n")

        thread = Thread(target=answer_once)
        thread.start()
        first, second, turn = asks(wire, "ref", 3)

        async def stop(runner: Runner) -> None:
            await so(lambda: not thread.is_alive())
            await so(lambda: wire.in_flight._live and not wire.in_flight.count())
            await so(lambda: runner.record.finished)
            runner.stop()

        session = replace(first, following=Following(0.0, 1, lambda answer: turn))
        runner = play(wire, Schedule((0.0, 0.0), 1, end_s=10.0), [session, second], stop)
        thread.join()
    recorded = sorted((m.index, m.status, m.t_send is None) for m in runner.record.finished)
    assert recorded == [(0, "ok", False), (1, "cancelled", True), (2, "cancelled", True)]


@pytest.mark.slow
def test_a_retry_that_is_connecting_at_a_stop_keeps_why_the_first_attempt_failed() -> None:
    with with_one_place() as (listener, url), socket.socket() as other:
        wire = Wire(url, timeouts=Timeouts(30.0))

        def refuse_once() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                other.connect(listener.getsockname())
                sock.sendall(b"HTTP/1.1 429 No\r\nRetry-After: 0\r\nContent-Length: 0\r\n")
                sock.sendall(b"Connection: close\r\n\r\n")

        thread = Thread(target=refuse_once)
        thread.start()

        async def stop(runner: Runner) -> None:
            await so(lambda: not thread.is_alive())
            await so(lambda: wire.in_flight._live and not wire.in_flight.count())
            runner.stop()

        runner = play(wire, Schedule((0.0,)), asks(wire, "ref", 1), stop, retries=3)
        thread.join()
    (only,) = runner.record.finished
    assert (only.status, only.attempts, only.first_error_class) == ("cancelled", 2, "http_429")
    assert (only.t_due, only.t_send, only.retry_wait_s) == (0.0, None, 0.0)


@pytest.mark.timed
def test_a_request_that_found_no_connection_was_not_sent_late() -> None:
    wire = Wire("http://127.0.0.1:9/v1")
    runner = play(wire, Schedule((0.0, 0.1)), asks(wire, "ref", 2))
    assert [m.error_class for m in runner.record.finished] == ["connect"] * 2
    assert max(runner.record.lateness_s.values) < 0.05


def test_a_refusal_during_sending_is_read() -> None:
    """It answers when it has the head, and hangs up on the rest."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(1024)
                sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")

        thread = Thread(target=refuse)
        thread.start()
        wire = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        runner = play(wire, Schedule((0.0,)), asks(wire, "ref", 1, 20_000_000))
        thread.join()
    (only,) = runner.record.finished
    assert (only.error_class, only.http_status) == ("http_4xx", 413)


def test_what_is_in_flight_when_all_is_cut_short_is_kept_as_cancelled(
    reference: ReferenceServer,
) -> None:
    wire = Wire(f"{reference.base_url}/chat/completions", None, Timeouts(60.0))
    runner = Runner(wire, 0)

    async def cut_short() -> None:
        bodies = asks(wire, "ref fault=hang after=2", 5)
        supply = Supply(iter(bodies), len(bodies))
        task = asyncio.create_task(runner.play(Schedule((0.0,) * 5, 5), supply, now))
        await so(lambda: wire.in_flight.received() == 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        wire.close()

    asyncio.run(cut_short())
    assert [m.status for m in runner.record.finished] == ["cancelled"] * 5
    assert all(len(m.token_times) == 2 for m in runner.record.finished)


@pytest.mark.slow
def test_a_user_whose_answer_stays_open_after_done_does_not_send_late() -> None:
    """It has to wait for the end of the body, so that its next request is due only then."""
    said = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    with canned(chunked(said, b"data: [DONE]\n\n")[:-1], hold=True) as url:
        wire = Wire(url)
        schedule = Schedule((0.0,) * 3, in_flight=1, pause_s=0.0)
        runner = play(wire, schedule, asks(wire, "ref", 3))
    assert [m.status for m in runner.record.finished] == ["ok"] * 3
    for before, after in pairwise(runner.record.finished):
        assert before.t_last is not None and before.t_end is not None and after.t_send is not None
        assert before.t_end - before.t_last >= 0.9 * DONE_GRACE_S
        assert after.t_send - after.t_due < 0.5 * DONE_GRACE_S
    assert max(m.t_last - m.t_send for m in runner.record.finished) < 0.5 * DONE_GRACE_S
