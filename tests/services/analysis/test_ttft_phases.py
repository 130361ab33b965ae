"""Where TTFT goes: parts that add up, of requests whose server reports them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.analysis.ttft_phases import ttft_phases
from services.ask.measurement import Measurement
from tests.values import failed, measured


def reported(index: int = 0, ttft: float = 1.0, **phases: Any) -> Measurement:
    return replace(measured(index, ttft=ttft, e2e=ttft + 1), **phases)


def test_the_parts_and_their_shares_by_hand() -> None:
    rows = [
        reported(0, 1.0, server_queue_s=0.5, prefill_s=0.4),
        reported(1, 2.0, server_queue_s=1.5, prefill_s=0.4),
        reported(2, 6.0, server_queue_s=5.5, prefill_s=0.4),
    ]
    found = ttft_phases(rows)
    assert found is not None and found.queue_known
    assert (found.requests, found.of, found.median_s, found.mean_s) == (3, 3, 2.0, 3.0)
    parts = {p.name: (p.median_s, p.mean_s, p.share) for p in found.phases}
    assert list(parts) == ["queue", "prefill", "network"]
    assert parts["queue"] == pytest.approx((1.5, 2.5, 2.5 / 3))
    assert parts["prefill"] == pytest.approx((0.4, 0.4, 0.4 / 3))
    assert parts["network"] == pytest.approx((0.1, 0.1, 0.1 / 3))
    assert sum(p.share for p in found.phases) == pytest.approx(1)


def test_an_unreported_queue_is_not_zero() -> None:
    found = ttft_phases([reported(prefill_s=0.25)])  # llama.cpp
    assert found is not None and not found.queue_known
    assert {p.name: p.mean_s for p in found.phases} == {"prefill": 0.25, "rest": 0.75}
    found = ttft_phases([reported(prefill_s=0.25, load_s=0.5)])  # Ollama
    assert found is not None
    assert {p.name: p.mean_s for p in found.phases} == {"load": 0.5, "prefill": 0.25, "rest": 0.25}


def test_requests_without_a_report_are_counted_and_left_out() -> None:
    rows = [reported(0, server_queue_s=0.0, prefill_s=1.0), measured(1), failed(2)]
    found = ttft_phases(rows)
    assert found is not None
    assert (found.requests, found.of) == (1, 2)
    assert {p.name: p.mean_s for p in found.phases} == {"queue": 0, "prefill": 1, "network": 0}


def test_a_server_that_reports_more_than_the_client_saw_contradicts_itself() -> None:
    rows = [reported(n, server_queue_s=0.0, prefill_s=s) for n, s in enumerate((0.9, 1.04, 1.2))]
    found = ttft_phases(rows)
    assert found is not None
    assert (found.requests, found.of) == (2, 3)


@pytest.mark.parametrize(
    "m", [measured(), failed(), reported(server_queue_s=0.5), measured(t_first=None, prefill_s=1.0)]
)
def test_without_a_prefill_or_a_first_token_there_are_no_parts(m: Measurement) -> None:
    assert ttft_phases([m]) is None
    assert ttft_phases([]) is None
