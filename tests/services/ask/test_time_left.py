"""How long a run will still take, worked out by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.ask.config import RunConfig
from services.ask.measurement import Progress, Repeat
from services.ask.time_left import RunTiming, TimeLeft, of_comparison, of_run
from tests.values import NOON

FIVE = RunConfig(requests=100, repeats=5, calibrate=False)


def moment(t: float, repeat: int = 0, done: int = 0) -> Progress:
    return Progress(t, repeat, sent=done, in_flight=0, done=done, failed=0, tokens=0)


def took(index: int, seconds: float | None, at: float = 0.0) -> Repeat:
    return Repeat(index, NOON + timedelta(seconds=at), seconds)


def so_far(*repeats: Repeat, config: RunConfig = FIVE, **more: Any) -> RunTiming:
    return RunTiming(config, repeats, **more)


def test_no_time_left_is_reported_before_anything_is_known() -> None:
    assert of_run(so_far()) is None
    assert of_run(so_far(took(0, None), progress=[moment(3.0), moment(5.0, done=1)])) is None


def test_the_time_left_comes_from_the_plan_until_times_are_known() -> None:
    assert of_run(so_far(expected=(60.0, 90.0))) == TimeLeft(60.0, 90.0)
    assert of_run(so_far(expected=(60.0, 90.0), progress=[moment(70.0)])) == TimeLeft(0.0, 20.0)
    assert of_run(so_far(expected=(60.0, 90.0), progress=[moment(90.0)])) is None, "too low"


def test_the_first_repeat_is_extrapolated_without_the_time_before_it() -> None:
    """A warm-up of 50 s, then a quarter of the first repeat in 10 s: 30 s of it and 4 × 40 s."""
    moments = [moment(50.0), moment(60.0, done=25)]
    assert of_run(so_far(took(0, None), progress=moments)) == TimeLeft(190.0, 190.0)


def test_later_repeats_take_as_long_as_those_before() -> None:
    """Two took 40 and 44 s, the third has taken 10: 30–34 s of it and two more."""
    done = (took(0, 40.0), took(1, 44.0), took(2, None))
    moments = [moment(90.0, repeat=2), moment(100.0, repeat=2, done=3)]
    assert of_run(so_far(*done, progress=moments)) == TimeLeft(110.0, 122.0)
    overdue = [moment(90.0, repeat=2), moment(140.0, repeat=2)]
    assert of_run(so_far(*done, progress=overdue)) == TimeLeft(80.0, 88.0)


def test_a_repeat_does_not_exceed_its_limit() -> None:
    limited = FIVE.model_copy(update={"repeats": 1, "stop_after_s": 20.0})
    moments = [moment(0.0), moment(10.0, done=10)]
    assert of_run(so_far(config=limited, progress=moments)) == TimeLeft(10.0, 10.0)


def test_the_calibration_comes_after_the_last_repeat() -> None:
    calibrated = FIVE.model_copy(update={"repeats": 1, "calibrate": True})
    moments = [moment(0.0), moment(10.0, done=50)]
    assert of_run(so_far(config=calibrated, progress=moments)) == TimeLeft(18.0, 18.0)


def test_interleaved_runs_include_the_time_between_repeats() -> None:
    """Each has one repeat of two: 10 s and 20 s, 5 s apart. Two are left, each after 5 s."""
    two = FIVE.model_copy(update={"repeats": 2})
    first = RunTiming(two, [took(0, 10.0, at=0.0)])
    second = RunTiming(two, [took(0, 20.0, at=15.0)])
    assert of_comparison([first, second]) == TimeLeft(40.0, 40.0)
    going_on = RunTiming(two, [took(0, 10.0), took(1, None, at=40.0)], [moment(1, 1), moment(5, 1)])
    assert of_comparison([going_on, second], more=True) == TimeLeft(31.0, 31.0, at_least=True)


def test_a_run_that_has_not_begun_takes_its_part_of_the_plan() -> None:
    known, unknown = so_far(took(0, 10.0)), so_far()
    assert of_comparison([known, unknown]) is None
    assert of_comparison([known, so_far(expected=(50.0, 100.0))]) == TimeLeft(90.0, 140.0)


def test_finished_runs_have_no_time_left() -> None:
    done = so_far(*(took(index, 10.0) for index in range(5)))
    assert of_run(done) is of_comparison([done]) is None


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (TimeLeft(0.2, 0.4), "almost done"),
        (TimeLeft(0.0, 23.0), "up to 25 s left"),
        (TimeLeft(42.0, 43.0), "about 40–45 s left"),
        (TimeLeft(190.0, 190.0), "about 3 min left"),
        (TimeLeft(50.0, 130.0), "about 50 s to 2 min left"),
        (TimeLeft(190.0, 190.0, at_least=True), "at least 3 min left"),
        (TimeLeft(0.2, 0.4, at_least=True), "almost done unless more rounds are added"),
        (TimeLeft(0.0, 23.0, at_least=True), "up to 25 s left unless more rounds are added"),
    ],
)
def test_the_time_left_is_rounded_for_reading(left: TimeLeft, text: str) -> None:
    assert left.text == text
