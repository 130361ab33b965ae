"""A mix is of two classes of requests, told apart by the config and the index alone."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analysis.summary import summarize, summary_row
from services.ask import link, workloads
from services.ask.answer_times import Pace
from services.ask.backends import Target
from services.ask.backends.wire_formats import body
from services.ask.config import RunConfig, parse
from services.ask.measurement import WARM_UP
from services.ask.plan import plan
from services.ask.problems import InvalidConfig
from services.ask.workloads import mixed
from services.load.run_limits import check
from services.servers.engines.embedded_engine import embedded_size
from tests.values import failed, measured

PACE = Pace(10.0, 10.0, 10.0, "from a test")
MIX = parse(
    {
        "input_tokens": 20,
        "long_input_tokens": 200,
        "long_every": 3,
        "max_tokens": 8,
        "long_max_tokens": 16,
        "requests": 7,
        "mode": "staggered",
        "interval_s": 0.1,
    }
)
TARGET = Target("url", "http://127.0.0.1:1/v1", "m", None, "wire")

mixes = st.integers(2, 40).flatmap(
    lambda every: st.builds(
        lambda requests: parse({"long_every": every, "requests": requests}),
        st.integers(every, 300),
    )
)


@given(mixes)
def test_every_request_has_a_class_and_an_index_in_it(config: RunConfig) -> None:
    places: dict[str, list[int]] = {name: [] for name in mixed.CLASSES}
    for index in range(config.requests):
        places[mixed.class_of(config, index)].append(mixed.index_in_class(config, index))
    for name, indexes in places.items():
        assert indexes == list(range(mixed.part(config, name).requests)) and indexes


@given(mixes, st.integers(0, 200))
def test_a_mix_warms_up_with_both_classes_in_turn(config: RunConfig, index: int) -> None:
    like = mixed.warm_up_index(config, index)
    assert 0 <= like < config.requests
    assert mixed.class_of(config, like) == mixed.CLASSES[index % 2]


@given(mixes)
def test_a_class_alone_is_sent_as_often_as_in_the_mix(config: RunConfig) -> None:
    rates = [1 / mixed.alone(config, name).interval_s for name in mixed.CLASSES]
    assert sum(rates) == pytest.approx(1 / config.interval_s)
    assert sum(mixed.alone(config, name).requests for name in mixed.CLASSES) == config.requests


def test_by_default_every_second_prompt_is_four_times_as_long() -> None:
    config = parse({"workload": "mixed", "input_tokens": 50, "requests": 4})
    assert [mixed.class_of(config, i) for i in range(4)] == ["short", "long", "short", "long"]
    assert [part.input_tokens for part in workloads.parts(config)] == [50, 200]


def test_alternating_classes_alone_are_due_when_they_are_in_the_mix() -> None:
    config = parse({"long_every": 2, "requests": 6, "mode": "staggered", "interval_s": 0.5})
    assert [mixed.alone(config, name).interval_s for name in mixed.CLASSES] == [1.0, 1.0]


def test_a_class_alone_sends_the_same_prompts_as_in_the_mix() -> None:
    for name in mixed.CLASSES:
        alone = mixed.alone(MIX, name)
        indices = [i for i in range(MIX.requests) if mixed.class_of(MIX, i) == name]
        there = [_words(workloads.prompt(MIX, 0, i)) for i in indices]
        assert [_words(workloads.prompt(alone, 0, i)) for i in range(alone.requests)] == there
        assert alone.workload == "synthetic" and parse(alone.model_dump()) == alone


def test_a_class_alone_has_its_share_of_a_cap() -> None:
    config = MIX.model_copy(update={"mode": "batch", "concurrency": 4})
    assert [mixed.alone(config, name).concurrency for name in mixed.CLASSES] == [3, 2]


def test_each_request_sets_its_classs_max_tokens() -> None:
    def most(repeat: int, index: int) -> int:
        sent = body(workloads.request_config(MIX, repeat, index), TARGET, "")["max_tokens"]
        assert isinstance(sent, int)
        return sent

    assert [most(0, i) for i in range(7)] == [8, 8, 16, 8, 8, 16, 8]
    assert [most(WARM_UP, i) for i in range(4)] == [8, 16, 8, 16]
    words = MIX.model_copy(update={"text_style": "words"})
    lengths = [len(workloads.prompt(words, WARM_UP, i).split()) for i in range(4)]
    assert lengths[0] == lengths[2] < lengths[1] == lengths[3]


def test_a_plan_counts_the_tokens_of_both_classes() -> None:
    result = plan(MIX.model_copy(update={"warmup": 1, "repeats": 2}), None, PACE)
    assert result.requests_total == 2 * 7 + 2
    assert result.prompt_tokens_about == (2 * 5 + 1) * 20 + (2 * 2 + 1) * 200
    assert result.tokens_at_most == (2 * 5 + 1) * 8 + (2 * 2 + 1) * 16
    assert "7 requests plus 2 warm-up requests" in result.sentence


def test_the_embedded_engine_has_room_for_a_long_prompt_and_its_answer() -> None:
    _, context = embedded_size(MIX, check(MIX))
    assert context > 200 + 16
    assert (
        embedded_size(MIX.model_copy(update={"long_max_tokens": 100}), check(MIX))[1]
        == context + 84
    )


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"workload": "mixed", "requests": 1}, "long_every"),
        ({"long_every": 6, "requests": 5}, "long_every"),
        ({"long_input_tokens": 100, "input_tokens": 200}, "long_input_tokens"),
        ({"long_every": 1}, "long_every"),
        ({"long_every": 2, "prompt": "hello"}, "workload"),
    ],
)
def test_a_mix_without_both_classes_is_refused(values: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        parse(values)
    assert list(refused.value.problems) == [field]


def test_a_link_contains_a_mixed_workload() -> None:
    start = RunConfig()
    config = parse({"input_tokens": 10, "long_input_tokens": 50, "long_every": 8, "requests": 8})
    query = link.query(config.model_dump(), start)
    assert link.read(query, start) == (config, ())


def test_a_mix_is_summed_up_by_class() -> None:
    both = [
        measured(i, repeat=r, e2e=2.0 if (i + 1) % 3 else 6.0) for r in range(2) for i in range(6)
    ]
    whole = [*both, failed(6)]
    summary = summarize(whole, config=MIX)
    short, long = summary.classes.values()
    assert (short.sent, short.ok, short.failed, long.sent, long.failed) == (9, 8, 1, 4, 0)
    assert [len(part.repeats) for part in (short, long)] == [2, 2]
    row = summary_row(summary)
    assert (row["short_e2e_s_median"], row["long_e2e_s_median"]) == (2.0, 6.0)
    assert row["e2e_s_median"] == median([2.0] * 8 + [6.0] * 4)
    assert (row["short_failed"], row["long_failed"], row["long_error_rate"]) == (1, 0, 0.0)


def test_only_a_mix_has_rows_of_classes() -> None:
    plain = summary_row(summarize([measured()], config=RunConfig()))
    assert not [name for name in plain if name.startswith(("short_", "long_"))]
    assert summary_row(summarize([], config=MIX))["short_ttft_s_median"] is None


@pytest.mark.slow
@given(st.lists(st.floats(0.1, 50), min_size=6, max_size=30))
def test_fairness_of_a_mix_is_at_most_one(latencies: list[float]) -> None:
    some = [measured(i, e2e=e2e, ttft=e2e / 2) for i, e2e in enumerate(latencies)]
    summary_ = summarize(some, config=MIX)
    for summary in (summary_, *summary_.classes.values()):
        assert summary.fairness is not None
        assert 1 / summary.ok - 1e-9 <= summary.fairness <= 1 + 1e-9


def _words(prompt: str) -> str:
    """A prompt without its mark, which no two requests share."""
    return prompt.partition("] ")[2]
