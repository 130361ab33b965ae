"""What nobody looks after, whatever the clocks say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.heartbeats import LONG_LOST_S, Heartbeat
from jobs import heartbeat_monitor
from jobs.heartbeat_monitor import LOOK_S, STALE_S, HeartbeatMonitor

CLOCKS = (timedelta(seconds=-10), timedelta(hours=-1), timedelta(seconds=10), timedelta(days=1))


class Clock:
    """This process's monotonic clock, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 100.0
        monkeypatch.setattr(heartbeat_monitor, "monotonic", lambda: self.at)

    def look_for(self, span_s: float, look: Callable[[], Any]) -> Any:
        """Look as often as a supervisor does; return the last result."""
        until = self.at + span_s
        while self.at + LOOK_S < until:
            self.at += LOOK_S
            look()
        self.at = until
        return look()


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
        assert clock.look_for(longest - 0.1, lambda: monitor.lost([beat], ())) == []
        clock.at += 0.2
    assert monitor.lost([beat], ()) == [beat]
    assert monitor.lost([beat], {1}) == [], "it is in hand"


def test_a_new_heartbeat_restarts_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, monitor, now = Clock(monkeypatch), HeartbeatMonitor("here"), datetime.now(UTC)
    monitor.lost([Heartbeat(1, "there", now)], ())
    clock.look_for(LONG_LOST_S - 1, lambda: monitor.lost([Heartbeat(1, "there", now)], ()))
    later = Heartbeat(1, "there", now + timedelta(seconds=59))
    assert monitor.lost([later], ()) == []
    assert clock.look_for(LONG_LOST_S - 1, lambda: monitor.lost([later], ())) == []
    assert clock.look_for(2, lambda: monitor.lost([later], ())) == [later]


@pytest.mark.parametrize(("machine", "longest"), [("here", STALE_S), ("there", LONG_LOST_S)])
def test_time_without_the_database_does_not_count(
    machine: str, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, monitor = Clock(monkeypatch), HeartbeatMonitor("here", dated_here=False)
    beat = Heartbeat(1, machine, datetime.now(UTC))
    assert monitor.lost([beat], ()) == []
    clock.at += 10 * longest  # neither could the other supervisor reach it
    assert monitor.lost([beat], ()) == []
    assert clock.look_for(longest - 1.5, lambda: monitor.lost([beat], ())) == []
    assert clock.look_for(2, lambda: monitor.lost([beat], ())) == [beat]


def test_the_clock_of_a_server_is_not_compared_with_this_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Clock(monkeypatch)
    beat = Heartbeat(1, "here", datetime.now(UTC) - timedelta(hours=1))
    assert HeartbeatMonitor("here", dated_here=False).lost([beat], ()) == []
    assert HeartbeatMonitor("here").lost([beat], ()) == [beat]
