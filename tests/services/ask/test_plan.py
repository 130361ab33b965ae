"""What a run will do is worked out by hand, and said in a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.ask.answer_times import Pace
from services.ask.config import RunConfig, parse
from services.ask.modes import schedule
from services.ask.plan import combined, duration, interleaved, plan, span
from services.ask.prices import Hourly, Price
from services.ask.workloads.promptfile import read_file

AT_64 = Pace(64.0, 64.0, 64.0, "from a test")
PRICE = Price(1e-6, 4e-6, "a test")


def test_the_default_run_is_described_in_numbers() -> None:
    planned = plan(RunConfig(), None)
    assert planned.requests_total == 5 + 1
    assert planned.tokens_at_most == 6 * 128
    assert planned.seconds_at_least == 4 * 2.0
    assert planned.seconds_about is None and planned.usd_at_most is None


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        # "Write." has 6 characters: 3 requests and a warm-up make 24, so 6 tokens
        ({"workload": "text", "prompt": "Write.", "requests": 3, "unique_prompts": False}, 6),
        ({"workload": "text", "prompt": "Write.", "requests": 3}, 6 + 4 * 7),
        # a, b, a and the warm-up's a: (4 + 8 + 4) * 2 repeats + 4 = 36 characters
        (
            {
                "workload": "file",
                "prompts": ("aaaa", "bbbbbbbb"),
                "requests": 3,
                "repeats": 2,
                "unique_prompts": False,
            },
            9,
        ),
        ({"workload": "synthetic", "input_tokens": 512, "requests": 10, "warmup": 0}, 5120),
    ],
)
def test_prompt_tokens_are_estimated_from_characters_or_known(
    config: dict[str, Any], tokens: int
) -> None:
    assert plan(RunConfig(**config), None).prompt_tokens_about == tokens


IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 100_000}"}}
SAID = {"role": "user", "content": "x" * 40}
TOOL = {"type": "function", "function": {"name": "f", "description": "y" * 400}}


@pytest.mark.parametrize(
    ("entry", "more", "tokens"),
    [
        ({"messages": [{"role": "system", "content": "x" * 40}, SAID]}, {}, 20),
        ({"messages": [{"role": "user", "content": [{"text": "x" * 40}, IMAGE]}]}, {}, 10),
        ({"turns": [{"text": "x" * 40}, {"text": "x" * 4000}]}, {"turns": 1}, 10),
        ({"messages": [SAID], "tools": [TOOL]}, {}, 10 + 120),
    ],
)
def test_prompt_tokens_are_those_of_what_is_sent_of_an_entry(
    entry: dict[str, Any], more: dict[str, Any], tokens: int
) -> None:
    prompts = read_file(json.dumps(entry).encode(), "p.jsonl").prompts
    config = parse({"prompts": prompts, "requests": 1, "warmup": 0, **more})
    planned = plan(config.model_copy(update={"unique_prompts": False}), None)
    assert planned.prompt_tokens_about == tokens


@pytest.mark.parametrize(
    ("config", "at_least", "about"),
    [
        # 128 tokens at 64 a second: 2 s an answer. A warm-up request is alone.
        ({"pause_s": 0}, None, 5 * 2 + 2),
        ({}, 8.0, 5 * 2 + 8 + 2),
        ({"repeats": 3}, 24.0, 3 * 18 + 2),
        ({"repeats": 3, "stop_after_s": 5}, 15.0, 3 * 5 + 2),
        ({"mode": "staggered", "interval_s": 0.5, "requests": 3}, 1.0, 1 + 2 + 2 / 3**0.5),
        ({"mode": "poisson", "rate": 4, "duration_s": 30}, 30.0, 30 + 2 + 2 / 8**0.5),
        (
            {"mode": "constant", "rate": 4, "duration_s": 30, "drain_s": 1},
            30.0,
            30 + 1 + 2 / 8**0.5,
        ),
        (
            {"mode": "users", "duration_s": 30, "load_warmup_s": 5, "repeats": 2},
            70.0,
            74 + 2 / 8**0.5,
        ),
        ({"mode": "users", "users": 5, "think_s": 1, "requests": 10}, 1.0, 2 * 2 + 1 + 2 / 5**0.5),
        ({"mode": "batch", "requests": 8, "warmup": 0}, None, 2.0),
        ({"mode": "batch", "requests": 8, "concurrency": 4, "warmup": 0}, None, 4.0),
    ],
)
def test_a_plan_has_a_minimum_time_and_an_estimate(
    config: dict[str, Any], at_least: float | None, about: float
) -> None:
    planned = plan(RunConfig(**config), None, AT_64)
    assert planned.seconds_at_least == at_least
    assert planned.seconds_about == pytest.approx(about)


@pytest.mark.parametrize(
    ("config", "begins"),
    [
        (
            {"mode": "poisson", "rate": 4, "duration_s": 60},
            "Sends requests for 60 s (about 240) plus 1 warm-up request, 4 per second, at random "
            "moments: at most 30,848 output tokens",
        ),
        (
            {"mode": "steps", "rate": 1, "end_rate": 9, "requests": 50, "concurrency": 3},
            "Sends 50 requests plus 1 warm-up request, from 1 to 9 per second in 5 steps, at most "
            "3 in flight: at most",
        ),
        (
            {"mode": "users", "duration_s": 60, "repeats": 3, "load_warmup_s": 10, "warmup": 0},
            "Sends requests for 3 times 60 s (about 160 each time) plus 10 s of warm-up at the "
            "same load, by 8 users: each sends the next request 1 s after each answer: at most",
        ),
    ],
)
def test_the_plan_of_a_run_by_time_or_rate_starts_with_it(
    config: dict[str, Any], begins: str
) -> None:
    assert plan(RunConfig(**config), None, AT_64).sentence.startswith(begins)


def test_the_number_of_requests_of_users_is_unknown_without_earlier_runs() -> None:
    unknown = plan(RunConfig(mode="users", duration_s=60), None)
    assert (unknown.requests_total, unknown.seconds_at_least) == (0, 60.0)
    assert "The number of requests is unknown, because there is no earlier run" in unknown.sentence


@pytest.mark.parametrize(
    ("config", "requests"),
    [
        ({"users": 100, "duration_s": 3600}, 100 * 3600 / 2),  # an answer takes 2 s
        # on average the users are there for half an hour
        ({"users": 100, "duration_s": 3600, "ramp_up_s": 3600}, 100 * 1800 / 2),
        ({"users": 100, "duration_s": 3600, "turns": 3, "input_tokens": 9}, 100 * 3600 / 2),
        ({"mode": "batch", "concurrency": 50, "duration_s": 7200}, 50 * 7200 / 2),
        ({"users": 10_000, "duration_s": 86_400}, 1_000_000),  # a run has no more
    ],
)
def test_more_requests_than_are_drawn_are_all_planned(
    config: dict[str, Any], requests: float
) -> None:
    planned = plan(parse({"mode": "users", "think_s": 0, "warmup": 0, **config}), PRICE, AT_64)
    assert planned.requests_total == pytest.approx(requests, rel=0.02)
    assert planned.tokens_at_most == 128 * planned.requests_total


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        # (1 + 100) / 2 requests a second on average, and 2 s for the last answer
        ({"mode": "ramp", "rate": 1, "end_rate": 100}, 100_000 / 50.5 + 2),
        ({"mode": "ramp", "rate": 100, "end_rate": 1}, 100_000 / 50.5 + 2),
        ({"mode": "ramp", "rate": 1, "end_rate": 100, "concurrency": 10_000}, 100_000 / 50.5 + 2),
        ({"mode": "steps", "rate": 1, "end_rate": 100, "turns": 2}, 50_000 / 50.5 + 4),
        ({"mode": "constant", "rate": 10}, 10_000 + 2),
        ({"mode": "constant", "rate": 10, "concurrency": 1}, 100_000 * 2),
        ({"mode": "batch"}, 2),
        ({"mode": "batch", "concurrency": 10}, 100_000 * 2 / 10),
        ({"mode": "users", "users": 10, "think_s": 0}, 100_000 * 2 / 10),
    ],
)
def test_the_time_of_more_requests_than_are_drawn_follows_their_schedule(
    config: dict[str, Any], seconds: float
) -> None:
    planned = plan(parse({"requests": 100_000, "warmup": 0, **config}), None, AT_64)
    assert planned.seconds_about == pytest.approx(seconds, rel=0.02)


@pytest.mark.parametrize(
    ("config", "requests"),
    [
        ({"mode": "constant", "rate": 10, "duration_s": 60, "load_warmup_s": 600}, 6_600),
        ({"mode": "constant", "rate": 10, "requests": 5, "load_warmup_s": 6, "repeats": 2}, 130),
        ({"mode": "ramp", "rate": 1, "end_rate": 9, "duration_s": 60, "load_warmup_s": 60}, 360),
        ({"mode": "constant", "duration_s": 60, "load_warmup_s": 60, "turns": 2}, 240),
        # an answer takes 2 s
        ({"mode": "users", "think_s": 0, "duration_s": 60, "load_warmup_s": 120}, 8 * 90),
        ({"pause_s": 0, "requests": 5, "load_warmup_s": 60}, 35),
        ({"trace": [(0, 1, 128), (1, 1, 128)], "trace_from_s": 1, "load_warmup_s": 1}, 2),
    ],
)
def test_requests_that_warm_up_at_load_are_paid_for_too(
    config: dict[str, Any], requests: int
) -> None:
    synthetic = {} if "trace" in config else {"input_tokens": 1000, "unique_prompts": False}
    planned = plan(parse({"warmup": 0, **synthetic, **config}), PRICE, AT_64)
    assert planned.requests_total == pytest.approx(requests, abs=16)
    assert planned.tokens_at_most == 128 * planned.requests_total
    assert planned.usd_at_most == pytest.approx(
        planned.prompt_tokens_about * 1e-6 + planned.tokens_at_most * 4e-6
    )


def test_the_price_of_an_unknown_number_of_requests_is_unknown() -> None:
    planned = plan(parse({"load_warmup_s": 60}), PRICE, None)
    assert planned.usd_at_most is None
    assert planned.sentence.endswith(" How many requests the warm-up at load adds is unknown.")


@pytest.mark.parametrize(
    "config",
    [
        {"mode": "staggered", "duration_s": 1},  # every 0.06125 s: 16.3 intervals, 17 requests
        {"mode": "staggered", "interval_s": 0.3, "duration_s": 3},
        {"mode": "constant", "rate": 1.2, "duration_s": 1},
        {"mode": "constant", "rate": 10, "duration_s": 60},
        {"mode": "constant", "rate": 0.1, "duration_s": 1},
    ],
)
def test_as_many_requests_are_planned_as_are_due(config: dict[str, Any]) -> None:
    run = parse({**config, "warmup": 0})
    assert plan(run, None).requests_total == len(schedule(run).due_s)


def test_cost_is_what_prompts_and_full_answers_cost() -> None:
    config = RunConfig(workload="synthetic", input_tokens=1000, requests=9)
    # 10 requests: 10,000 tokens at a dollar a million, 1,280 at four
    assert plan(config, PRICE).usd_at_most == pytest.approx(0.01 + 0.00512)


@pytest.mark.parametrize(
    ("config", "price", "pace", "sentence"),
    [
        (
            {"workload": "synthetic", "input_tokens": 100},
            None,
            None,
            "Sends 5 requests plus 1 warm-up request, one at a time, with a pause of 2 s: at "
            "most 768 output tokens, and about 600 prompt tokens. Takes at least 8 s; how long the "
            "answers take is unknown, because there is no earlier run on this server.",
        ),
        (
            {"workload": "synthetic", "input_tokens": 1000, "repeats": 3, "warmup": 0},
            PRICE,
            AT_64,
            "Sends 3 times 5 requests, one at a time, with a pause of 2 s: at most 1,920 "
            "output tokens, and about 15,000 prompt tokens. Takes about 54 s, from a test; "
            "costs at most $0.03.",
        ),
        (
            {
                "workload": "synthetic",
                "input_tokens": 1,
                "mode": "batch",
                "requests": 1,
                "max_tokens": 1,
                "warmup": 0,
            },
            None,
            None,
            "Sends 1 request, all at once: at most 1 output token, and about 1 prompt token. How "
            "long it takes is unknown, because there is no earlier run on this server.",
        ),
        (
            {
                "workload": "synthetic",
                "mode": "batch",
                "requests": 5000,
                "concurrency": 64,
                "max_tokens": 1,
                "input_tokens": 1,
                "warmup": 0,
            },
            PRICE,
            None,
            "Sends 5,000 requests, at most 64 in flight: at most 5,000 output tokens, and about "
            "5,000 prompt tokens. How long it takes is unknown, because there is no earlier run on "
            "this server; costs at most $0.03.",
        ),
        (
            {"mode": "batch", "requests": 8, "concurrency": 4, "warmup": 0, "input_tokens": 100},
            Hourly(900.0),
            AT_64,  # 2 s an answer, two after each other: 4 s at 25 cents
            "Sends 8 requests, at most 4 in flight: at most 1,024 output tokens, and about 800 "
            "prompt tokens. Takes about 4 s, from a test; costs about $1.00.",
        ),
        (
            {"workload": "synthetic", "input_tokens": 100, "pause_s": 0},
            PRICE,
            Pace(4.0, 8.0, 16.0, "from 3 earlier runs on this server"),
            "Sends 5 requests plus 1 warm-up request, one at a time, without a pause: at "
            "most 768 output tokens, and about 600 prompt tokens. Takes about 48 s to 3 min, from "
            "3 earlier runs on this server; costs at most a cent.",
        ),
    ],
)
def test_a_plan_is_described_in_a_sentence_or_two(
    config: dict[str, Any], price: Price | Hourly | None, pace: Pace | None, sentence: str
) -> None:
    assert plan(RunConfig(**config), price, pace).sentence == sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.91875, "0.92 s"), (8.0, "8 s"), (45.4, "45 s"), (720.0, "12 min"), (12_600.0, "3.5 h")],
)
def test_a_time_is_rounded_for_reading(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (125.0, 260.0, "2–4 min"),
        (40.0, 200.0, "40 s to 3 min"),
        (101.0, 122.0, "1.7–2 min"),
        (6600.0, 9000.0, "1.8–2.5 h"),
        (119.6, 119.7, "120 s"),
    ],
)
def test_a_span_is_worded_in_one_unit_where_possible(low: float, high: float, text: str) -> None:
    assert span(low, high) == text


def test_the_plan_of_several_runs_is_their_sum() -> None:
    TEN = Pace(5.0, 10.0, 20.0, "from a test")
    several = plan(
        interleaved(parse({"requests": 4, "pause_s": 1, "max_tokens": 10}), 5), None, TEN
    )
    other = plan(
        interleaved(parse({"requests": 4, "mode": "batch", "max_tokens": 10}), 5), None, TEN
    )
    both = combined([several, other], "2 candidates, 5 interleaved repeats each.")
    assert both.requests_total == 2 * (4 * 5 + 5)  # a warm-up request in each turn
    assert both.seconds_about == pytest.approx(several.seconds_about + other.seconds_about)  # type: ignore[operator]
    assert both.usd_at_most is None
    assert both.sentence.startswith(
        "2 candidates, 5 interleaved repeats each. At most 500 output tokens"
    )
    unknown = plan(parse({"mode": "batch"}), None)
    some = combined([several, unknown], "")
    assert some.seconds_about is None and some.seconds_at_least == several.seconds_at_least
    assert "at least" in some.sentence


def test_the_source_of_an_estimate_is_given_once_for_several_runs() -> None:
    here, near = "from 1 earlier run here", "from 1 earlier run here, with 1 in flight"
    config = parse({"requests": 4})
    plans = [plan(config, None, Pace(5.0, 10.0, 20.0, source)) for source in (here, near, here)]
    assert combined(plans, "").source == near
    assert combined(plans[:1], "").source == here


def test_a_plan_says_that_an_omitted_limit_is_not_sent() -> None:
    said = plan(RunConfig(omit=("max_tokens",)), None).sentence
    assert "No limit is sent to the server, so answers may be longer." in said
