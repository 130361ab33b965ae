"""What many who look at once cost: a pace for all, one look at the database a second, and no
session that holds a run's requests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine

from services.compare import Candidate
from services.measurement import Measurement
from services.refresh import BUSY, EVERY_S, IDLE, LOOK_S, Refresh
from tests.pages.conftest import Visit
from tests.stored import store


class Process:
    """A process whose clock and CPU time a test sets."""

    def __init__(self) -> None:
        self.wall, self.cpu = 0.0, 0.0
        self.pace = Refresh(lambda: self.wall, lambda: self.cpu)

    def at_work(self, share: float, seconds: float = LOOK_S) -> float:
        """Return the pace after so long at such a share of a core."""
        self.wall += seconds
        self.cpu += share * seconds
        return self.pace.seconds()


def test_a_busy_process_is_drawn_less_often_and_a_quiet_one_more() -> None:
    process = Process()
    assert process.pace.seconds() == EVERY_S[0]
    assert [process.at_work(0.9) for _ in range(5)] == [*EVERY_S[1:], EVERY_S[-1], EVERY_S[-1]]
    assert [process.at_work(0.05) for _ in range(4)] == [*EVERY_S[-2::-1], EVERY_S[0]]


def test_a_pace_that_fits_stays() -> None:
    process = Process()
    process.at_work(0.9)
    between = (BUSY + IDLE) / 2
    assert {process.at_work(between) for _ in range(9)} == {EVERY_S[1]}
    assert BUSY / 2 > IDLE  # half the cost of a pace that was too quick is not too little


def test_one_moment_of_work_is_not_the_pace() -> None:
    process = Process()
    assert process.at_work(1.0, LOOK_S / 2) == EVERY_S[0]


def test_who_comes_after_a_while_begins_quickly() -> None:
    process = Process()
    process.at_work(0.9)
    assert process.at_work(0.9, 60.0) == EVERY_S[0]


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
def test_a_session_holds_no_requests_for_a_file_that_may_be_asked_for(
    database: Engine, visit: Visit, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    offered: list[Any] = []
    monkeypatch.setattr(st, "download_button", lambda *_, data, **__: offered.append(data))
    ids = [store(database), store(database)]
    visit(page, **({"run": str(ids[0])} if page == "result" else {"runs": f"{ids[0]},{ids[1]}"}))
    assert offered
    assert not [kept for kept in held(offered) if isinstance(kept, Candidate | Measurement)]
    assert all(work() for work in offered)  # and still makes it
