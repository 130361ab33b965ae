"""What nobody looks after, whatever the clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.heartbeats import LONG_LOST_S, Heartbeat
from jobs import heartbeat_monitor
from jobs.heartbeat_monitor import STALE_S, HeartbeatMonitor

CLOCKS = (timedelta(seconds=-10), timedelta(hours=-1), timedelta(seconds=10), timedelta(days=1))


class Clock:
    """This process's monotonic clock, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 100.0
        monkeypatch.setattr(heartbeat_monitor, "monotonic", lambda: self.at)


@pytest.mark.parametrize("off", CLOCKS)
def test_a_changing_heartbeat_is_alive_whatever_its_clock(
    off: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, monitor, now = Clock(monkeypatch), HeartbeatMonitor("here"), datetime.now(UTC)
    for second in range(300):
        beat = Heartbeat(1, "there", now + off + timedelta(seconds=second))
        assert monitor.lost([beat], ()) == []
        clock.at += 1.0


@pytest.mark.parametrize("off", CLOCKS)
@pytest.mark.parametrize(("machine", "longest"), [("here", STALE_S), ("there", LONG_LOST_S)])
def test_an_unchanged_heartbeat_is_lost_after_its_time(
    off: timedelta, machine: str, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, monitor = Clock(monkeypatch), HeartbeatMonitor("here")
    beat = Heartbeat(1, machine, datetime.now(UTC) + off)
    if machine == "there" or off > timedelta(0):
        assert monitor.lost([beat], ()) == []
        clock.at += longest - 0.1
        assert monitor.lost([beat], ()) == []
        clock.at += 0.2
    assert monitor.lost([beat], ()) == [beat]
    assert monitor.lost([beat], {1}) == [], "it is in hand"


def test_a_new_heartbeat_restarts_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, monitor, now = Clock(monkeypatch), HeartbeatMonitor("here"), datetime.now(UTC)
    monitor.lost([Heartbeat(1, "there", now)], ())
    clock.at += LONG_LOST_S - 1
    later = Heartbeat(1, "there", now + timedelta(seconds=59))
    assert monitor.lost([later], ()) == []
    clock.at += LONG_LOST_S - 1
    assert monitor.lost([later], ()) == []
    clock.at += 2
    assert monitor.lost([later], ()) == [later]
