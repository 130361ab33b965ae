"""What many who look at once cost: a pace for all, one look at the database a second, and no
session that holds a run's requests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine

from services.analysis.compare import Candidate
from services.ask.measurement import Measurement
from services.base.refresh import EVERY_S, LOOK_S, Refresh
from tests.pages.conftest import Visit
from tests.stored import store


class Process:
    """A process whose clock and CPU time a test sets."""

    def __init__(self) -> None:
        self.wall, self.cpu = 0.0, 0.0
        self.pace = Refresh(lambda: self.wall, lambda: self.cpu)

    def study_jobs(self, share: float, seconds: float = LOOK_S) -> float:
        """Return the pace after so long at such a share of a core."""
        self.wall += seconds
        self.cpu += share * seconds
        return self.pace.seconds()


def after(process: Process, drawing: float, seconds: float = 120.0) -> float:
    """Return the pace after a time in which one refresh of all pages takes `drawing` CPU
    seconds."""
    end = process.wall + seconds
    while process.wall < end:
        every = process.pace.seconds()
        process.wall += every
        process.cpu += min(drawing, every)
    return process.pace.seconds()


@pytest.mark.parametrize(
    ("drawing", "every"), [(0.05, 1.0), (0.3, 1.0), (0.45, 1.0), (0.8, 2.0), (1.8, 4.0), (9, 8.0)]
)
def test_the_refresh_interval_is_the_shortest_that_leaves_half_a_core(
    drawing: float, every: float
) -> None:
    assert after(Process(), drawing) == every


@pytest.mark.parametrize(("drawing", "every"), [(0.05, 1.0), (0.3, 1.0), (0.45, 2.0), (0.8, 4.0)])
def test_a_long_refresh_interval_becomes_short_again(drawing: float, every: float) -> None:
    """Not as soon as it would just fit, or it would change back and forth."""
    process = Process()
    assert after(process, 20) == EVERY_S[-1]
    assert after(process, drawing) == every


def test_redrawing_after_a_new_refresh_interval_does_not_count() -> None:
    process = Process()
    every = process.pace.seconds()
    changes = 0
    for _ in range(60):
        process.wall += every
        process.cpu += 0.6
        if (now := process.pace.seconds()) != every:
            process.cpu += 5.0  # every page is drawn as a whole
            every, changes = now, changes + 1
    assert (every, changes) == (EVERY_S[1], 1)


def test_a_short_burst_of_work_does_not_change_the_refresh_interval() -> None:
    process = Process()
    assert process.study_jobs(1.0, LOOK_S / 2) == EVERY_S[0]


def test_a_later_visitor_starts_with_a_fast_refresh() -> None:
    process = Process()
    assert process.study_jobs(0.9) > EVERY_S[0]
    assert process.study_jobs(0.9, 60.0) == EVERY_S[0]


def held(work: Any) -> Iterator[Any]:
    """What a file that is made later keeps until then."""
    if isinstance(work, partial):
        for part in (*work.args, *work.keywords.values()):
            yield from held(part)
    elif isinstance(work, list | tuple):
        for part in work:
            yield from held(part)
    else:
        yield work


@pytest.mark.parametrize("page", ["result", "compare"])
def test_download_buttons_keep_no_requests_in_the_session(
    database: Engine, visit: Visit, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    offered: list[Any] = []
    monkeypatch.setattr(st, "download_button", lambda *_, data, **__: offered.append(data))
    ids = [store(database), store(database)]
    visit(page, **({"run": str(ids[0])} if page == "result" else {"runs": f"{ids[0]},{ids[1]}"}))
    assert offered
    assert not [item for item in held(offered) if isinstance(item, Candidate | Measurement)]
    assert all(work() for work in offered)  # and still makes it
