"""How far a run is, worked out by hand."""

from __future__ import annotations

import pytest

from services.ask.config import RunConfig
from services.ask.measurement import Progress
from services.ask.progress import summarize

TEN = RunConfig(requests=5, repeats=2)


def moment(t: float, repeat: int = 0, in_flight: int = 0, tokens: int = 0) -> Progress:
    return Progress(t, repeat, sent=0, in_flight=in_flight, done=0, failed=0, tokens=tokens)


def test_a_run_that_has_not_started_has_no_estimate() -> None:
    summary = summarize(TEN, [], {})
    assert (summary.total, summary.done, summary.failed, summary.in_flight) == (10, 0, 0, 0)
    assert (summary.share, summary.tokens_per_s) == (0.0, None)


def test_failed_and_cancelled_requests_count_as_finished() -> None:
    summary = summarize(TEN, [moment(30.0, in_flight=2)], {"ok": 3, "failed": 1, "cancelled": 1})
    assert (summary.done, summary.failed, summary.in_flight) == (3, 1, 2)
    assert summary.share == 0.5


@pytest.mark.parametrize(("t", "left"), [(15.0, 20.0), (30.0, 5.0), (36.0, 0.0)])
def test_the_warm_up_at_the_same_load_is_not_called_measuring(t: float, left: float) -> None:
    """The first entry of the second repeat is at 15 s; its warm-up takes 20 s."""
    config = RunConfig(requests=5, repeats=2, load_warmup_s=20.0)
    moments = [moment(0.0), moment(10.0), moment(15.0, 1), moment(t, 1)]
    assert summarize(config, moments, {}).warm_up_s == left


@pytest.mark.parametrize(("over", "share"), [(1, 0.01), (100, 1.0), (101, 1.0)])
def test_the_share_is_at_most_one(over: int, share: float) -> None:
    assert summarize(RunConfig(requests=100), [moment(10.0)], {"ok": over}).share == share


@pytest.mark.parametrize(
    ("moments", "rate"),
    [
        ([moment(1.0, tokens=100)], None),  # one moment has no length
        ([moment(1.0, tokens=100), moment(3.0, tokens=500)], 200.0),
        ([moment(1.0, tokens=0), moment(2.0, tokens=0)], 0.0),
        # the pause between two repeats does not count
        (
            [
                moment(0.0),
                moment(9.0, 0, tokens=90),
                moment(20.0, 1, tokens=90),
                moment(22.0, 1, tokens=190),
            ],
            50.0,
        ),
    ],
)
def test_the_rate_is_that_of_the_current_repeat(moments: list[Progress], rate: float) -> None:
    assert summarize(TEN, moments, {}).tokens_per_s == rate
