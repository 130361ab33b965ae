"""Why TTFT differs: the part that makes most of the difference, where both servers report it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.analysis.compare import compare
from services.ask.measurement import Measurement
from tests.values import STEADY, candidate, measured


def rows(queue: float, prefill: float, network: float = 0.1, **more: Any) -> list[Measurement]:
    """Three repeats of four requests with these parts of TTFT."""
    return [
        replace(
            measured(n, repeat=repeat, ttft=f * (queue + prefill + network), e2e=f * 20),
            **{"server_queue_s": f * queue, "prefill_s": f * prefill, **more},
        )
        for repeat, f in enumerate(STEADY)
        for n in range(4)
    ]


def sentence(run: list[Measurement], baseline: list[Measurement]) -> str:
    """Return the verdict on run B against run A."""
    both = [candidate(baseline, name="A"), candidate(run, run_id=2, name="B")]
    return compare(both).verdicts[0].sentence


QUICK = rows(0.1, 0.3)


def test_the_main_part_of_a_ttft_difference_is_named() -> None:
    text = sentence(rows(1.02, 0.38), QUICK)
    assert text.endswith(
        " The mean TTFT of B is 3.00× as long as that of A (1.50 s against 500 ms); "
        "92 % of the difference is queueing in the server."
    )


@pytest.mark.parametrize(
    ("run", "end"),
    [
        (rows(0.1, 1.3), "all of the difference is prefill."),
        (rows(1.1, 0.2), "more than all of the difference is queueing in the server."),
        (rows(0.1, 0.3, 1.1), "all of the difference is network and other."),
        (rows(0.05, 0.1), "80 % of the difference is prefill."),
    ],
)
def test_the_part_with_the_largest_difference_is_the_cause(
    run: list[Measurement], end: str
) -> None:
    assert sentence(run, QUICK).endswith(f"; {end}")


def test_a_queue_that_is_not_reported_is_not_guessed() -> None:
    short, long = rows(0.1, 0.3, server_queue_s=None), rows(1.1, 0.3, server_queue_s=None)
    assert sentence(long, short).endswith(
        "; all of the difference is queueing, network and other, which the server does not report "
        "separately."
    )
    assert "of the difference is" not in sentence(long, QUICK)  # of one only


@pytest.mark.parametrize(
    "run", [QUICK, rows(0.1, 0.305), rows(1.1, 0.3, prefill_s=None)], ids=["same", "close", "none"]
)
def test_without_a_difference_or_a_report_nothing_is_reported(run: list[Measurement]) -> None:
    assert "of the difference is" not in sentence(run, QUICK)


def test_without_a_verdict_no_cause_is_given() -> None:
    """One repeat of each shows a difference of TTFT, but no verdict on it."""
    once = [m for m in rows(1.02, 0.38) if m.repeat == 0]
    text = sentence(once, [m for m in QUICK if m.repeat == 0])
    assert "no verdict" in text and "of the difference is" not in text


def test_server_times_of_few_requests_explain_no_difference() -> None:
    slow = rows(1.1, 0.3)
    few = [replace(m, prefill_s=None) if m.index else m for m in slow]
    assert "of the difference is" not in sentence(few, QUICK)
