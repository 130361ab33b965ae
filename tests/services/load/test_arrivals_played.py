"""Schedules as they are played: users, ends by time, drains, caps, and warm-up at load."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from services.ask.backends import Target
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.base.ipc import Message
from services.load.protocol import Job, Played, Requests
from services.load.repeat import RepeatPlayer
from tests.conftest import ReferenceServer
from tests.services.load.test_runner import now

FAST = "ref ttft=0.01 gap=0.001 tokens=5"
SLOW = "ref ttft=0.2 gap=0.01 tokens=10"


def played(
    reference: ReferenceServer, model: str, **values: Any
) -> tuple[Played, list[Measurement]]:
    """Play one repeat; return its requests in order of their index."""
    config = RunConfig.model_validate({"prompt": "x", "max_tokens": 5, **values})
    finished: list[Measurement] = []

    def collect(message: Message) -> None:
        if isinstance(message, Requests):
            finished.extend(message.measurements())

    async def play() -> Played:
        target = Target("url", reference.base_url, model, None, chosen=config.dialect)
        player = RepeatPlayer(Job(config, target, "nonce", 0), collect)
        try:
            return await player.play(0, now)
        finally:
            player.client.close()

    result = asyncio.run(play())
    return result, sorted(finished, key=lambda m: m.index)


def in_flight(measured: list[Measurement]) -> int:
    return max(sum(a.t_send <= m.t_send < a.t_end for a in measured) for m in measured)  # type: ignore[operator]


def test_each_user_sends_again_after_its_answer(reference: ReferenceServer) -> None:
    _, measured = played(reference, FAST, mode="users", users=3, think_s=0.05, requests=12)
    assert [m.status for m in measured] == ["ok"] * 12
    assert [m.index for m in measured] == list(range(12))
    assert in_flight(measured) <= 3
    first, last = measured[0], measured[-1]
    assert last.t_send >= first.t_send + 3 * (0.05 + 0.01)  # type: ignore[operator]


def test_users_who_join_later_send_later(reference: ReferenceServer) -> None:
    values = {"users": 4, "think_s": 30, "ramp_up_s": 0.4, "requests": 4}
    _, measured = played(reference, FAST, mode="users", **values)
    assert [round(m.t_due, 3) for m in measured] == [0.0, 0.1, 0.2, 0.3]


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {"mode": "users", "users": 2, "think_s": 0.01},
        {"mode": "sequential", "pause_s": 0.01},
        {"mode": "batch", "concurrency": 3},
        {"mode": "poisson", "rate": 60},
        {"mode": "staggered", "interval_s": 0.02},
    ],
    ids=lambda values: values["mode"],
)
def test_a_run_by_time_sends_until_then_and_answers_what_is_in_flight(
    reference: ReferenceServer, values: dict[str, Any]
) -> None:
    result, measured = played(reference, SLOW, duration_s=0.7, **values)
    assert measured
    assert all(m.status == "ok" for m in measured)
    assert max(m.t_due for m in measured) < 0.7
    assert [m.index for m in measured] == list(range(len(measured)))
    assert result.duration_s >= max(m.t_end or 0 for m in measured)


def test_answers_unfinished_after_the_drain_are_cancelled(reference: ReferenceServer) -> None:
    values = {"mode": "constant", "rate": 20, "duration_s": 0.5, "drain_s": 0.1}
    _, measured = played(reference, "ref ttft=0.3 gap=0.01 tokens=5", **values)
    statuses = [m.status for m in measured]
    assert len(measured) == 10
    assert statuses == sorted(statuses, key=("ok", "cancelled").index)
    assert 0 < statuses.count("cancelled") < 10


@pytest.mark.slow
def test_requests_never_sent_by_the_end_are_recorded_as_cancelled(
    reference: ReferenceServer,
) -> None:
    values = {"mode": "constant", "rate": 40, "duration_s": 0.5, "concurrency": 1, "drain_s": 0.2}
    _, measured = played(reference, SLOW, **values)
    assert [m.index for m in measured] == list(range(20))
    never_sent = [m for m in measured if m.t_send is None]
    assert 14 <= len(never_sent) <= 18
    assert {m.status for m in never_sent} == {"cancelled"}
    _, measured = played(reference, FAST, mode="constant", rate=40, duration_s=0.5, concurrency=1)
    assert [m.status for m in measured] == ["ok"] * 20  # all that was due, if there is no limit


def test_the_load_before_the_start_is_sent_and_not_counted(reference: ReferenceServer) -> None:
    before = reference.report()["state"]["requests"]
    values = {"mode": "constant", "rate": 40, "requests": 10, "load_warmup_s": 0.5}
    _, measured = played(reference, FAST, **values)
    assert len(measured) == 10
    assert measured[0].t_due == 0.0
    assert reference.report()["state"]["requests"] - before == 30


@pytest.mark.slow
def test_users_start_in_the_warm_up_and_continue_into_the_run(reference: ReferenceServer) -> None:
    values = {"mode": "users", "users": 3, "think_s": 0.05, "duration_s": 0.5, "load_warmup_s": 0.3}
    _, measured = played(reference, FAST, **values)
    assert all(m.t_due >= 0 for m in measured)
    assert min(m.t_due for m in measured) < 0.2
    assert [m.index for m in measured] == list(range(len(measured)))


@pytest.mark.slow
def test_a_request_beyond_the_maximum_says_how_long_it_waited(reference: ReferenceServer) -> None:
    values = {"mode": "constant", "rate": 50, "concurrency": 2, "requests": 12}
    _, measured = played(reference, SLOW, **values)
    assert in_flight(measured) <= 2
    assert [m.cap_wait_s is None for m in measured[:2]] == [True, True]
    waited = [m.cap_wait_s or 0.0 for m in measured]
    assert waited[-1] > 0.5
    for m in measured:
        assert m.t_send is not None
        assert m.t_send - m.t_due >= (m.cap_wait_s or 0.0)
    assert all(later >= one - 0.2 for one, later in pairwise(waited))
