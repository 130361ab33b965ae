"""How one request ended, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.ask.measurement import Measurement
from services.report.request_facts import outcome, ttft_parts
from tests.values import failed, measured


@pytest.mark.parametrize(
    ("measurement", "sentence"),
    [
        (
            replace(measured(0), output_tokens=8),
            "It succeeded with 8 output tokens, as counted by the",
        ),
        (replace(measured(0), status="cancelled"), "It was cancelled."),
        (Measurement(0, 3, "cancelled", 1.5), "It was cancelled before it was sent."),
        (failed(error_class="http_429", http_status=429), "It failed: http_429 (HTTP 429)."),
        (
            replace(failed(), attempts=3, first_error_class="http_5xx", retry_wait_s=1.5),
            "It failed: timeout. This was attempt 3: it was http_5xx at first, and waited 1.50 s",
        ),
    ],
)
def test_the_outcome_of_a_request_is_described(measurement: Measurement, sentence: str) -> None:
    assert outcome(measurement).startswith(sentence)


def test_the_ttft_of_a_request_is_split_into_its_parts() -> None:
    m = replace(measured(0, ttft=1.0), server_queue_s=0.75, prefill_s=0.2, connect_s=0.001)
    assert ttft_parts(replace(m, t_due=-0.5)).rows == (
        ("Client queue, before sending", "500 ms", "–"),
        ("Connecting, before sending", "1.00 ms", "–"),
        ("Server queue", "750 ms", "75.0 %"),
        ("Prefill", "200 ms", "20.0 %"),
        ("Network and other", "50.0 ms", "5.00 %"),
    )
    assert ttft_parts(measured(0)).rows == ()
