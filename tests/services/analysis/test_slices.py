"""Time slices and the steady window, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.analysis.slices import median_latencies, slices
from services.analysis.summary import summarize, summary_row
from services.ask.config import parse
from services.ask.measurement import Measurement
from tests.values import failed, measured


def every_second(count: int = 20, **changes: float) -> list[Measurement]:
    """One request a second, each of which takes two: a token after one, the last after two."""
    return [measured(i, send=float(i), ttft=1.0, e2e=2.0, **changes) for i in range(count)]


def test_slices_are_equal_parts_from_the_first_sent_to_the_last_answer() -> None:
    cut = slices(every_second())  # 21 s, and five requests a slice: four slices
    assert [(each.from_s, each.to_s) for each in cut] == [
        (0.0, 5.25),
        (5.25, 10.5),
        (10.5, 15.75),
        (15.75, 21.0),
    ]
    assert [each.sent for each in cut] == [6, 5, 5, 4]
    assert cut[0].sent_per_s == 6 / 5.25
    assert [each.answered_per_s * 5.25 for each in cut] == [4, 5, 5, 6]  # at 2, 3, 4 … 21 s
    assert cut[1].in_flight == pytest.approx(2.0)
    assert cut[0].in_flight == pytest.approx((2 * 5.25 - 1) / 5.25)  # one in the first second
    assert cut[1].output_tokens_per_s == pytest.approx(5.0)
    assert sum((each.output_tokens_per_s or 0) * 5.25 for each in cut) == pytest.approx(100.0)
    assert {each.ttft_s_median for each in cut} == {1.0}
    assert {each.ttft_s_p95 for each in cut} == {None}, "it needs 72 requests"


def test_failures_count_where_they_were_sent() -> None:
    rows = [*every_second(), failed(20, t_send=6.0, t_end=6.5), failed(21, t_send=20.5, t_end=21.0)]
    cut = slices(rows)
    assert [each.failed for each in cut] == [0, 1, 0, 1]
    assert cut[1].output_tokens_per_s == pytest.approx(5.0), "those that failed have no tokens"


def test_tokens_without_times_are_counted_and_unknown_counts_stay_unknown() -> None:
    rows = [replace(m, t_first=None, token_times=()) for m in every_second()]
    assert sum((s.output_tokens_per_s or 0) * 5.25 for s in slices(rows)) == pytest.approx(100.0)
    unknown = [*rows[:-1], replace(rows[-1], output_tokens=None)]
    assert {each.output_tokens_per_s for each in slices(unknown)} == {None}


def test_the_first_token_of_a_failure_is_in_no_latency() -> None:
    rows = every_second()
    broken = [replace(m, index=20 + m.index, status="failed", t_first=m.t_due) for m in rows]
    assert {each.ttft_s_median for each in slices([*rows, *broken])} == {1.0}
    assert {each.ttft_s_median for each in slices(broken)} == {None}


@pytest.mark.parametrize("count", [19, 20, 103, 250])
def test_median_latencies_alone_are_those_of_the_slices(count: int) -> None:
    rows = [measured(i, send=(7 * i % count) / 3, e2e=2 + i % 5) for i in range(count)]
    rows += [failed(count + i, t_send=i / 4, t_end=i / 4 + 0.1) for i in range(count // 3)]
    rows += [replace(rows[0], index=2 * count, t_send=None)]
    cut = slices(rows, only_sending=True)
    assert median_latencies(rows) == [each.e2e_s_median for each in cut] != []
    late = [*every_second(20), failed(20, t_send=40.0, t_end=41.0)]
    assert None in median_latencies(late), "a slice without an answer"


def test_a_small_run_has_no_slices() -> None:
    assert slices(every_second(19)) == ()
    assert median_latencies(every_second(19)) == []
    assert slices([]) == ()
    assert slices([replace(m, t_send=None) for m in every_second()]) == ()


def test_the_steady_window_leaves_out_ramp_up_and_drain() -> None:
    # Two in flight from 1 s to 20 s, one before and after; the last is sent at 19 s.
    summary = summarize(every_second(), config=parse({"mode": "constant"}))
    assert summary.steady is not None
    (window,) = summary.steady.windows
    assert (window.from_s, window.to_s, window.requests) == (1.0, 19.0, 19)
    row = summary_row(summary)
    assert (row["steady_from_s"], row["steady_to_s"], row["steady_requests"]) == (1.0, 19.0, 19)
    assert (row["steady_ttft_s_median"], row["steady_e2e_s_n"]) == (1.0, 19)


def test_slow_requests_of_the_ramp_up_are_not_in_the_steady_state() -> None:
    rows = [replace(m, t_first=1.9) if m.index == 0 else m for m in every_second()]
    summary = summarize(rows, config=parse({"mode": "constant"}))
    assert summary.steady is not None and summary.steady.distributions["ttft_s"] is not None
    assert summary.steady.distributions["ttft_s"].maximum == 1.0
    assert summary.distributions["ttft_s"] is not None
    assert summary.distributions["ttft_s"].maximum == 1.9


@pytest.mark.parametrize(
    ("rows", "config"),
    [
        (every_second(6), {"mode": "constant"}),  # four seconds near the peak
        ([measured(i, e2e=30.0) for i in range(9)], {"mode": "batch"}),  # all sent at once
        (every_second(), {"mode": "ramp"}),
        ([], {"mode": "constant"}),
    ],
)
def test_without_a_steady_window_its_numbers_are_not_known(
    rows: list[Measurement], config: dict[str, str]
) -> None:
    summary = summarize(rows, config=parse(config))
    assert summary.steady is None
    assert summary_row(summary)["steady_ttft_s_median"] is None


def test_each_repeat_has_its_window() -> None:
    rows = [replace(m, repeat=r) for r in range(2) for m in every_second()]
    summary = summarize(rows, config=parse({"mode": "constant"}))
    assert summary.steady is not None
    assert [window.repeat for window in summary.steady.windows] == [0, 1]
    assert summary.steady.requests == 38
    assert summary_row(summary)["steady_from_s"] is None, "there are two"
