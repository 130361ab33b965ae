"""Stops, dying servers, stuck sends: the runner comes to an end and keeps what was seen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from threading import Thread
from time import perf_counter_ns

import pytest

from services.ask.modes import Schedule
from services.load.runner import Runner
from services.load.supply import PreparedRequest, Supply
from services.wire import Timeouts, Wire
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
) -> Runner:
    runner = Runner(wire, 0, None)

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


def test_a_server_that_dies_between_two_requests_fails_only_the_second() -> None:
    with serving() as port:
        wire = Wire(f"http://127.0.0.1:{port}/v1/chat/completions")

        async def end_it(runner: Runner) -> None:
            await so(lambda: runner.finished)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /die HTTP/1.1\r\n\r\n")
            await reader.read()
            writer.close()

        schedule = Schedule((0.0, 0.0), in_flight=1, pause_s=0.6)
        runner = play(wire, schedule, asks(wire, "ref", 2), end_it)
    assert [m.status for m in runner.finished] == ["ok", "failed"]
    assert "Nothing answers" in str(runner.finished[1].error)


def test_a_send_to_a_server_that_does_not_read_times_out(deaf: int) -> None:
    wire = Wire(f"http://127.0.0.1:{deaf}/v1", timeouts=Timeouts(0.5))
    runner = play(wire, Schedule((0.0,)), asks(wire, "ref", 1, 20_000_000))
    assert [(m.status, m.error_class) for m in runner.finished] == [("failed", "timeout")]


def test_a_stop_in_mid_send_keeps_the_request_as_cancelled(deaf: int) -> None:
    wire = Wire(f"http://127.0.0.1:{deaf}/v1")

    async def stop(runner: Runner) -> None:
        await so(wire.in_flight.count)
        runner.stop()

    runner = play(wire, Schedule((0.0,)), asks(wire, "ref", 1, 20_000_000), stop)
    assert [m.status for m in runner.finished] == ["cancelled"]


def test_nothing_is_sent_after_a_stop(reference: ReferenceServer) -> None:
    wire = Wire(f"{reference.base_url}/chat/completions")
    before = reference.report()["state"]["requests"]

    async def stop(runner: Runner) -> None:
        await so(lambda: runner.began_ns)
        runner.stop()

    play(wire, Schedule((0.2,) * 5), asks(wire, "ref", 5), stop)
    assert reference.report()["state"]["requests"] == before


def test_a_stop_does_not_wait_for_connections_that_do_not_come_about() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # and never accept
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        wire = Wire(f"http://127.0.0.1:{full.getsockname()[1]}/v1")

        async def stop(runner: Runner) -> None:
            await asyncio.sleep(0.05)
            runner.stop()

        began = perf_counter_ns()
        play(wire, Schedule((0.0,) * 4), asks(wire, "ref", 4), stop)
    assert perf_counter_ns() - began < 5e9


@pytest.mark.timed
def test_a_request_that_found_no_connection_was_not_sent_late() -> None:
    wire = Wire("http://127.0.0.1:9/v1")
    runner = play(wire, Schedule((0.0, 0.1)), asks(wire, "ref", 2))
    assert [m.error_class for m in runner.finished] == ["connect"] * 2
    assert max(runner.lateness_s.values) < 0.05


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
    (only,) = runner.finished
    assert (only.error_class, only.http_status) == ("http_4xx", 413)


def test_what_is_in_flight_when_all_is_cut_short_is_kept_as_cancelled(
    reference: ReferenceServer,
) -> None:
    wire = Wire(f"{reference.base_url}/chat/completions", None, Timeouts(60.0))
    runner = Runner(wire, 0, None)

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
    assert [m.status for m in runner.finished] == ["cancelled"] * 5
    assert all(len(m.token_times) == 2 for m in runner.finished)
