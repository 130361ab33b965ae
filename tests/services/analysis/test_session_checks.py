"""What a run says of its sessions: turns that were not sent, and what a cache is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.analysis.diagnostics import diagnostics
from services.analysis.summary import summarize
from services.ask.measurement import Measurement, Run
from tests.values import measured, run

TURNS = {"workload": "synthetic", "turns": 4, "requests": 80, "repeats": 3, "mode": "batch"}


def played(unsent: dict[str, Any]) -> Run:
    found = run(**TURNS)
    repeats = [
        replace(each, health={**each.health, "unsent_turns": unsent}) for each in found.repeats
    ]
    return replace(found, repeats=tuple(repeats))


def titles(of: Run, measurements: list[Measurement]) -> list[str]:
    return [each.title for each in diagnostics(of, measurements, summarize(measurements))]


def many(count: int = 80, **changes: Any) -> list[Measurement]:
    found = [measured(i, repeat=r, send=0.0, e2e=3.0) for r in range(3) for i in range(count)]
    return [replace(m, **changes) for m in found]


def test_turns_that_a_failure_kept_from_being_sent_are_counted() -> None:
    said = titles(played({"failed": 2}), many(78))
    assert "6 turns not sent after a failure" in said
    assert "Not every request was answered" not in said, "it is known why"


def test_turns_that_the_end_left_out_are_counted() -> None:
    assert titles(played({"ended": 1}), many()) == ["3 turns left when the time was up"]


def test_a_history_in_the_cache_is_no_surprise_and_a_first_turn_is() -> None:
    later = [replace(m, prompt_tokens=100, cached_tokens=90 if m.index % 4 else 0) for m in many()]
    assert not titles(run(**TURNS), later)
    first = [replace(m, prompt_tokens=100, cached_tokens=50) for m in many()]
    assert titles(run(**TURNS), first) == ["50.0 % of the prompt tokens came from a cache"]


def test_stored_counts_that_are_none_are_ignored() -> None:
    assert not titles(played({"failed": "many"}), many())
