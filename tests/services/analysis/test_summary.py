"""A run in numbers, against sums done by hand."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analysis.metrics import METRICS
from services.analysis.statistics import Distribution
from services.analysis.summary import summarize, summary_row
from services.analysis.summary.gaps import gaps
from services.analysis.summary.repeats import jain, window
from services.analysis.summary.steady import in_flight, peak, steady_output_tokens_per_s
from services.ask.measurement import ERROR_CLASSES, Measurement
from services.ask.prices import Price
from tests.values import failed, measured

# Repeat 0: sent at 0 and 1, last tokens at 3 and 5: 5 + 15 tokens in 5 s. Repeat 1: 10 in 2 s.
TWO_REPEATS = [
    measured(0, send=0.0, e2e=3.0, tokens=5),
    measured(1, send=1.0, e2e=4.0, tokens=15),
    measured(0, repeat=1, send=0.0, e2e=2.0, tokens=10),
]


def test_throughput_is_tokens_over_first_sent_to_last_token() -> None:
    first, second = summarize(TWO_REPEATS).repeats
    assert (first.window_s, second.window_s) == (5.0, 2.0)
    assert (first.output_tokens, first.prompt_tokens) == (20, 20)
    assert first.output_tokens_per_s == pytest.approx(20 / 5)
    assert first.total_tokens_per_s == pytest.approx(40 / 5)
    assert first.requests_per_s == pytest.approx(2 / 5)


def test_a_runs_rates_are_means_over_its_repeats_and_its_counts_are_sums() -> None:
    summary = summarize(TWO_REPEATS)
    assert summary.output_tokens_per_s == pytest.approx((4 + 5) / 2)
    assert summary.total_tokens_per_s == pytest.approx((8 + 10) / 2)
    assert summary.requests_per_s == pytest.approx((0.4 + 0.5) / 2)
    assert (summary.output_tokens, summary.prompt_tokens, summary.ok) == (30, 30, 3)
    assert summary.total_e2e_s == pytest.approx(9.0)
    assert summary.token_sources == {"usage": 3}


def test_the_order_of_measurements_does_not_matter() -> None:
    assert summarize(TWO_REPEATS[::-1]).repeats == summarize(TWO_REPEATS).repeats


def test_distributions_are_over_the_successes_of_all_repeats() -> None:
    slow_failure = measured(2, e2e=100.0, status="failed", error_class="truncated")
    summary = summarize([*TWO_REPEATS, slow_failure])
    assert set(summary.distributions) == {entry.name for entry in METRICS}
    e2e, ttft = summary.distributions["e2e_s"], summary.distributions["ttft_s"]
    assert e2e is not None and ttft is not None
    assert (e2e.n, e2e.mean, e2e.median, e2e.maximum) == (3, 3.0, 3.0, 4.0)
    assert ttft.n == 3
    gaps = summary.inter_chunk
    assert gaps is not None and gaps.n == 4 + 14 + 9


def test_every_request_is_counted_once_and_failures_by_class() -> None:
    summary = summarize(
        [
            measured(0),
            measured(1),
            failed(2),
            failed(3, "http_429"),
            failed(4),
            failed(5, "connect", t_send=None),
            measured(6, status="cancelled"),
            failed(7, status="cancelled", error_class=None, t_send=None),
        ]
    )
    assert (summary.ok, summary.failed, summary.cancelled) == (2, 4, 2)
    assert summary.sent == 7  # one was cancelled before it was sent
    assert summary.errors == {"timeout": 2, "http_429": 1, "connect": 1}
    assert summary.error_rate == pytest.approx(4 / 6)  # those that we cancelled are kept apart


def test_a_timeout_without_a_token_does_not_stretch_the_window_at_its_end() -> None:
    good = measured(0, send=1.0, e2e=3.0)
    waited = failed(1, "timeout", t_due=1.0, t_send=1.0, t_end=601.0)
    assert window([good, waited]) == 3.0
    early = failed(2, "timeout", t_end=600.0)  # sent at 0
    assert window([good, waited, early]) == 4.0
    never_sent = failed(3, "connect", t_send=None)
    assert window([good, never_sent]) == 3.0


def test_a_failure_stretches_the_window_and_a_cancelled_request_does_not() -> None:
    good = measured(0, send=1.0, e2e=3.0)
    assert window([good]) == 3.0
    assert window([good, measured(1, e2e=9.0, status="failed")]) == 9.0
    assert window([good, measured(1, e2e=9.0, status="cancelled")]) == 3.0
    assert window([failed()]) is None


def test_the_window_begins_with_a_first_attempt_of_which_only_the_last_is_timed() -> None:
    again = measured(0, t_due=1.0, send=4.0, e2e=3.0, attempts=2)
    assert window([again]) == 6.0
    assert window([replace(again, cap_wait_s=0.5)]) == 5.5
    assert window([again, measured(1, send=0.25, e2e=1.0)]) == 6.75


def test_a_request_that_was_cancelled_between_its_attempts_was_sent() -> None:
    waiting = failed(1, status="cancelled", error_class=None, t_send=None, attempts=2)
    assert summarize([measured(0), waiting]).sent == 2


def test_failures_that_come_at_once_change_no_rate() -> None:
    alone = summarize([measured(0)])
    beside = summarize([measured(0), failed(1, "http_5xx"), failed(2, "connect")])
    assert beside.output_tokens_per_s == alone.output_tokens_per_s
    assert beside.requests_per_s == alone.requests_per_s


TIMES = st.floats(0.0, 1e4)


@pytest.mark.slow
@given(st.lists(st.tuples(TIMES, TIMES, st.booleans()), max_size=5))
def test_failures_never_make_a_run_faster(failures: list[tuple[float, float, bool]]) -> None:
    good = [measured(0, send=50.0), measured(1, send=60.0)]
    bad = [
        measured(2, send=send, ttft=0.0, e2e=e2e, status="failed", error_class="truncated")
        if had_tokens
        else failed(2, t_send=send, t_end=send + e2e)
        for send, e2e, had_tokens in failures
    ]
    alone, beside = summarize(good), summarize([*good, *bad])
    assert beside.output_tokens_per_s <= alone.output_tokens_per_s
    assert beside.total_tokens_per_s <= alone.total_tokens_per_s
    assert beside.requests_per_s <= alone.requests_per_s


@pytest.mark.parametrize("measurements", [[], [failed()], [measured(status="cancelled")]])
def test_without_a_success_figures_are_unknown_not_zero(
    measurements: list[Measurement],
) -> None:
    summary = summarize(measurements, Price(1e-6, 1e-6, ""))
    assert summary.output_tokens is summary.output_tokens_per_s is summary.requests_per_s is None
    assert summary.total_e2e_s is summary.fairness is None
    assert summary.inter_chunk is None
    assert summary.cost_usd is summary.usd_per_million_output is None
    assert not any(summary.distributions.values())


def test_a_sum_with_an_unknown_part_is_unknown_not_smaller() -> None:
    unknown = measured(1, output_tokens=None, token_source="unknown")
    summary = summarize([measured(0), unknown])
    assert summary.output_tokens is summary.output_tokens_per_s is None
    assert summary.requests_per_s is not None and summary.prompt_tokens == 20
    assert summary.token_sources == {"usage": 1, "unknown": 1}


def test_cost_is_tokens_times_price_by_hand() -> None:
    summary = summarize(TWO_REPEATS, Price(1e-6, 3e-6, ""))
    assert summary.cost_usd == pytest.approx(30e-6 + 90e-6)
    assert summary.usd_per_million_output == pytest.approx(4.0)
    assert summarize(TWO_REPEATS).cost_usd is None


@pytest.mark.parametrize(
    ("rates", "index"),
    [([], None), ([3.0], 1.0), ([2.0, 2.0, 2.0], 1.0), ([1.0, 0.0, 0.0], 1 / 3), ([1, 3], 0.8)],
)
def test_jains_index_by_hand(rates: list[float], index: float | None) -> None:
    assert jain(rates) == (None if index is None else pytest.approx(index))


def test_a_repeat_without_a_success_counts_as_no_throughput() -> None:
    good = [measured(repeat=repeat, e2e=2.0, tokens=4) for repeat in (0, 1)]
    found = summarize([*good, failed(0, repeat=2)])
    assert found.output_tokens_per_s == pytest.approx(4 / 3), "2, 2 and 0"
    assert found.requests_per_s == pytest.approx(1 / 3)
    assert found.repeats[2].output_tokens_per_s is None
    assert summarize([failed(0)]).output_tokens_per_s is None
    cut = measured(repeat=2, status="cancelled")
    assert summarize([*good, cut]).output_tokens_per_s == pytest.approx(2), "nothing failed"


def test_fairness_is_among_requests_of_one_repeat_not_between_repeats() -> None:
    fast = [measured(i, repeat=0, e2e=2.0) for i in range(3)]
    slow = [measured(i, repeat=1, e2e=20.0) for i in range(3)]
    assert summarize([*fast, *slow]).fairness == pytest.approx(1.0)


def test_requests_in_flight_are_counted_from_sent_to_end() -> None:
    group = [measured(0, send=0.0, e2e=4.0), measured(1, send=1.0, e2e=2.0), failed(2)]
    times, counts = in_flight(group)
    assert times.tolist() == [0.0, 1.0, 3.0, 4.0]
    assert counts.tolist() == [2, 2, 1, 0]
    assert [len(values) for values in in_flight([])] == [0, 0]


def test_a_request_sent_as_another_ends_is_not_in_flight_beside_it() -> None:
    assert peak([measured(0, send=0.0, e2e=2.0), measured(1, send=2.0, e2e=2.0)]) == 1
    assert peak([]) == 0


def test_the_peak_of_a_run_is_that_of_its_fullest_repeat() -> None:
    assert summarize(TWO_REPEATS).peak_in_flight == 2


def test_gaps_between_chunks_are_taken_within_each_answer() -> None:
    group = [measured(0, tokens=4), measured(1, tokens=1), measured(2, send=9.0), failed(3)]
    assert gaps(group).tolist() == [
        later - t for m in group for t, later in itertools.pairwise(m.token_times)
    ]
    assert gaps([failed(0)]).tolist() == []


def test_steady_throughput_leaves_the_ends_of_a_run_out() -> None:
    # Two at a time from 10 to 20, one before and one after. Each: a token a second for 20 s.
    pair = [
        measured(0, send=0.0, ttft=1.0, e2e=20.0, tokens=20),
        measured(1, send=10.0, ttft=1.0, e2e=20.0, tokens=20),
    ]
    assert steady_output_tokens_per_s(pair) == pytest.approx(2.0)
    assert summarize(pair).output_tokens_per_s == pytest.approx(40 / 30)


def test_steady_throughput_of_random_arrivals_is_not_that_of_their_busiest_moments() -> None:
    random = Random(2026)
    due = list(accumulate(random.expovariate(3.0) for _ in range(900)))
    answers = [measured(i, send=at, ttft=0.1, e2e=1.1, tokens=11) for i, at in enumerate(due)]
    assert steady_output_tokens_per_s(answers) == pytest.approx(900 * 11 / due[-1], rel=0.05)


def test_steady_throughput_spreads_tokens_over_the_chunks_that_carried_them() -> None:
    two_a_chunk = measured(0, ttft=1.0, e2e=20.0, tokens=20, output_tokens=40)
    assert steady_output_tokens_per_s([two_a_chunk]) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "measurements",
    [
        [],
        [failed(t_end=9.0)],
        [measured(e2e=4.9)],
        [measured(e2e=9.0, output_tokens=None)],
        [measured(e2e=9.0, token_times=(), t_first=None)],
        [measured(0, e2e=9.0), measured(1, e2e=9.0, status="cancelled")],
    ],
    ids=["nothing", "no success", "under 5 s", "uncounted", "not streamed", "cut off"],
)
def test_steady_throughput_is_none_where_it_cannot_be_known(
    measurements: list[Measurement],
) -> None:
    assert steady_output_tokens_per_s(measurements) is None


def test_a_row_is_flat_and_ready_for_json() -> None:
    row = summary_row(summarize([*TWO_REPEATS, failed(5)]))
    assert json.loads(json.dumps(row)) == row
    assert row["repeats"] == 2
    assert row["output_tokens_per_s"] == pytest.approx(4.5)
    assert (row["e2e_s_median"], row["e2e_s_p95"], row["ttft_s_n"]) == (3.0, None, 3)
    assert (row["failed"], row["failed_timeout"], row["failed_http_429"]) == (1, 1, 0)


def test_every_row_has_the_same_names() -> None:
    names = list(summary_row(summarize([])))
    assert names == list(summary_row(summarize([*TWO_REPEATS, failed(5, "connect")])))
    assert {f"failed_{name}" for name in ERROR_CLASSES} <= set(names)
    statistics = Distribution.__dataclass_fields__
    assert {f"{m.name}_{s}" for m in METRICS for s in statistics} <= set(names)


@pytest.mark.timed
def test_a_large_run_is_summarized_within_two_seconds() -> None:
    measurements = [measured(i, send=i / 100, ttft=0.1, e2e=1.4, tokens=128) for i in range(5_000)]
    began = time.perf_counter()
    summary = summarize(measurements)
    assert time.perf_counter() - began < 2  # 0.1 s where nothing else runs
    assert summary.ok == 5_000
    assert summary.inter_chunk is not None and summary.inter_chunk.n == 5_000 * 127
