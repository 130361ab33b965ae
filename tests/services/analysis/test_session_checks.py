"""What a run says of its sessions: turns that were not sent, and what a cache is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.analysis.compare import compare
from services.analysis.compare.comparability import warnings
from services.analysis.diagnostics import diagnostics
from services.analysis.summary import summarize, summary_row
from services.analysis.turns import session_times
from services.ask.measurement import Measurement, Run
from services.report import tables
from tests.values import candidate, measured, run

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
    return [replace(m, cached_tokens=None, **changes) for m in found]


def grown(cached_first: int, cached_later: int) -> list[Measurement]:
    """Turns of 100, 200, 300 and 400 tokens; of each later one so many less than it repeats were in
    the cache."""
    return [
        replace(
            m,
            prompt_tokens=100 * (turn + 1),
            cached_tokens=100 * turn - cached_later if turn else cached_first,
        )
        for m in many()
        for turn in [m.index % 4]
    ]


def test_turns_that_a_failure_kept_from_being_sent_are_counted() -> None:
    said = titles(played({"failed": 2}), many(78))
    assert "6 turns not sent after a failure" in said
    assert "Not every request was answered" not in said, "it is known why"


def test_turns_that_the_end_left_out_are_counted() -> None:
    assert titles(played({"ended": 1}), many()) == ["3 turns not sent because the time was up"]


def test_a_cached_history_is_expected_and_a_cached_first_turn_is_not() -> None:
    assert not titles(run(**TURNS), grown(0, 0))
    assert titles(run(**TURNS), grown(50, 0)) == ["50.0 % of the prompt tokens came from a cache"]


def test_an_uncached_history_shows_in_the_servers_counts() -> None:
    """600 of 1,000 tokens of a session repeat what was said; 300 of them were found."""
    (found,) = diagnostics(run(**TURNS), grown(0, 100), summarize(grown(0, 100)))
    assert found.title == "Part of the history was recomputed"
    assert "60.0 % of the prompt tokens repeat" in found.sentence
    assert "30.0 % came from the prefix cache" in found.sentence
    one = candidate(grown(0, 100), **TURNS)
    rows = dict(tables.prefix_cache(one).rows)
    assert rows["By the server's token counts"] == "60.0 %" and rows["Observed"] == "30.0 %"
    assert not titles(run(**TURNS, unique_prompts=False), many())


def test_invalid_stored_counts_are_ignored() -> None:
    assert not titles(played({"failed": "many"}), many())


def played_sessions() -> list[Measurement]:
    """Two sessions of two turns a second apart, in two repeats; the last session is cut."""
    return [
        measured(i, repeat=r, send=4.0 * (i % 2), ttft=1.0 + i % 2, e2e=3.0 + r)
        for r in range(2)
        for i in range(5)
    ]


def test_a_session_lasts_from_its_first_due_time_to_its_last_end() -> None:
    config = run(**{**TURNS, "turns": 2, "requests": 5}).config
    times = [session_times([m for m in played_sessions() if m.repeat == r], config) for r in (0, 1)]
    assert [each.tolist() for each in times] == [[7.0, 7.0, 3.0], [8.0, 8.0, 4.0]]
    failing = [replace(m, status="failed") if m.index == 1 else m for m in played_sessions()]
    assert session_times(failing[:5], config).tolist() == [7.0, 3.0]
    assert not session_times(failing, run(mode="batch").config).size


def test_first_and_later_turns_are_distinguished() -> None:
    of = candidate(played_sessions(), **{**TURNS, "turns": 2, "requests": 5})
    row = summary_row(of.summary)
    assert row["first_ttft_s_median"] == 1.0 and row["later_ttft_s_median"] == 2.0
    assert row["session_s_n"] == 6 and row["session_s_median"] == 7.0
    table = tables.classes(of)
    assert (table.title, table.columns) == (
        "First and later turns",
        ("", "First turns", "Later turns"),
    )
    assert "TTFT of later turns, median" in {r[0] for r in tables.repeats(of).rows}
    assert "Session time, median" in {r[0] for r in tables.figures([of], ["A"]).rows}


def test_runs_with_sessions_are_compared_by_their_turns_and_their_time() -> None:
    values = {**TURNS, "turns": 2, "requests": 5}
    two = [candidate(played_sessions(), run_id=number, **values) for number in (1, 2)]
    names = {row.metric: row.values for row in compare(two).rows}
    assert names["session_s_median"] == (7.0, 7.0)
    assert names["later_ttft_s_median"] == (2.0, 2.0)


def warned(*runs: Any) -> list[str]:
    return [each.title for each in warnings([candidate(played_sessions(), **r) for r in runs])]


def test_runs_with_other_turns_or_another_history_did_other_work() -> None:
    two = {**TURNS, "turns": 2, "requests": 5}
    assert "Different prompts" in warned({"run_id": 1, **two}, {"run_id": 2, **two, "turns": 5})
    answered = {**two, "history": "answered"}
    assert "Different prompts" in warned({"run_id": 1, **two}, {"run_id": 2, **answered})
    both = warned({"run_id": 1, **answered}, {"run_id": 2, **answered})
    assert "Each server got its own answers as history" in both
    assert "Different prompts" not in both
