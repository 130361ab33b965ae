"""What nobody looks after, whatever the clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.beats import LONG_LOST_S, Beat
from jobs import silence
from jobs.silence import STALE_S, Silence

CLOCKS = (timedelta(seconds=-10), timedelta(hours=-1), timedelta(seconds=10), timedelta(days=1))


class Clock:
    """This process's monotonic clock, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 100.0
        monkeypatch.setattr(silence, "monotonic", lambda: self.at)


@pytest.mark.parametrize("off", CLOCKS)
def test_what_gives_signs_of_life_lives_whatever_its_clock_says(
    off: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, look, now = Clock(monkeypatch), Silence("here"), datetime.now(UTC)
    for second in range(300):
        beat = Beat(1, "there", now + off + timedelta(seconds=second))
        assert look.lost([beat], ()) == []
        clock.at += 1.0


@pytest.mark.parametrize("off", CLOCKS)
@pytest.mark.parametrize(("machine", "longest"), [("here", STALE_S), ("there", LONG_LOST_S)])
def test_what_gives_none_is_lost_after_its_time(
    off: timedelta, machine: str, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, look = Clock(monkeypatch), Silence("here")
    beat = Beat(1, machine, datetime.now(UTC) + off)
    if machine == "there" or off > timedelta(0):
        assert look.lost([beat], ()) == []
        clock.at += longest - 0.1
        assert look.lost([beat], ()) == []
        clock.at += 0.2
    assert look.lost([beat], ()) == [beat]
    assert look.lost([beat], {1}) == [], "it is in hand"


def test_one_that_is_heard_of_again_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, look, now = Clock(monkeypatch), Silence("here"), datetime.now(UTC)
    look.lost([Beat(1, "there", now)], ())
    clock.at += LONG_LOST_S - 1
    later = Beat(1, "there", now + timedelta(seconds=59))
    assert look.lost([later], ()) == []
    clock.at += LONG_LOST_S - 1
    assert look.lost([later], ()) == []
    clock.at += 2
    assert look.lost([later], ()) == [later]
