"""Which requests form a session, what each of its turns sends, and how a plan says it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ask import conversation, dialogue, modes
from services.ask.config import RunConfig, parse
from services.ask.dialogue import Turn
from services.ask.plan import plan
from services.ask.plan_of_sessions import typical_session
from services.ask.problems import InvalidConfig
from services.ask.sessions import Sessions, sessions_of
from services.ask.workloads import InvalidFile, prompt
from services.ask.workloads.promptfile import read_file
from services.report.charts import session_spec
from services.report.scenario.prompts import prompt_values


def read(*rows: Any) -> tuple[str, ...]:
    return read_file("\n".join(map(json.dumps, rows)).encode(), "p.jsonl").prompts


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


SHAREGPT = {
    "conversations": [
        {"from": "gpt", "value": "Hello! How can I help?"},
        {"from": "human", "value": "one"},
        {"from": "gpt", "value": "first"},
        {"from": "human", "value": "two"},
        {"from": "gpt", "value": "second"},
    ]
}
MESSAGES = [user("one"), assistant("first"), user("two"), assistant("second"), user("three")]


def asked(config: RunConfig, index: int, **more: Any) -> list[dict[str, Any]]:
    return dialogue.messages_of(prompt(config, 0, index, **more))


def test_sessions_are_runs_of_consecutive_requests_in_rotation() -> None:
    sessions = Sessions(((0.0,), (0.0, 1.0, 1.0), (0.0, 2.0)))
    located = [sessions.locate(index) for index in range(8)]
    assert located == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (3, 0), (4, 0)]
    assert [sessions.first(session) for session in range(5)] == [0, 1, 4, 6, 7]
    assert [sessions.count_within(count) for count in (1, 2, 4, 5, 7)] == [1, 2, 2, 3, 4]
    assert sessions.mean_turns == 2


def test_a_run_without_later_turns_has_no_sessions() -> None:
    rows = read("plain", {"messages": MESSAGES}, SHAREGPT)
    for values in ({}, {"turns": 1}, {"input_tokens": 9}, {"prompts": rows, "turns": 1}):
        assert sessions_of(parse(values)) is None
    assert sessions_of(parse({"prompts": rows})) is not None


def test_each_turn_of_a_conversation_has_its_history() -> None:
    config = parse({"prompts": read(SHAREGPT), "unique_prompts": False})
    assert asked(config, 0) == [user("one")]
    assert asked(config, 1) == [user("one"), assistant("first"), user("two")]
    answered = config.model_copy(update={"history": "answered"})
    expected = [user("one"), assistant("what it said"), user("two")]
    assert asked(answered, 1, answers=["what it said"]) == expected


def test_messages_stay_one_request_unless_they_are_played_turn_by_turn() -> None:
    values = {"prompts": read({"messages": MESSAGES}), "unique_prompts": False}
    assert asked(parse(values), 0) == MESSAGES
    played = parse({**values, "turn_by_turn": True})
    assert [asked(played, index) for index in range(3)] == [MESSAGES[:1], MESSAGES[:3], MESSAGES]


def test_a_system_prompt_and_tools_belong_to_every_turn() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    config = parse({"prompts": read({**SHAREGPT, "system": "Be brief.", "tools": tools})})
    for index in range(2):
        assert asked(config, index)[0]["content"].endswith("] Be brief.")
        assert dialogue.options_of(prompt(config, 0, index)) == {"tools": tools}


def test_synthetic_turns_have_the_requested_lengths() -> None:
    values = {"turns": 3, "input_tokens": 20, "max_tokens": 7, "unique_prompts": False}
    config = parse({**values, "text_style": "words"})
    said = asked(config, 5)  # the last turn of the second session
    assert [message["role"] for message in said] == ["user", "assistant"] * 2 + ["user"]
    assert [len(message["content"].split()) for message in said] == [20, 7, 20, 7, 20]
    assert said[:1] == asked(config, 3) and said[:3] == asked(config, 4)
    assert len({message["content"] for message in said}) == 5


def test_all_turns_of_a_session_begin_with_the_same_nonce() -> None:
    config = parse({"turns": 2})
    first, second, other = (asked(config, index)[0]["content"] for index in (0, 1, 2))
    assert first == second != other


@pytest.mark.parametrize(
    ("rows", "values", "sentence"),
    [
        (
            ["plain", {"turns": [{"text": "a"}, {"text": "b"}]}],
            {},
            "history must be answered: prompt 2 is a conversation without recorded answers.",
        ),
        (
            [
                {
                    "messages": [
                        user("a"),
                        {"role": "assistant", "tool_calls": [{"id": "1"}]},
                        {"role": "tool", "tool_call_id": "1", "content": "x"},
                    ]
                }
            ],
            {"turn_by_turn": True, "history": "answered"},
            "history must be recorded: prompt 1 has tool results, which belong to the recorded "
            "calls.",
        ),
    ],
)
def test_a_history_that_does_not_exist_is_refused(
    rows: list[Any], values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidConfig, match=sentence):
        parse({"prompts": read(*rows), **values})
    assert parse({"prompts": read(*rows), **values, "turns": 1})


@pytest.mark.parametrize(
    ("turn", "sentence"),
    [
        ({"text": "b", "delay": "soon"}, 'has a "delay" that is not a number of milliseconds.'),
        ({"text": "b", "delay": -1}, 'has a "delay" that is not between 0 and 86,400,000 ms.'),
        ({"conversations": []}, "has a turn without a prompt."),
    ],
)
def test_a_turn_that_cannot_be_played_is_refused(turn: Any, sentence: str) -> None:
    with pytest.raises(InvalidFile, match=sentence):
        read({"turns": [{"text": "a"}, turn]})


def test_a_conversation_keeps_its_turns_in_a_scenario() -> None:
    rows = read({"turns": [{"text": "a"}, {"text": "b", "delay": 1500}]}, SHAREGPT)
    assert read(*prompt_values(rows)) == rows


def test_a_very_long_conversation_is_cut_without_writing_it_for_each_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = 0
    to_session = dialogue.to_session

    def counted(*given: Any) -> str:
        nonlocal written
        written += 1
        return to_session(*given)

    turns = [Turn([{"role": "user", "content": "x" * 50}]) for _ in range(500)]
    prompt = dialogue.to_session(turns)
    monkeypatch.setattr(dialogue, "to_session", counted)
    for longest in (0, 100, 5_000, len(prompt) - 1):
        cut = conversation.first_turns(prompt, longest)
        kept = len(dialogue.turns_of(cut))
        assert len(cut) <= longest or kept == 1
        assert len(to_session(turns[: kept + 1])) > longest
    assert conversation.first_turns(prompt, len(prompt)) == prompt
    assert written < 50


def test_a_conversation_that_is_too_long_is_cut_at_a_turn() -> None:
    long = [user("a"), assistant("x" * 150_000), user("b"), assistant("x" * 150_000), user("c")]
    names = {"user": "human", "assistant": "gpt"}
    row = [{"from": names[m["role"]], "value": m["content"]} for m in long]
    [kept] = read({"conversations": row})
    assert len(dialogue.turns_of(kept)) == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"turns": 3, "requests": 12, "turn_delay_s": 0.5},
            "Sends 12 requests in 4 sessions of 3 turns plus 1 warm-up request (sessions one at a "
            "time, with a pause of 2 s; later turns 0.5 s after the previous answer): at most ",
        ),
        (
            {"turns": 3, "mode": "constant", "rate": 2, "duration_s": 60, "warmup": 0},
            "Sends requests for 60 s (360) in sessions of 3 turns (sessions 2 per second, evenly "
            "spaced; later turns as soon as the previous answer has ended): at most ",
        ),
        (
            {"prompts": read("plain", SHAREGPT), "requests": 2, "warmup": 0},
            "Sends 2 requests in 2 sessions of 1 to 2 turns (sessions one at a time, with a pause "
            "of 2 s; later turns as soon as the previous answer has ended): at most ",
        ),
    ],
)
def test_a_plan_says_how_sessions_follow_each_other(values: Any, words: str) -> None:
    assert plan(parse(values), None).sentence.startswith(words)


def test_a_plan_counts_the_history_of_each_turn() -> None:
    values = {"turns": 3, "requests": 6, "warmup": 0, "input_tokens": 100, "max_tokens": 10}
    assert plan(parse(values), None).prompt_tokens_about == 2 * (100 + 210 + 320)


def test_a_plan_counts_tools_in_each_turn() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "x" * 4000}}]
    each = len(json.dumps({"tools": tools})) / 4
    for usual in ({"history": "recorded"}, {"history": "answered"}):
        without, having = (
            parse({"prompts": read({**SHAREGPT, **more}), "requests": 2, "warmup": 0, **usual})
            for more in ({}, {"tools": tools})
        )
        before, after = (plan(config, None).prompt_tokens_about for config in (without, having))
        assert before is not None and after == pytest.approx(before + 2 * each, abs=1)
    (_, first, _, _), (history, second, _, _) = typical_session(having) or ()
    assert first > each and history > each and second < 10


def test_a_simulated_run_has_each_turn_after_the_answer_before() -> None:
    values = {"turns": 2, "requests": 4, "turn_delay_s": 0.5, "mode": "staggered", "interval_s": 1}
    bars = modes.simulate(modes.schedule(parse(values)), 2.0)
    assert bars == [(0, 0.0, 2.0), (2, 1.0, 3.0), (1, 2.5, 4.5), (3, 3.5, 5.5)]
    two = {"turns": 2, "requests": 5, "mode": "users", "users": 2, "think_s": 1}
    bars = modes.simulate(modes.schedule(parse(two)), 2.0)
    assert bars == [(0, 0, 2), (2, 0, 2), (1, 2, 4), (3, 2, 4), (4, 5, 7)]
    capped = {"turns": 2, "requests": 4, "mode": "batch", "concurrency": 1}
    bars = modes.simulate(modes.schedule(parse(capped)), 1.0)
    assert sorted(start for _, start, _ in bars) == [0, 1, 2, 3]


def test_a_rate_is_in_sessions_and_every_turn_is_counted() -> None:
    config = parse({"turns": 4, "mode": "constant", "rate": 2, "duration_s": 10})
    assert modes.peak_rate(config) == 8 and modes.expected(config) == 80
    assert len(modes.schedule(config).due_s) == 20
    batch = parse({"turns": 4, "mode": "batch", "requests": 10})
    assert modes.at_once(batch) == 3


def test_a_picture_of_a_session_has_a_growing_history() -> None:
    values = {"turns": 3, "input_tokens": 100, "max_tokens": 10, "turn_delay_s": 0.5}
    spec = session_spec(parse(values))
    assert spec is not None
    rows = [(r["turn"], r["part"], r["tokens"]) for r in spec["datasets"]["rows"]]
    history = [tokens for _, part, tokens in rows if part == "History"]
    assert history == [110, 220] and rows[0] == (1, "New message", 100)
    assert spec["datasets"]["rows"][-1]["delay"] == "0.5 s after the previous answer"
    assert session_spec(parse({})) is None
    long = session_spec(parse({"turns": 20}))
    assert long and "Turn, the first 12 of 20" in str(long)


def test_the_session_of_a_file_that_is_drawn_has_the_median_number_of_turns() -> None:
    rows = read("plain", SHAREGPT, SHAREGPT)
    session = typical_session(parse({"prompts": rows, "max_tokens": 7}))
    assert session == [(0, 0.75, 7, 0), (2.0, 0.75, 7, 0)]  # "one", "first" and "two", by 4
