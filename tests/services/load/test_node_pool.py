"""What the worker makes of what the driver of a cluster sends: everything is kept, and nothing is
waited for that cannot come."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import pytest

from services.ask.backends import Target
from services.ask.config import parse
from services.ask.measurement import Measurement
from services.base.ipc import LINE_BYTES, Message
from services.load import protocol as load
from services.load.nodes.pool import NodePool
from services.load.nodes.protocol import FromNode, encode
from services.load.process_pool import ProcessPoolProblem
from services.load.protocol import Job, Played, Requests
from tests.services.load import node_driver

pytestmark = pytest.mark.slow

PLAYED = Played(1, 0.5, {"clock": "kernel", "cpu_share": 0.1, "loop_lag_p99_s": None}, None)
CONFIG = {
    "backend": "url",
    "base_url": "http://10.0.0.9:8000",
    "model": "m",
    "on": "ray://10.0.0.1:10001",
}
Play = Callable[..., tuple[Played, list[Message], int]]


def from_node(*messages: Message) -> bytes:
    return encode(FromNode(0, "".join(load.encode(each).decode() for each in messages)))


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Play a repeat of a config on a node that sends these bytes. Returns what was played, what was
    passed on, and when it was ready."""

    def play(sends: bytes, **values: Any) -> tuple[Played, list[Message], int]:
        python, file = tmp_path / "python", tmp_path / "sends"
        python.write_text(f"#!/bin/sh\nexec {sys.executable} {node_driver.__file__}\n")
        python.chmod(0o700)
        file.write_bytes(sends)
        monkeypatch.setenv("PACELINE_RAY_PYTHON", str(python))
        monkeypatch.setenv("SENDS", str(file))
        return asyncio.run(_play(parse({**CONFIG, **values})))

    return play


async def _play(config: Any) -> tuple[Played, list[Message], int]:
    messages: list[Message] = []
    ready_ns = 0

    async def on_ready() -> int:
        nonlocal ready_ns
        ready_ns = perf_counter_ns()
        return ready_ns

    pool = await NodePool.start(Job(config, Target("url", None, "m"), "n", 0), messages.append)
    try:
        played = await asyncio.wait_for(pool.play(0, on_ready), 20)
    finally:
        await pool.close()
    return played, messages, ready_ns


def test_an_answer_with_a_line_separator_is_received_whole(play: Play) -> None:
    answer = "one\u2028two\u2029three\x85four\x0bfive\rsix"
    row = Measurement(0, 0, "ok", 0.0, answer=answer)
    _, messages, _ = play(from_node(Requests([row]), PLAYED))
    batches = [message for message in messages if isinstance(message, Requests)]
    assert [seen.answer for batch in batches for seen in batch.measurements()] == [answer]


@pytest.mark.parametrize(
    ("sends", "why"),
    [
        (b'{"version":99,"type":"from_node"}\n', "have different versions"),
        (b"Traceback (most recent call last):\n", "a line that is not a message"),
        (b"x" * (LINE_BYTES + 1) + b"\n", "A node sent a message that is too long"),
    ],
)
def test_a_message_that_cannot_be_read_ends_the_repeat(sends: bytes, why: str, play: Play) -> None:
    with pytest.raises(ProcessPoolProblem, match=why):
        play(sends)


@pytest.mark.parametrize(
    "mode",
    [{"mode": "constant", "rate": 5, "duration_s": 2}, {"mode": "users", "users": 2}],
)
def test_a_repeat_begins_after_its_warm_up_at_load(mode: dict[str, Any], play: Play) -> None:
    played, _, ready_ns = play(from_node(PLAYED), **mode, load_warmup_s=7)
    assert 7e9 < played.began_ns - ready_ns < 8e9
