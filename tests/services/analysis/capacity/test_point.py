"""A point of the curve: what a probe's requests took and completed in its window."""

from __future__ import annotations

import pytest

from services.analysis.capacity.point import load_point
from services.ask.measurement import Measurement, Sample
from tests.values import failed, measured


def request(index: int, due: float, e2e: float = 1.0) -> Measurement:
    """Its first token after a tenth of its time, ten tokens in all."""
    times = {"t_due": due, "send": due, "ttft": e2e / 10, "e2e": e2e, "tokens": 10}
    return measured(index, **times)


def test_a_window_counts_what_was_due_or_ended_in_it() -> None:
    """Settled for 2 s, then 10 s: one request each second, each in flight for one second."""
    found = load_point([request(n, n) for n in range(14)], [], 2.0, 10.0)
    assert found.requests_per_s == pytest.approx(1.0)
    assert found.tokens_per_s == pytest.approx(10.0)
    assert found.in_flight == pytest.approx(1.0)
    assert (found.e2e_p50_s, found.ttft_p95_s) == (pytest.approx(1.0), None), "12 are too few"


@pytest.mark.parametrize(("count", "known"), [(71, False), (72, True)])
def test_a_p95_needs_as_many_requests_as_everywhere(count: int, known: bool) -> None:
    found = load_point([request(n, 0.1 * n) for n in range(count)], [], 0.0, 10.0)
    assert found.ttft_p95_s == (pytest.approx(0.1) if known else None)


def test_unknown_values_are_none_and_engine_values_their_maximum() -> None:
    samples = [Sample(1.0, {"waiting": 3.0}), Sample(2.0, {"waiting": 7.0, "preemptions": 1.0})]
    found = load_point([failed(0, t_due=1.0, t_send=1.0, t_end=2.0)], samples, 0.0, 10.0)
    assert (found.requests_per_s, found.tokens_per_s, found.e2e_p50_s) == (0.0, None, None)
    assert (found.waiting, found.preemptions, found.kv_cache_share) == (7.0, 1.0, None)
