"""Sessions as they are played: each turn after the answer before and its delay, in every mode, with
the history on the wire as it was recorded or answered."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from services.ask import modes
from services.ask.backends.dialects import DIALECTS
from services.ask.config import DialectName, RunConfig
from services.ask.measurement import Measurement
from services.ask.sessions import sessions_of
from services.ask.workloads.promptfile import read_file
from services.load.shards import Shard
from tests.conftest import ReferenceServer
from tests.services.load.test_arrivals_played import FAST, in_flight, played

ANSWER = " w0 w1 w2 w3 w4"  # of five tokens, by the reference server
DELAY_S = 0.05
THREE = {"prompt": None, "workload": "synthetic", "turns": 3, "input_tokens": 8}
MODES: list[dict[str, Any]] = [
    {"mode": "sequential", "pause_s": 0.02},
    {"mode": "staggered", "interval_s": 0.02},
    {"mode": "batch"},
    {"mode": "batch", "concurrency": 2},
    {"mode": "users", "users": 2, "think_s": 0.02},
    {"mode": "constant", "rate": 50},
    {"mode": "constant", "rate": 50, "concurrency": 2},
    {"mode": "poisson", "rate": 50},
    {"mode": "gamma", "rate": 50},
    {"mode": "ramp", "rate": 20, "end_rate": 60},
    {"mode": "steps", "rate": 20, "end_rate": 60, "rate_steps": 2},
]


def by_session(measured: list[Measurement], turns: int = 3) -> list[list[Measurement]]:
    count = max(m.index for m in measured) // turns + 1
    return [[m for m in measured if m.index // turns == session] for session in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_turn_is_due_its_delay_after_the_previous_answer(
    reference: ReferenceServer, mode: dict[str, Any]
) -> None:
    _, measured = played(reference, FAST, requests=12, turn_delay_s=DELAY_S, **THREE, **mode)
    assert [(m.index, m.status) for m in measured] == [(i, "ok") for i in range(12)]
    for turns in by_session(measured):
        for before, after in pairwise(turns):
            assert after.t_due == pytest.approx(before.t_end + DELAY_S, abs=1e-6)  # type: ignore[operator]
            assert after.t_send >= after.t_due  # type: ignore[operator]
    limit = mode.get("concurrency") or mode.get("users")
    assert limit is None or in_flight(measured) <= limit


def test_the_last_session_is_cut_by_the_number_of_requests(reference: ReferenceServer) -> None:
    result, measured = played(reference, FAST, mode="batch", requests=7, **THREE)
    assert [m.index for m in measured] == list(range(7)) and not result.health.get("unsent_turns")


def test_a_failed_turn_ends_its_session_and_what_was_not_sent_is_counted(
    reference: ReferenceServer,
) -> None:
    model = f"{FAST} most_messages=3"
    values = {**THREE, "turns": 4, "requests": 8, "mode": "batch"}
    result, measured = played(reference, model, **values)
    assert [(m.index % 4, m.status) for m in measured] == [(0, "ok"), (1, "ok"), (2, "failed")] * 2
    assert result.health["unsent_turns"] == {"failed": 2}


@pytest.mark.long
@pytest.mark.slow
def test_the_end_of_a_run_by_time_cuts_sessions_and_says_how_many_turns(
    reference: ReferenceServer,
) -> None:
    values = {"mode": "users", "users": 2, "think_s": 0, "duration_s": 0.5, "turn_delay_s": 0.3}
    result, measured = played(reference, FAST, **THREE, **values)
    assert all(m.t_due < 0.5 and m.status == "ok" for m in measured)
    begun = len({m.index // 3 for m in measured})
    assert result.health["unsent_turns"] == {"ended": 3 * begun - len(measured)}


@pytest.mark.long
@pytest.mark.slow
def test_sessions_that_begin_in_the_warm_up_do_not_count(reference: ReferenceServer) -> None:
    values = {"mode": "users", "users": 2, "think_s": 0, "duration_s": 0.4, "load_warmup_s": 0.3}
    result, measured = played(reference, FAST, **THREE, **values)
    assert min(m.t_due for m in measured) >= 0
    begun = len({m.index // 3 for m in measured})
    unsent = result.health.get("unsent_turns", {}).get("ended", 0)
    assert unsent == 3 * begun - len(measured), "only of sessions that count"
    assert all(turns[0].index % 3 == 0 for turns in by_session(measured))


def test_a_turn_reports_its_concurrency_wait(reference: ReferenceServer) -> None:
    values = {"mode": "batch", "concurrency": 1, "requests": 6}
    _, measured = played(reference, FAST, **THREE, **values)
    later = [m for m in measured if m.index % 3]
    assert any((m.cap_wait_s or 0) > 0 for m in later)
    assert in_flight(measured) == 1


TURNS = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "{} one"},
    {"from": "gpt", "value": "first"},
    {"from": "human", "value": "{} two"},
    {"from": "gpt", "value": "second"},
    {"from": "human", "value": "{} three"},
]


def conversation_file(label: str) -> tuple[str, ...]:
    turns = [{**turn, "value": turn["value"].format(label)} for turn in TURNS]
    return read_file(json.dumps({"conversations": turns}).encode(), "p.jsonl").prompts


def expected(dialect: DialectName, texts: list[str], answers: list[str]) -> dict[str, Any]:
    """The conversation of a turn as the server should get it."""
    roles = [("system", "Be brief.")]
    for text, answer in zip(texts, [*answers, None], strict=True):
        roles += [("user", text), *([("assistant", answer)] if answer is not None else [])]
    messages = [{"role": role, "content": content} for role, content in roles]
    if dialect == "completions":
        return {"prompt": "\n\n".join(content for _, content in roles)}
    if dialect == "anthropic":
        return {"system": "Be brief.", "messages": messages[1:]}
    return {"input" if dialect == "responses" else "messages": messages}


@pytest.mark.parametrize("history", ["recorded", "answered"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_history_that_is_sent_is_recorded_or_answered(
    reference: ReferenceServer, dialect: DialectName, history: str
) -> None:
    label = f"{dialect[:3]}-{history[:3]}"  # the log tells prompts apart by 64 characters
    values = {"backend": "url", "dialect": dialect, "history": history, "unique_prompts": False}
    _, measured = played(
        reference,
        f"{FAST} conversation=1",
        prompt=None,
        workload="file",
        prompts=conversation_file(label),
        mode="sequential",
        requests=3,
        **values,
    )
    assert [m.status for m in measured] == ["ok"] * 3
    texts = [f"{label} {number}" for number in ("one", "two", "three")]
    answers = ["first", "second"] if history == "recorded" else [ANSWER, ANSWER]
    asked = [entry.get("conversation") for entry in reference.log().values()]
    for turn in range(3):
        assert expected(dialect, texts[: turn + 1], answers[:turn]) in asked


def test_the_turns_of_a_session_share_their_nonce(reference: ReferenceServer) -> None:
    values = {"mode": "batch", "requests": 4, "turns": 2, "seed": 77}
    played(reference, f"{FAST} conversation=1", **{**THREE, **values})
    log = reference.log().values()
    asked = [entry.get("conversation", {}).get("messages", []) for entry in log]
    later = [messages for messages in asked if len(messages) == 3]
    firsts = [messages[0] for messages in asked if len(messages) == 1]
    assert all(messages[0] in firsts for messages in later)


def test_shards_split_sessions_not_turns() -> None:
    config = RunConfig.model_validate({**THREE, "mode": "batch", "requests": 15})
    schedule = modes.schedule(config)
    assert len(schedule.due_s) == 5 and sessions_of(config) == schedule.sessions
    parts = [Shard(index, 2).schedule(schedule) for index in range(2)]
    assert [len(part.due_s) for part in parts] == [3, 2]


def test_a_delay_in_the_file_is_kept_scaled_or_replaced() -> None:
    row = {"turns": [{"text": "a"}, {"text": "b", "delay": 1500}, {"text": "c"}]}
    prompts = read_file(json.dumps(row).encode(), "p.jsonl").prompts
    for values, delays in (
        ({}, (0.0, 1.5, 0.0)),
        ({"turn_delay_scale": 0.1}, (0.0, 0.15, 0.0)),
        ({"turn_delay_s": 2}, (0.0, 2.0, 2.0)),
        ({"turns": 2}, (0.0, 1.5)),
    ):
        config = RunConfig.model_validate({"prompts": prompts, "history": "answered", **values})
        found = sessions_of(config)
        assert found and found.delays_s == (pytest.approx(delays),)
