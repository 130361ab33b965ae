"""A trace is replayed at its own times, as a whole or in part, and at another speed."""

from __future__ import annotations

from typing import Any

import pytest

from services.ask import lengths, own_prompts, workloads
from services.ask.config import RunConfig, parse, stored
from services.ask.modes import MODES, expected, peak_rate, schedule
from services.ask.plan import plan
from services.ask.planned_hits import planned_hits
from services.ask.problems import InvalidConfig

ROWS = [[0, 600, 5, [1, 2]], [1.5, 700, 6, [1, 3]], [4, 30, 7, [4]], [10, 512, 8, [1]]]


def replay(**changes: Any) -> RunConfig:
    return parse({"trace": ROWS, **changes})


def test_a_trace_alone_is_replayed() -> None:
    config = replay()
    assert (config.mode, config.workload, config.requests) == ("replay", "trace", 4)
    assert schedule(config).due_s == (0, 1.5, 4, 10)
    assert expected(config) == 4
    assert peak_rate(config) == 1  # of the busiest second


def test_stored_values_are_read_back_unchanged() -> None:
    config = replay(trace_from_s=1)
    assert stored(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("changes", "due_s"),
    [
        ({"trace_speed": 2}, (0, 0.75, 2, 5)),
        ({"trace_speed": 0.1}, (0, 15, 40, 100)),
        ({"trace_from_s": 1}, (0.5, 3, 9)),
        ({"trace_from_s": 1, "trace_to_s": 10}, (0.5, 3)),
        ({"trace_from_s": 1, "trace_to_s": 10, "trace_speed": 10}, (0.05, 0.3)),
        ({"requests": 2}, (0, 1.5, 4, 10)),  # a trace has its own number
    ],
)
def test_a_part_of_a_trace_is_replayed_at_a_chosen_speed(
    changes: dict[str, Any], due_s: tuple[float, ...]
) -> None:
    config = replay(**changes)
    assert schedule(config).due_s == pytest.approx(due_s)
    assert config.requests == len(due_s)


def test_every_repeat_is_the_same() -> None:
    assert schedule(replay(), 0) == schedule(replay(), 1)


def test_earlier_requests_of_a_trace_warm_up() -> None:
    plan = schedule(replay(trace_from_s=4, trace_speed=2, load_warmup_s=2))
    assert plan.due_s == (0, 3)
    assert plan.warm_s == (-2, -1.25)
    assert plan.lead_s == 2


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"trace": [], "mode": "replay"}, "trace", "is missing. Give a file with a trace."),
        ({"trace": [], "workload": "trace"}, "trace", "is missing. Give a file with a trace."),
        ({"trace_from_s": 11}, "trace_from_s", "selects no requests."),
        ({"trace_from_s": 5, "trace_to_s": 5}, "trace_from_s", "selects no requests."),
        ({"duration_s": 5}, "duration_s", "does not apply to a trace replay."),
        ({"load_warmup_s": 5}, "load_warmup_s", "is longer than the part of the trace before"),
        ({"trace": ROWS[::-1]}, "trace", "is not in order. Sort its rows by time."),
        ({"trace": [[0, 600, 5, [1]]]}, "trace", "has a prompt that is longer than its blocks"),
        ({"trace": [*ROWS, [11, 5, 5]]}, "trace", "has blocks for some prompts only."),
        ({"trace": [[0, 0, 5]]}, "trace", "(entry 1, value 2) must be at least 1"),
        ({"trace": [[0, 5]]}, "trace", "(entry 1, value 3) is missing."),
        ({"trace": [{"timestamp": 1}]}, "trace", "(entry 1, at_s) is missing."),
        ({"trace": [5]}, "trace", "(entry 1) must be a list or an object."),
    ],
)
def test_an_invalid_replay_is_refused(changes: dict[str, Any], field: str, problem: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        replay(**changes)
    assert problem in refused.value.problems[field]


def test_prompts_have_the_recorded_lengths_and_shared_prefixes() -> None:
    config = replay()
    texts = [workloads.prompt(config, 0, index, "run") for index in range(4)]
    tokens = [len(text) / 4.6 for text in texts]  # about, of this prose
    assert tokens == pytest.approx([600, 700, 30, 512], rel=0.15)
    block = texts[3]  # the first block alone
    assert texts[0].startswith(block) and texts[1].startswith(block)
    assert not texts[2].startswith(block[:30])
    assert workloads.prompt(config, 1, 0, "run")[:11] != texts[0][:11]  # another repeat's nonce
    assert workloads.prompt(config, 0, 0, "other")[:11] != texts[0][:11]


def test_answers_are_as_long_as_recorded() -> None:
    config = replay()
    asked = [workloads.request_config(config, 0, index).max_tokens for index in range(5)]
    assert asked == [5, 6, 7, 8, 5]
    assert workloads.longest_answer(config) == 8
    assert lengths.of_answers(config).total(6) == 26 + 11
    assert lengths.of_answers(config).sentence == "p5 5, p50 7, p95 8 tokens"
    assert plan(config, None).tokens_at_most == 26 + config.warmup * 5


def test_other_prompts_can_be_sent_at_the_times_of_a_trace() -> None:
    config = replay(workload="builtin", mode="replay")
    assert workloads.prompt(config, 0, 0).endswith("Write a long essay on the topic of spring.")
    assert config.requests == 4


def test_the_replay_of_a_trace_is_described() -> None:
    describe = MODES["replay"].describe
    assert describe(replay()) == "at the times of the trace"
    assert describe(replay(trace_speed=4)) == "at the times of the trace, 4× as fast"
    assert describe(replay(trace_speed=0.5, concurrency=8)) == (
        "at the times of the trace, slowed to 0.5×, at most 8 in flight"
    )


def test_shared_prefixes_of_a_trace_are_planned_as_cached() -> None:
    hits = planned_hits(replay())
    assert hits and hits.share == (512 + 512) / (600 + 700 + 30 + 512)
    assert hits.sentence.startswith("55.6 % of the prompt tokens are in a prefix")
    assert planned_hits(replay(trace_from_s=1)) != hits
    assert planned_hits(parse({"trace": [[0, 600, 5]]})) is None
    assert planned_hits(replay(workload="builtin", mode="replay")) is None
    again = replay(trace=[[0, 1000, 5, [1, 2]], [1, 1000, 5, [1, 2]], [2, 600, 5, [2, 1]]])
    assert planned_hits(again).share == 1000 / 2600  # a block counts where all before it are alike


def test_only_a_trace_with_block_hashes_shares_prefixes() -> None:
    assert workloads.begin_alike(replay())
    assert workloads.uses_prefix_cache(replay())
    assert not workloads.begin_alike(parse({"trace": [[0, 600, 5]]}))


def test_planned_cache_hits_count_only_requests_that_are_sent() -> None:
    first = planned_hits(replay(mode="batch", requests=2))
    assert first and first.share == 512 / (600 + 700)
    twice = planned_hits(replay(mode="batch", requests=8))
    assert twice and twice.share > 0.75  # the second time everything is known


def test_a_trace_is_summarized_in_tables() -> None:
    config = replay(workload="trace")
    assert own_prompts.summarized(config)["trace"] == "4 values"
    assert own_prompts.without_prompts(config)["trace"]
    assert own_prompts.summarized(parse({}))["trace"] == []
